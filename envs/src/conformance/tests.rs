//! Broken environments, each of which must break exactly one rule.

mod asked;
mod play;
mod toy;

use super::*;
use crate::{
    Action, ActionSpace, Context, Distribution, EnvSpec, ObsBuffer, ObsMut, ObsSpace, RgbFrame,
    Step,
};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use toy::{Fault, Toy};

/// Each fault and the only rule that it breaks.
const TABLE: [(Fault, Rule); 43] = {
    use Fault::*;
    [
        (ConstructorFailsLater, Rule::Constructor),
        (ConstructorPanics, Rule::NoPanic),
        (BoundsUpsideDown, Rule::Spec),
        (TooFewBounds, Rule::Spec),
        (DefaultOutOfBounds, Rule::Spec),
        (SpecChanges, Rule::Spec),
        (PanicsInStep, Rule::NoPanic),
        (ValidStepFails, Rule::ValidCalls),
        (ExtremeContextFails, Rule::ValidCalls),
        (ObsTooHigh, Rule::ObsInSpace),
        (ObsNan, Rule::ObsInSpace),
        (RewardInfinite, Rule::RewardFinite),
        (NoFrame, Rule::FramesPositive),
        (CutsEarly, Rule::TimeLimit),
        (NeverCuts, Rule::TimeLimit),
        (StepsBeforeReset, Rule::StepBeforeReset),
        (StepsAfterEnd, Rule::StepAfterEnd),
        (TakesLongBuffers, Rule::WrongBuffer),
        (PanicsOnShortBuffers, Rule::WrongBuffer),
        (TakesAnyContext, Rule::ContextBounds),
        (TakesAnyState, Rule::GarbageState),
        (PanicsOnBadStates, Rule::GarbageState),
        (Nondeterministic, Rule::Deterministic),
        (RemembersEpisodes, Rule::ResetComplete),
        (LeavesElement, Rule::ObsWritten),
        (AddsToBuffer, Rule::ObsWritten),
        (TakesIndexTooHigh, Rule::InvalidAction),
        (TakesNan, Rule::InvalidAction),
        (TakesTooMuch, Rule::InvalidAction),
        (TakesLongActions, Rule::InvalidAction),
        (DrawsBeforeRefusing, Rule::RefusalHarmless),
        (ForgetsGenerator, Rule::SaveRestore),
        (ForgetsSteps, Rule::SaveRestore),
        (ForgetsEnd, Rule::SaveRestore),
        (OverwritesSaved, Rule::SaveRestore),
        (CannotSave, Rule::SaveRestore),
        (BeginsAnewAtLimit, Rule::FinalObs),
        (IgnoresContext, Rule::SubspacesDiffer),
        (ReseedsByContext, Rule::SubspacesDiffer),
        (EmptyPicture, Rule::Render),
        (ShortPicture, Rule::Render),
        (DrawsOver, Rule::Render),
        (NoPicture, Rule::Render),
    ]
};

fn action_space(fault: Fault) -> ActionSpace {
    let continuous =
        matches!(fault, Fault::TakesNan | Fault::TakesTooMuch | Fault::TakesLongActions);
    if continuous {
        ActionSpace::Box { low: vec![-1.0, 0.0], high: vec![1.0, 0.5] }
    } else {
        ActionSpace::Discrete(3)
    }
}

/// A subspace that fixes the wind.
fn blowing(name: &str, wind: f64) -> Subspace {
    let values = BTreeMap::from([("wind".to_owned(), Distribution::Fixed(wind))]);
    Subspace { name: name.into(), values, ..Subspace::default() }
}

/// Everything that can be asked.
fn full_options() -> CheckOptions {
    let subspaces = vec![blowing("calm", 0.0), blowing("storm", 0.8)];
    CheckOptions { subspaces, ..CheckOptions::default() }
}

fn check_toy(fault: Fault, action: &ActionSpace, options: &CheckOptions) -> Report {
    let made = Arc::new(AtomicU32::new(0));
    let calls = Cell::new(0);
    let make = || -> Result<Box<dyn Environment>, EnvError> {
        calls.set(calls.get() + 1);
        match fault {
            Fault::ConstructorFailsLater if calls.get() > 1 => Err(Toy::failed("only one")),
            Fault::ConstructorPanics => panic!("a bug in the constructor"),
            _ => Ok(Box::new(Toy::new(fault, action.clone(), &made))),
        }
    };
    let make_unlimited = || -> Result<Box<dyn Environment>, EnvError> {
        let mut toy = Toy::new(fault, action.clone(), &made);
        toy.limit_env_steps = u32::MAX;
        Ok(Box::new(toy))
    };
    let subject = Subject { make_unlimited: Some(&make_unlimited), ..Subject::new(&make) };
    check_subject(&subject, options)
}

#[test]
fn each_fault_breaks_exactly_its_rule() {
    for (fault, rule) in TABLE {
        let report = check_toy(fault, &action_space(fault), &full_options());
        assert_eq!(report.broken_rules(), BTreeSet::from([rule]), "{fault:?}\n{report}");
    }
}

#[test]
fn the_table_breaks_every_rule() {
    let mut broken: BTreeSet<Rule> = TABLE.iter().map(|(_, rule)| *rule).collect();
    broken.insert(Rule::Aliasing); // by what Python finds, below
    assert_eq!(broken, BTreeSet::from(Rule::ALL));
}

#[test]
fn a_sound_environment_keeps_every_rule_and_each_is_put_to_the_test() {
    for action in
        [ActionSpace::Discrete(3), ActionSpace::Box { low: vec![-1.0], high: vec![f32::MAX] }]
    {
        for seed in 0..20 {
            let options = CheckOptions { seed, ..full_options() };
            let report = check_toy(Fault::None, &action, &options);
            assert!(report.conforms(), "{report}");
            let unseen: Vec<_> = Rule::ALL.iter().filter(|r| !report.checked.contains(r)).collect();
            // All four episodes may happen to terminate before the time limit.
            assert!(unseen.is_empty() || unseen == [&Rule::TimeLimit, &Rule::FinalObs], "{report}");
        }
    }
}

#[test]
fn bytes_conform_too() {
    /// Shows the episode's step number in bytes.
    struct Bytes(Toy);
    impl Bytes {
        fn observe(&self, mut obs: ObsMut<'_>) -> Result<(), EnvError> {
            obs.u8("Toy-v0", 3)?.fill(u8::try_from(self.0.state.steps).unwrap());
            Ok(())
        }
    }
    impl Environment for Bytes {
        fn spec(&self) -> &EnvSpec {
            &self.0.spec
        }
        fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
            self.0.reset(seed, context, ObsMut::F32(&mut [0.0; 2]))?;
            self.observe(obs)
        }
        fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
            let step = self.0.step(action, ObsMut::F32(&mut [0.0; 2]))?;
            self.observe(obs)?;
            Ok(step)
        }
        fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
            self.0.save_state(out)
        }
        fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
            self.0.restore_state(state)
        }
        fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
            self.0.render(frame)
        }
    }
    let report = |high| {
        let make = || -> Result<Box<dyn Environment>, EnvError> {
            let mut toy = Toy::new(Fault::None, ActionSpace::Discrete(2), &Arc::default());
            toy.spec.obs = ObsSpace::u8(&[3, 1, 1], high);
            Ok(Box::new(Bytes(toy)))
        };
        check(&make, &CheckOptions::default())
    };
    assert!(report(8).conforms(), "{}", report(8));
    assert_eq!(report(1).broken_rules(), BTreeSet::from([Rule::ObsInSpace]));
}

#[test]
fn every_bad_element_is_named_and_counted() {
    let report = check_toy(Fault::ObsTooHigh, &ActionSpace::Discrete(3), &CheckOptions::default());
    let [violation] = &report.violations[..] else { panic!("{report}") };
    assert_eq!((violation.rule, violation.case), (Rule::ObsInSpace, "after a step"));
    assert!(
        violation.times > 1 && violation.detail.contains("element 1 is 1.5, allowed -1 to 1"),
        "{report}"
    );
}

#[test]
fn skipped_rules_are_not_reported() {
    let skip = vec![Rule::SaveRestore];
    let options = CheckOptions { skip, ..CheckOptions::default() };
    let report = check_toy(Fault::CannotSave, &ActionSpace::Discrete(3), &options);
    assert!(report.conforms() && report.skipped.contains(&Rule::SaveRestore), "{report}");
    assert!(report.to_string().contains("skipped   save-restore"), "{report}");
}

#[test]
fn sentences_are_broken_at_80_columns_and_tracebacks_stay_as_they_are() {
    let mut report = check_toy(Fault::None, &ActionSpace::Discrete(3), &full_options());
    let (words, long) = ("word ".repeat(30), "    ^^^^".repeat(20));
    report.record((Rule::ValidCalls, "step"), false, || format!("{words}:\n  File x.py\n{long}"));
    let text = report.to_string();
    let too_long = text.lines().filter(|line| line.chars().count() > 80);
    assert_eq!(too_long.collect::<Vec<_>>(), [format!("{:14}{long}", "")], "{text}");
    assert!(text.contains("word :\n                File x.py\n                  ^^^^"), "{text}");
}

#[test]
fn the_report_reads_well_and_names_agree_with_serde() {
    let report =
        check_toy(Fault::RewardInfinite, &ActionSpace::Discrete(3), &CheckOptions::default());
    let text = report.to_string();
    assert!(text.starts_with("Toy-v0: 4 episodes ("), "{text}");
    assert!(
        text.contains(
            "  BROKEN    reward-finite      Rewards are finite.\n            - reward: seed"
        ),
        "{text}"
    );
    assert!(text.ends_with("Toy-v0 breaks 1 of 23 rules."), "{text}");
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_string(&rule).unwrap(), format!("\"{}\"", rule.name()));
    }
}

#[test]
fn the_other_poison_differs_in_every_element() {
    for space in [ObsSpace::u8(&[4], 255), ObsSpace::f32_vector(&[-2.0, 1.0], &[-1.0, 2.0])] {
        let toy = Toy::new(Fault::None, ActionSpace::Discrete(1), &Arc::default());
        let valid = player::Player::new(Box::new(toy), &space).poison;
        let other = player::other_poison(&space);
        assert!(space.violations(valid.as_ref()).is_empty());
        let same = |i: &usize| valid.as_ref().get(*i) == other.as_ref().get(*i);
        assert_eq!((0..valid.len()).find(same), None);
        assert!(matches!(
            (&valid, &other),
            (ObsBuffer::U8(_), ObsBuffer::U8(_)) | (ObsBuffer::F32(_), ObsBuffer::F32(_))
        ));
    }
}

//! Rules that need more than a constructor: subspaces, findings in Python, states.

use super::*;

/// In Rust aliasing cannot be.
#[test]
fn each_finding_in_python_breaks_its_rule() {
    let make = || -> Result<Box<dyn Environment>, EnvError> {
        Ok(Box::new(Toy::new(Fault::None, ActionSpace::Discrete(3), &Arc::default())))
    };
    let table = [
        (None, None),
        (Some("aliasing"), Some(Rule::Aliasing)),
        (Some("autoreset"), Some(Rule::FinalObs)),
    ];
    for (finding, rule) in table {
        let inspect = |_, _| {
            let found = |rule: &str| PythonFinding { rule: rule.into(), detail: "step 3".into() };
            Ok(finding.map(found).into_iter().collect())
        };
        let subject = Subject { inspect: Some(&inspect), ..Subject::new(&make) };
        let report = check_subject(&subject, &CheckOptions::default());
        assert_eq!(report.broken_rules(), rule.into_iter().collect(), "{report}");
        assert!(report.checked.contains(&Rule::Aliasing), "{report}");
    }
    let inspect = |_, _| Err(Toy::failed("gone"));
    let subject = Subject { inspect: Some(&inspect), ..Subject::new(&make) };
    let report = check_subject(&subject, &CheckOptions::default());
    assert!(report.conforms() && !report.checked.contains(&Rule::Aliasing), "{report}");
    assert!(
        report.to_string().contains("note: aliasing was not checked: Toy-v0: gone"),
        "{report}"
    );
}

#[test]
fn a_state_that_cannot_be_saved_skips_the_rule_and_says_what_follows() {
    let options = full_options();
    let report = check_toy(Fault::StatesItCannotSave, &ActionSpace::Discrete(3), &options);
    assert!(report.conforms() && report.skipped.contains(&Rule::SaveRestore), "{report}");
    let note = "its state cannot be saved (it lives elsewhere); when a run is resumed, the \
                episodes that were under way begin anew";
    assert!(report.notes.iter().any(|n| n == note), "{report}");
}

#[test]
fn one_subspace_is_compared_with_the_default_and_several_with_each_other() {
    let storm = blowing("storm", 0.8);
    let gale = Subspace { name: "gale".into(), ..storm.clone() };
    let table = [
        (vec![storm.clone()], vec![("default context", "storm", true)]),
        (vec![blowing("calm", 0.0)], vec![("default context", "calm", false)]),
        (
            vec![blowing("calm", 0.0), storm, gale],
            vec![("calm", "storm", true), ("calm", "gale", true), ("storm", "gale", false)],
        ),
    ];
    for (subspaces, expected) in table {
        let options = CheckOptions { subspaces, ..CheckOptions::default() };
        let report = check_toy(Fault::None, &ActionSpace::Discrete(3), &options);
        let got: Vec<_> = report
            .subspaces
            .iter()
            .map(|c| (c.left.as_str(), c.right.as_str(), c.differ))
            .collect();
        assert_eq!(got, expected, "{report}");
        let alike = expected.iter().any(|(_, _, differ)| !differ);
        assert_eq!(report.broken_rules().contains(&Rule::SubspacesDiffer), alike, "{report}");
    }
}

#[test]
fn a_subspace_that_the_environment_does_not_know_is_named() {
    let options = CheckOptions { subspaces: vec![blowing("gust", 3.0)], ..CheckOptions::default() };
    let report = check_toy(Fault::None, &ActionSpace::Discrete(3), &options);
    assert_eq!(report.broken_rules(), BTreeSet::from([Rule::SubspacesDiffer]), "{report}");
    let detail = &report.violations[0].detail;
    assert_eq!(detail, "subspace gust: context value wind is 3 m/s, allowed -1 to 1");
}

/// A time limit that the observation shows, say: then there is nothing to compare.
#[test]
fn an_episode_that_differs_without_its_limit_is_a_note() {
    let toy = |fault| -> Result<Box<dyn Environment>, EnvError> {
        Ok(Box::new(Toy::new(fault, ActionSpace::Discrete(3), &Arc::default())))
    };
    let make = || toy(Fault::None);
    let report = |make_unlimited: &Make<'_>| {
        let subject = Subject { make_unlimited: Some(make_unlimited), ..Subject::new(&make) };
        check_subject(&subject, &CheckOptions::default())
    };
    let other_obs = |left: &Report| left.notes.iter().any(|n| n.contains("at step 3 observation"));
    let table: [(Report, &str); 3] = [
        (report(&|| toy(Fault::ObsTooHigh)), "without its time limit it plays another episode"),
        (report(&|| toy(Fault::BoundsUpsideDown)), "without its time limit it has other spaces"),
        (
            report(&|| Err(Toy::failed("no"))),
            "it cannot be made without its time limit: Toy-v0: no",
        ),
    ];
    assert!(other_obs(&table[0].0), "{}", table[0].0);
    for (report, note) in table {
        assert!(report.conforms() && !report.checked.contains(&Rule::FinalObs), "{report}");
        assert!(report.notes.iter().any(|n| n.starts_with(note)), "{report}");
    }
}

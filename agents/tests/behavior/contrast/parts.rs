//! What is frozen, and what is renewed.

use super::*;
use contrail_agents::contrast::{Frozen, Part};

/// Imitation on images of two channels with everything that a network can have: torso, shared
/// layer, tokens, projection, dynamics and outcome heads.
fn complete() -> Imitation {
    let mut representation = representation();
    representation.contrast.projection_units = 6;
    let network = NetworkConfig { torso: Torso::Minatar, ..hidden(&[12]) };
    let spec = ObsSpec { shape: vec![2, 4, 4], bytes: false, scale: 1.0 };
    let config = ImitationConfig { max_grad_norm: 0.0, ..ImitationConfig::default() };
    let parts = (&network, Some(&representation));
    let mut agent = Imitation::new((&spec, 3), parts, &config, Device::Cpu, &mut rng(1));
    // A teacher of its own, so that distillation reaches the decision head.
    let values = agent.policy_params();
    let halved: Vec<f32> = values.iter().map(|v| v / 2.0).collect();
    agent.distiller().unwrap().distillation.set_teacher(&halved);
    agent
}

fn images(relation: Relation) -> ContrastBatch {
    let vectors = Algorithm::Imitation.contrasts(relation, 5);
    let mut rng = rng(6);
    let obs = (0..2 * ANCHORS * 32).map(|_| rng.random::<f32>()).collect();
    ContrastBatch { obs: ObsBatch::F32(obs), ..vectors }
}

fn align(agent: &mut Imitation) {
    let batch = images(Relation::Predictive);
    let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
    agent.distiller().unwrap().update(task, false, &mut rng(1)).unwrap();
}

const PARTS: [&str; 9] = [
    "encoder/",
    "shared/",
    "tokens/",
    "tokens_embedding/",
    "head/",
    "projection/",
    "dynamics/",
    "outcome/",
    "",
];

/// Names that `change` moved, and all names.
fn moved(agent: &mut Imitation, change: impl Fn(&mut Imitation)) -> [Vec<String>; 2] {
    let (layout, before) = (layout(agent), agent.policy_params());
    change(agent);
    let all = layout.entries().iter().map(|entry| entry.name.clone()).collect();
    [differing(&layout, &before, &agent.policy_params()), all]
}

#[test]
fn the_layout_has_every_part() {
    let layout = layout(&mut complete());
    for part in PARTS {
        assert!(layout.entries().iter().any(|entry| entry.name.starts_with(part)), "{part}");
    }
}

#[test]
fn what_is_frozen_stays_to_the_bit_and_all_the_rest_moves() {
    let cases: [(Frozen, &[&str]); 5] = [
        (Frozen::Nothing, &[]),
        (Frozen::Knowledge, &["dynamics/", "outcome/"]),
        (Frozen::Encoder, &["encoder/", "shared/"]),
        (Frozen::AllBut(Part::Stem), &PARTS[1..8]),
        (Frozen::AllBut(Part::None), &[""]),
    ];
    for (frozen, stays) in cases {
        let mut agent = complete();
        agent.distiller().unwrap().freeze(frozen);
        let [moved, all] = moved(&mut agent, align);
        let stays = |name: &String| stays.iter().any(|part| name.starts_with(part));
        let expected: Vec<String> = all.into_iter().filter(|name| !stays(name)).collect();
        assert_eq!(moved, expected, "{frozen:?}");
        // Moments too are as they were: zero.
        let (layout, m) = (layout(&mut agent), Algorithm::Imitation.moments(&agent));
        for entry in layout.entries().iter().filter(|entry| stays(&entry.name)) {
            assert!(m[entry.offset..entry.offset + entry.len].iter().all(|m| *m == 0.0));
        }
    }
}

#[test]
fn a_freeze_replaces_the_one_before() {
    let mut agent = complete();
    agent.distiller().unwrap().freeze(Frozen::AllBut(Part::Stem));
    agent.freeze(Frozen::Knowledge);
    agent.freeze(Frozen::Nothing);
    let [moved, all] = moved(&mut agent, align);
    assert_eq!(moved, all);
}

#[test]
fn a_renewed_part_is_fresh_without_moments_and_the_rest_as_it_was() {
    let cases: [(Part, &[&str]); 6] = [
        (Part::None, &[]),
        (Part::Stem, &["encoder/"]),
        (Part::Dynamics, &["dynamics/"]),
        (Part::Heads, &["head/"]),
        (Part::All, &["encoder/", "shared/", "tokens", "projection/", "dynamics/", "outcome/"]),
        (Part::Whole, &[""]),
    ];
    for (part, renewed) in cases {
        let mut agent = complete();
        (0..3).for_each(|_| align(&mut agent));
        let before = agent.save();
        let [moved, all] = moved(&mut agent, |agent| agent.renew(part, &mut rng(3)));
        let is_renewed = |name: &str| renewed.iter().any(|part| name.starts_with(part));
        let expected: Vec<String> = all.into_iter().filter(|name| is_renewed(name)).collect();
        assert_eq!(moved, expected, "{part:?}");
        let (layout, after) = (layout(&mut agent), agent.save());
        for moment in ["online/adam/m", "online/adam/v"] {
            let (old, new) = (array(&before, moment), array(&after, moment));
            for entry in layout.entries() {
                let range = entry.offset..entry.offset + entry.len;
                assert!(old[range.clone()].iter().any(|m| *m != 0.0), "{}", entry.name);
                if is_renewed(&entry.name) {
                    assert!(new[range].iter().all(|m| *m == 0.0), "{moment} of {}", entry.name);
                } else {
                    assert_eq!(new[range.clone()], old[range], "{moment} of {}", entry.name);
                }
            }
        }
        assert_eq!(array(&after, "teacher"), array(&before, "teacher"), "{part:?}");
    }
}

#[test]
fn a_start_from_values_takes_them_and_forgets_moments() {
    let mut agent = complete();
    align(&mut agent);
    let values = complete().policy_params();
    agent.distiller().unwrap().start_from(&values);
    assert_eq!(agent.policy_params(), values);
    assert!(Algorithm::Imitation.moments(&agent).iter().all(|m| *m == 0.0));
}

#[test]
fn contrasts_alone_leave_alone_what_they_do_not_reach_whatever_its_momentum() {
    let mut agent = complete();
    agent.distiller().unwrap().distillation.set_phase(0.0, Vec::new()); // no distillation of actions
    let vectors = Algorithm::Imitation.batch(3);
    let mut numbers = rng(4);
    let obs = (0..vectors.weights.len() * 32).map(|_| numbers.random::<f32>()).collect();
    let batch = Minibatch { obs: ObsBatch::F32(obs), ..vectors };
    let settings = UpdateSettings { progress: 0.0, detail: false };
    agent.update(&batch, settings, &mut rng(3)).unwrap();
    let [changed, all] = moved(&mut agent, align);
    // The decision alone reads the embedding of the tokens.
    let reached =
        |name: &&String| !name.starts_with("head/") && !name.starts_with("tokens_embedding/");
    let expected: Vec<&String> = all.iter().filter(reached).collect();
    assert_eq!(changed.iter().collect::<Vec<_>>(), expected);
}

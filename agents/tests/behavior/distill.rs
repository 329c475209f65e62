//! Contrastive distillation of an agent: what joins an update, what is frozen or renewed, and that
//! predictive contrasts learn a world.

use super::*;
use contrail_agents::contrast::{
    ContrastConfig, ContrastTask, DistillOn, Distiller, Frozen, Objective, Part, Representation,
};
use contrail_agents::gate::GateRule;
use contrail_agents::losses::Debias;
use contrail_agents::tokens::TokenConfig;
use contrail_agents::{Augmentation, ContrastBatch, Relation};

fn representation(gate: GateRule) -> Representation {
    Representation {
        tokens: Some(TokenConfig { groups: 3, embedding_units: 4, ..TokenConfig::default() }),
        contrast: ContrastConfig {
            temperature: 0.1,
            projection_units: 0,
            dynamics_units: 16,
            objective: Objective::Contrast,
            debias: Debias::default(),
            distillation_weight: 0.5,
            distill_on: DistillOn::Earlier,
            policy_temperature: 0.5,
            outcome_weight: 1.0,
            augmentation: Augmentation::None,
            gate,
            teacher_ema_rate: 0.01,
            teacher_pool: 2,
        },
    }
}

fn distilled(gate: GateRule, seed: u64) -> Dqn {
    let representation = representation(gate);
    let network = hidden(&[16]);
    let config = DqnConfig::default();
    let parts = (&network, Some(&representation));
    Dqn::distilled((&vector(4), 3), parts, &config, Device::Cpu, &mut rng(seed))
}

/// `rows` random anchors, each followed by the next observation; the others' are its negatives.
fn contrasts(relation: Relation, seed: u64) -> ContrastBatch {
    let (mut rng, rows) = (rng(seed), 8i64);
    let obs = (0..2 * rows * 4).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect();
    let others = |row: i64| (0..rows).filter(move |other| *other != row).map(move |r| rows + r);
    ContrastBatch {
        relation,
        obs: ObsBatch::F32(obs),
        anchors: (0..rows).collect(),
        actions: ActionBatch::Discrete((0..rows).map(|row| row % 3).collect()),
        rewards: vec![0.5; rows as usize],
        continues: vec![1.0; rows as usize],
        positives: (rows..2 * rows).collect(),
        positive_weights: vec![1.0; rows as usize],
        negatives: (0..rows).flat_map(others).collect(),
        negative_weights: vec![1.0; (rows * (rows - 1)) as usize],
        from_memory: (0..rows).map(|row| (row % 2) as f32).collect(),
        subspaces: vec![0; rows as usize],
    }
}

fn stage(agent: &mut dyn Agent, (relation, apart): (Relation, bool), seed: u64) {
    let batch = contrasts(relation, seed);
    let task = ContrastTask { batch: &batch, weight: 0.5, apart };
    agent.distiller().unwrap().stage(task, false, &mut rng(seed)).unwrap();
}

fn update(agent: &mut dyn Agent, seed: u64) -> Option<f64> {
    let report = agent.update(&dqn_batch(seed), QUIET, &mut rng(seed)).unwrap();
    report.contrast.last_gain
}

/// Names of the parameters that `change` moves.
fn moved(agent: &mut dyn Agent, change: impl Fn(&mut dyn Agent)) -> Vec<String> {
    let before = agent.save();
    change(agent);
    let after = agent.save();
    let pairs = before.arrays.iter().zip(&after.arrays);
    let moved = pairs.filter(|(a, b)| {
        a.name.starts_with("online/") && !a.name.contains("/adam/") && a.values != b.values
    });
    moved.map(|(a, _)| a.name.trim_start_matches("online/").to_owned()).collect()
}

fn align(agent: &mut dyn Agent) {
    let batch = contrasts(Relation::Predictive, 9);
    let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
    agent.distiller().unwrap().update(task, false, &mut rng(9)).unwrap();
}

#[test]
fn a_distilled_agent_resumes_to_the_bit_with_its_pool_and_the_last_direction() {
    let run = |agent: &mut Dqn, seeds: std::ops::Range<u64>| {
        for seed in seeds {
            stage(agent, (Relation::Temporal, true), seed);
            update(agent, seed);
        }
    };
    let mut first = distilled(GateRule::Project, 1);
    run(&mut first, 0..5);
    let distiller = first.distiller().unwrap();
    distiller.distillation.freeze_teacher();
    distiller.distillation.set_phase(0.5, vec![3]);
    distiller.distillation.fix_teacher(true);
    first.pull_to_here(0.1);
    let mut second = distilled(GateRule::Project, 2);
    second.restore(&first.save()).unwrap();
    assert_eq!(first.save(), second.save());
    run(&mut first, 5..10);
    run(&mut second, 5..10);
    assert_eq!(first.save(), second.save());
}

#[test]
fn contrasts_join_the_next_update_and_no_other() {
    let [mut alone, mut joined] = [1, 1].map(|seed| distilled(GateRule::Off, seed));
    stage(&mut joined, (Relation::Predictive, false), 5);
    update(&mut alone, 7);
    update(&mut joined, 7);
    assert_ne!(alone.policy_params(), joined.policy_params());
    // Nothing waits any more: from equal parameters both do the same.
    joined.restore(&alone.save()).unwrap();
    update(&mut alone, 8);
    update(&mut joined, 8);
    assert_eq!(alone.policy_params(), joined.policy_params());
}

#[test]
fn one_backward_pass_and_two_take_the_same_step() {
    for relation in Relation::ALL {
        let [mut one, mut two] = [1, 1].map(|seed| distilled(GateRule::Off, seed));
        stage(&mut one, (relation, false), 5);
        stage(&mut two, (relation, true), 5);
        update(&mut one, 7);
        update(&mut two, 7);
        let pairs = one.policy_params().into_iter().zip(two.policy_params());
        // Adam's first step is the sign of the gradient: only rounding near 0 can differ.
        let far = pairs.filter(|(a, b)| (a - b).abs() > 1e-6).count();
        assert!(far * 200 < one.policy_params().len(), "{relation:?}: {far} parameters differ");
    }
}

#[test]
fn a_gain_is_told_by_the_update_after_and_only_of_measured_contrasts() {
    let mut agent = distilled(GateRule::Off, 1);
    stage(&mut agent, (Relation::Temporal, true), 5);
    assert_eq!(update(&mut agent, 7), None);
    let gain = update(&mut agent, 8).unwrap();
    assert!((-2.0..=2.0).contains(&gain) && gain.abs() > 0.0, "{gain}");
    assert_eq!(update(&mut agent, 9), None, "it is told once");
    stage(&mut agent, (Relation::Temporal, false), 5);
    update(&mut agent, 7);
    assert_eq!(update(&mut agent, 8), None);
}

#[test]
fn detached_contrasts_leave_encoder_and_shared_layers_to_the_decision() {
    let [mut alone, mut joined] = [1, 1].map(|seed| distilled(GateRule::Detach, seed));
    stage(&mut joined, (Relation::Predictive, false), 5);
    let shared = |agent: &mut Dqn| {
        update(agent, 7);
        let state = agent.save();
        let own = state.arrays.iter().find(|a| a.name == "online/shared/0/weight").unwrap();
        own.values.clone()
    };
    let (alone, joined) = (shared(&mut alone), shared(&mut joined));
    // The global norm that is clipped is larger with contrasts, Adam's step hardly.
    assert!(alone.iter().zip(&joined).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn what_is_frozen_stays_and_the_rest_learns() {
    let is_stem = |name: &String| name.starts_with("shared/0/"); // there is no torso
    let cases: [(Frozen, fn(&str) -> bool); 3] = [
        (Frozen::AllBut(Part::Stem), |name| name.starts_with("shared/0/")),
        (Frozen::Knowledge, |name| !name.starts_with("dynamics/") && !name.starts_with("outcome/")),
        (Frozen::Encoder, |name| !name.starts_with("shared/")),
    ];
    for (frozen, learns) in cases {
        let mut agent = distilled(GateRule::Off, 1);
        agent.freeze(frozen);
        let moved = moved(&mut agent, align);
        assert!(
            !moved.is_empty() && moved.iter().all(|name| learns(name)),
            "{frozen:?}: {moved:?}"
        );
    }
    let mut agent = distilled(GateRule::Off, 1);
    agent.freeze(Frozen::AllBut(Part::Stem));
    agent.freeze(Frozen::Nothing);
    let all = moved(&mut agent, align);
    assert!(all.iter().any(is_stem) && all.iter().any(|name| name.starts_with("dynamics/")));
}

#[test]
fn a_part_is_renewed_whole_and_alone() {
    let mut agent = distilled(GateRule::Off, 1);
    update(&mut agent, 7);
    let renewed = |agent: &mut Dqn, part| moved(agent, |agent| agent.renew(part, &mut rng(3)));
    let stem = renewed(&mut agent, Part::Stem);
    assert_eq!(stem, ["shared/0/weight", "shared/0/bias"]);
    let heads = renewed(&mut agent, Part::Heads);
    assert!(heads.iter().all(|name| name.starts_with("advantage/")), "{heads:?}");
    assert!(renewed(&mut agent, Part::None).is_empty());
    assert!(renewed(&mut agent, Part::Whole).len() > stem.len() + heads.len());
}

#[test]
fn the_pull_brings_parameters_back() {
    let [mut free, mut pulled] = [1, 1].map(|seed| distilled(GateRule::Off, seed));
    let start = free.policy_params();
    pulled.pull_to_here(100.0);
    for seed in 0..200 {
        update(&mut free, seed);
        update(&mut pulled, seed);
    }
    let distance = |agent: &Dqn| {
        let squares = agent.policy_params().iter().zip(&start).map(|(a, b)| (a - b).powi(2)).sum();
        let squares: f32 = squares;
        squares.sqrt()
    };
    assert!(distance(&pulled) < 0.5 * distance(&free));
}

#[test]
fn a_dormant_unit_wakes_up_and_nobody_reads_it_yet() {
    let mut agent = distilled(GateRule::Off, 1);
    // Unit 2 of the embedding is dead: no incoming weight, a negative bias.
    let mut state = agent.save();
    for array in &mut state.arrays {
        match array.name.as_str() {
            "online/shared/0/weight" => array.values[2 * 4..3 * 4].fill(0.0),
            "online/shared/0/bias" => array.values[2] = -1.0,
            _ => {}
        }
    }
    agent.restore(&state).unwrap();
    let batch = contrasts(Relation::Temporal, 5);
    let mut distiller = agent.distiller().unwrap();
    assert!(distiller.stats(&batch.obs).dormant_units >= 1.0 / 16.0);
    let count = distiller.renew_dormant(&batch.obs, &mut rng(3));
    assert!(count >= 1);
    assert_eq!(distiller.renew_dormant(&batch.obs, &mut rng(3)), 0, "it is awake");
    let state = agent.save();
    let array = |name: &str| &state.arrays.iter().find(|a| a.name == name).unwrap().values;
    assert!(array("online/shared/0/weight")[2 * 4..3 * 4].iter().all(|w| *w != 0.0));
    for reader in ["online/advantage/0/weight", "online/dynamics/0/weight"] {
        let inputs = if reader.contains("dynamics") { 16 + 3 } else { 16 + 4 };
        assert!(array(reader).chunks(inputs).all(|row| row[2] == 0.0), "{reader}");
    }
}

/// States 0 to 7 on a ring, one-hot; action 0 goes on by one, 1 by two, 2 by three.
fn ring(seed: u64, shuffled: bool) -> ContrastBatch {
    let (mut rng, rows) = (rng(seed), 32usize);
    let states: Vec<usize> = (0..rows).map(|_| rng.random_range(0..8)).collect();
    let actions: Vec<i64> = (0..rows).map(|_| rng.random_range(0..3)).collect();
    let next = |row: usize| (states[row] + actions[row] as usize + 1) % 8;
    let after = |row: usize| if shuffled { next((row + 7) % rows) } else { next(row) };
    let one_hot = (0..8usize).flat_map(|s| (0..8usize).map(move |i| f32::from(u8::from(i == s))));
    let others = |row: usize| (0..8i64).filter(move |s| *s != after(row) as i64);
    ContrastBatch {
        relation: Relation::Predictive,
        obs: ObsBatch::F32(one_hot.collect()),
        anchors: states.iter().map(|s| *s as i64).collect(),
        actions: ActionBatch::Discrete(actions.clone()),
        rewards: vec![0.0; rows],
        continues: vec![1.0; rows],
        positives: (0..rows).map(|row| after(row) as i64).collect(),
        positive_weights: vec![1.0; rows],
        negatives: (0..rows).flat_map(others).collect(),
        negative_weights: vec![1.0; rows * 7],
        from_memory: vec![0.0; rows],
        subspaces: vec![0; rows],
    }
}

/// With 7 negatives chance is 1/8, and the bound can come up to ln 8.
#[test]
fn predictive_contrasts_learn_a_ring_and_shuffled_ones_learn_nothing() {
    for shuffled in [false, true] {
        let representation = representation(GateRule::Off);
        let (network, config) =
            (hidden(&[32]), DqnConfig { learning_rate: 3e-3, ..DqnConfig::default() });
        let parts = (&network, Some(&representation));
        let mut agent = Dqn::distilled((&vector(8), 3), parts, &config, Device::Cpu, &mut rng(1));
        let mut distiller: Distiller<'_> = agent.distiller().unwrap();
        for seed in 0..400 {
            let batch = ring(seed, shuffled);
            let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
            distiller.update(task, false, &mut rng(seed)).unwrap();
        }
        let truth = ring(9999, false);
        let accuracy = distiller.accuracy(&truth).unwrap();
        let task = ContrastTask { batch: &truth, weight: 1.0, apart: false };
        let metrics = distiller.stage(task, true, &mut rng(1)).unwrap();
        let bound = metrics.iter().find(|(name, _)| *name == "aux/bound").unwrap().1;
        assert!(bound <= 8f64.ln(), "{bound}");
        if shuffled {
            assert!(accuracy < 0.5 && bound < 0.5, "{accuracy} {bound}");
        } else {
            assert!(accuracy > 0.95 && bound > 0.9 * 8f64.ln(), "{accuracy} {bound}");
        }
    }
}

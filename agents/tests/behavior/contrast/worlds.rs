//! Contrasts alone teach what there is to learn, and nothing where there is nothing.

use super::*;
use contrail_agents::contrast::Distiller;

const STATES: i64 = 8;

/// One-hot observations of all states.
fn states() -> ObsBatch {
    let one_hot = |s: i64| (0..STATES).map(move |i| f32::from(u8::from(i == s)));
    ObsBatch::F32((0..STATES).flat_map(one_hot).collect())
}

/// A chain that ends at both sides: action 0 goes left and action 1 right, or nowhere at an end.
/// The reward is 1 for going right from state 6, which ends the episode.
fn next(state: i64, action: i64) -> i64 {
    (state + 2 * action - 1).clamp(0, STATES - 1)
}

/// Every state with each action: what follows against all that does not.
fn chain() -> ContrastBatch {
    let pairs: Vec<(i64, i64)> = (0..STATES).flat_map(|s| [(s, 0), (s, 1)]).collect();
    let follows: Vec<i64> = pairs.iter().map(|(state, action)| next(*state, *action)).collect();
    let others = |row: i64| {
        let own = follows[row as usize];
        (0..STATES).filter(move |state| *state != own)
    };
    let right = |(state, action): &(i64, i64)| f32::from(u8::from((*state, *action) == (6, 1)));
    let anchors = pairs.iter().map(|pair| pair.0).collect();
    ContrastBatch {
        obs: states(),
        actions: ActionBatch::Discrete(pairs.iter().map(|pair| pair.1).collect()),
        rewards: pairs.iter().map(right).collect(),
        continues: pairs.iter().map(|pair| 1.0 - right(pair)).collect(),
        ..plain(Relation::Predictive, anchors, follows.clone(), others)
    }
}

/// Pairs of states that behave alike, 0 with 1 and so on: the partner against the other six.
fn partners() -> ContrastBatch {
    let others = |row: i64| (0..STATES).filter(move |state| *state / 2 != row / 2);
    let positives = (0..STATES).map(|state| state ^ 1).collect();
    ContrastBatch {
        obs: states(),
        ..plain(Relation::Behavioral, (0..STATES).collect(), positives, others)
    }
}

fn agent(algorithm: Algorithm) -> Box<dyn Agent> {
    let mut representation = Representation { tokens: None, ..representation() };
    representation.contrast.teacher_ema_rate = 0.1;
    let (network, mut rng) = (hidden(&[32]), rng(1));
    let parts = (&network, Some(&representation));
    let spec = vector(STATES);
    if algorithm == Algorithm::Dqn {
        let config = DqnConfig { learning_rate: 3e-3, ..DqnConfig::default() };
        Box::new(Dqn::distilled((&spec, 2), parts, &config, Device::Cpu, &mut rng))
    } else {
        let config = ImitationConfig { learning_rate: 3e-3, ..ImitationConfig::default() };
        Box::new(Imitation::new((&spec, 2), parts, &config, Device::Cpu, &mut rng))
    }
}

/// The positive of each row changes places with one of its K negatives, or stays, all K + 1 alike.
fn shuffle(batch: &mut ContrastBatch, rng: &mut impl RngExt) {
    let negatives = batch.negatives.len() / batch.len();
    let rows = batch.positives.iter_mut().zip(batch.negatives.chunks_mut(negatives));
    for (positive, negatives) in rows {
        let choice = rng.random_range(0..=negatives.len());
        if let Some(negative) = negatives.get_mut(choice) {
            std::mem::swap(positive, negative);
        }
    }
}

/// Updates on contrasts alone.
fn train(distiller: &mut Distiller<'_>, world: fn() -> ContrastBatch, shuffled: bool) {
    let mut order = rng(4);
    for _ in 0..300 {
        let mut batch = world();
        if shuffled {
            shuffle(&mut batch, &mut order);
        }
        let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
        distiller.update(task, false, &mut rng(1)).unwrap();
    }
}

#[test]
fn predictions_of_a_chain_are_learned_and_their_bound_comes_up_to_its_limit() {
    let limit = (STATES as f64).ln(); // K = 7 negatives
    for algorithm in [Algorithm::Dqn, Algorithm::Imitation] {
        let mut agent = agent(algorithm);
        let mut bounds = vec![measured(&mut *agent, &chain(), "aux/bound")];
        for _ in 0..3 {
            train(&mut agent.distiller().unwrap(), chain, false);
            bounds.push(measured(&mut *agent, &chain(), "aux/bound"));
        }
        let accuracy = agent.distiller().unwrap().accuracy(&chain()).unwrap();
        assert!(accuracy > 0.95, "{algorithm:?}: {accuracy}");
        assert!(bounds.iter().all(|bound| *bound <= limit), "{algorithm:?}: {bounds:?}");
        assert!(bounds[0] < 0.5 && bounds[3] > 0.98 * limit, "{algorithm:?}: {bounds:?}");
        // Reward and end of the episode too: squared error plus cross-entropy.
        let outcome = measured(&mut *agent, &chain(), "aux/outcome_loss");
        assert!(outcome < 0.02, "{algorithm:?}: {outcome}");
    }
}

#[test]
fn of_shuffled_positives_nothing_is_learned() {
    for algorithm in [Algorithm::Dqn, Algorithm::Imitation] {
        let mut agent = agent(algorithm);
        train(&mut agent.distiller().unwrap(), chain, true);
        // Chance is 1 of 8.
        let accuracy = agent.distiller().unwrap().accuracy(&chain()).unwrap();
        let bound = measured(&mut *agent, &chain(), "aux/bound");
        assert!(accuracy < 0.4 && bound < 0.2, "{algorithm:?}: {accuracy} {bound}");
    }
}

#[test]
fn states_that_behave_alike_are_brought_together_by_student_and_teacher() {
    for algorithm in [Algorithm::Dqn, Algorithm::Imitation] {
        for shuffled in [false, true] {
            let mut agent = agent(algorithm);
            train(&mut agent.distiller().unwrap(), partners, shuffled);
            let distiller = agent.distiller().unwrap();
            let accuracies = [
                distiller.accuracy(&partners()).unwrap(),
                distiller.teacher_accuracy(&partners()).unwrap(),
            ];
            if shuffled {
                // Chance is 1 of 7.
                assert!(accuracies.iter().all(|a| *a < 0.4), "{algorithm:?}: {accuracies:?}");
            } else {
                assert!(accuracies.iter().all(|a| *a > 0.95), "{algorithm:?}: {accuracies:?}");
                let bound = measured(&mut *agent, &partners(), "aux/bound");
                assert!(bound <= 7f64.ln() && bound > 0.95 * 7f64.ln(), "{algorithm:?}: {bound}");
            }
        }
    }
}

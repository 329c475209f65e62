//! Dormant units of an embedding, and an embedding that collapses.

use super::*;
use contrail_agents::contrast::Distiller;
use contrail_agents::nn::{Noise, obs_tensor};
use contrail_agents::tokens::{CollapseAlarm, CollapseLimits};
use tch::Kind;

const UNITS: usize = 8; // of the embedding
const DEAD: [usize; 2] = [1, 6];

/// Tokens as wide as the embedding: what reads the code must not be taken for a reader of the
/// embedding.
fn with_tokens() -> Representation {
    let tokens = TokenConfig { groups: 8, embedding_units: 4, ..TokenConfig::default() };
    Representation { tokens: Some(tokens), ..representation() }
}

/// An agent whose last shared layer has the units `DEAD` dead, and all others alive.
fn planted(algorithm: Algorithm, representation: &Representation) -> Box<dyn Agent> {
    let mut agent = algorithm.agent(Some(representation), 1);
    let last = if algorithm == Algorithm::Sac { 0 } else { 1 };
    let layer = format!("{}/shared/{last}", algorithm.prefix());
    let units = if algorithm == Algorithm::Sac { 16 } else { UNITS };
    let mut state = agent.save();
    let mut weight = array(&state, &format!("{layer}/weight"));
    let inputs = weight.len() / units;
    let mut bias = vec![2.0; units];
    for unit in DEAD {
        weight[unit * inputs..(unit + 1) * inputs].fill(0.0);
        bias[unit] = -1.0;
    }
    set(&mut state, &format!("{layer}/weight"), &weight);
    set(&mut state, &format!("{layer}/bias"), &bias);
    agent.restore(&state).unwrap();
    agent
}

fn observations() -> ObsBatch {
    Algorithm::Dqn.contrasts(Relation::Temporal, 5).obs
}

/// What decides: logits, expected returns or means, of the student.
fn outputs(distiller: &Distiller<'_>) -> Vec<f32> {
    let (network, params) = (distiller.network, distiller.online.params());
    let x = obs_tensor(&observations(), network.obs(), Device::Cpu);
    let reading = network.trunk().read(params, &x, &mut Noise::Off);
    let out = network.action_reading(params, &reading).detach().to_kind(Kind::Float);
    Vec::try_from(out.contiguous().view([-1])).unwrap()
}

#[test]
fn dormant_units_wake_up_and_the_decision_is_as_it_was() {
    for algorithm in Algorithm::ALL {
        let mut agent = planted(algorithm, &Representation { tokens: None, ..representation() });
        let before = agent.save();
        let mut distiller = agent.distiller().unwrap();
        let decisions = outputs(&distiller);
        let units = if algorithm == Algorithm::Sac { 16.0 } else { 8.0 };
        assert_near(distiller.stats(&observations()).dormant_units, 2.0 / units, 1e-6);
        assert_eq!(distiller.renew_dormant(&observations(), &mut rng(3)), 2, "{algorithm:?}");
        assert!(largest_difference(&decisions, &outputs(&distiller)) < 1e-6, "{algorithm:?}");
        let after = agent.save();
        let prefix = format!("{}/", algorithm.prefix());
        let layer = if algorithm == Algorithm::Sac { "shared/0/" } else { "shared/1/" };
        let own = |name: &str| name.starts_with(&prefix) && !name.contains("/adam/");
        for (old, new) in before.arrays.iter().zip(&after.arrays).filter(|(a, _)| own(&a.name)) {
            let name = new.name.trim_start_matches(&prefix);
            let reads =
                ["advantage/0/weight", "head/0/weight", "dynamics/0/weight", "outcome/0/weight"];
            let row = new.values.len() / new.shape[0]; // elements of a row
            for (i, (old, new)) in old.values.iter().zip(&new.values).enumerate() {
                if name.starts_with(layer) && DEAD.contains(&(i / row)) {
                    assert!(*new != 0.0 && *new != -1.0, "{name} {i} is fresh, not {new}");
                } else if reads.contains(&name) && DEAD.contains(&(i % row)) {
                    assert_eq!(*new, 0.0, "{name} {i}");
                } else {
                    assert_eq!(old, new, "{name} {i}");
                }
            }
        }
    }
}

#[test]
fn moments_of_renewed_elements_are_forgotten_and_no_others() {
    let algorithm = Algorithm::Imitation;
    let mut agent = planted(algorithm, &representation());
    let mut state = agent.save();
    let len = layout(&mut *agent).len();
    set(&mut state, "online/adam/m", &vec![1.0; len]);
    set(&mut state, "online/adam/v", &vec![1.0; len]);
    agent.restore(&state).unwrap();
    assert_eq!(agent.distiller().unwrap().renew_dormant(&observations(), &mut rng(3)), 2);
    // Of each unit 16 weights and a bias come in; to 3 logits, 3 groups of tokens, and 16 hidden
    // units each of dynamics and outcome they go out.
    let state = agent.save();
    for moment in ["online/adam/m", "online/adam/v"] {
        let forgotten = array(&state, moment).iter().filter(|m| **m == 0.0).count();
        assert_eq!(forgotten, 2 * (16 + 1 + 3 + 3 + 16 + 16), "{moment}");
    }
}

#[test]
fn readers_of_a_code_as_wide_as_the_embedding_are_left_alone() {
    for algorithm in [Algorithm::Dqn, Algorithm::Imitation] {
        let mut agent = planted(algorithm, &with_tokens());
        let before = array(&agent.save(), "online/tokens_embedding/0/weight");
        agent.distiller().unwrap().renew_dormant(&observations(), &mut rng(3));
        let state = agent.save();
        assert_eq!(array(&state, "online/tokens_embedding/0/weight"), before, "{algorithm:?}");
        let projection = array(&state, "online/tokens/0/weight");
        let read = projection.chunks(UNITS).map(|row| DEAD.map(|unit| row[unit]));
        assert!(read.flatten().all(|weight| weight == 0.0), "{algorithm:?}");
    }
}

#[test]
fn without_dormant_units_nothing_is_renewed() {
    let mut agent = Algorithm::Imitation.agent(Some(&representation()), 1);
    let mut state = agent.save();
    set(&mut state, "online/shared/1/bias", &[2.0; UNITS]);
    agent.restore(&state).unwrap();
    let before = agent.save();
    assert_eq!(agent.distiller().unwrap().renew_dormant(&observations(), &mut rng(3)), 0);
    assert_eq!(agent.save(), before);
}

#[test]
fn a_collapsed_embedding_is_seen_and_raises_the_alarm() {
    for algorithm in Algorithm::ALL {
        let mut agent = algorithm.agent(Some(&representation()), 1);
        let limits = CollapseLimits { effective_rank: 1.5, ..CollapseLimits::default() };
        let mut alarm = CollapseAlarm::new(limits);
        let mut observe = |agent: &mut dyn Agent| {
            let stats = agent.distiller().unwrap().stats(&observations());
            let perplexity = stats.tokens.as_ref().map(|tokens| tokens.group_perplexity);
            (alarm.observe(perplexity, Some(stats.effective_rank)), stats)
        };
        for _ in 0..5 {
            let (raised, stats) = observe(&mut *agent);
            assert!(raised.is_none(), "{algorithm:?}: {raised:?}, {stats:?}");
        }
        // No weight below the embedding: all observations become the bias.
        let layer = if algorithm == Algorithm::Sac { 0 } else { 1 };
        let layer = format!("{}/shared/{layer}", algorithm.prefix());
        let mut state = agent.save();
        let weights = array(&state, &format!("{layer}/weight")).len();
        let units = array(&state, &format!("{layer}/bias")).len();
        set(&mut state, &format!("{layer}/weight"), &vec![0.0; weights]);
        let bias: Vec<f32> = (0..units).map(|unit| 1.0 + unit as f32).collect();
        set(&mut state, &format!("{layer}/bias"), &bias);
        agent.restore(&state).unwrap();
        let raised: Vec<_> = (0..3).map(|_| observe(&mut *agent)).collect();
        let stats = &raised[0].1;
        assert_near(stats.effective_rank, 1.0, 1e-3);
        let tokens = stats.tokens.as_ref().unwrap();
        assert_eq!((tokens.codes, tokens.dormant), (1, 1.0));
        assert_near(tokens.group_perplexity, 1.0, 1e-12);
        assert!(raised[0].0.is_none() && raised[1].0.is_none());
        let sentence = raised[2].0.as_ref().unwrap();
        assert!(sentence.contains("token group is 1.000"), "{sentence}");
        assert!(sentence.contains("effective rank of the embeddings is 1.0"), "{sentence}");
    }
}

#[test]
fn curves_of_a_representation_have_tokens_only_where_there_are_some() {
    let names = |representation: &Representation| {
        let mut agent = Algorithm::Dqn.agent(Some(representation), 1);
        let stats = agent.distiller().unwrap().stats(&observations());
        stats.curves().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let without = names(&Representation { tokens: None, ..representation() });
    assert_eq!(without, ["tokens/effective_rank", "tokens/dormant_units"]);
    assert_eq!(names(&representation()).len(), 7);
}

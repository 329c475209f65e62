//! Save and restore, and equal seeds.

use super::*;
use contrail_agents::AgentError;

/// Ten updates, save, restore into an agent with other weights, ten more of both: same bits.
fn check_resume(first: &mut dyn Agent, second: &mut dyn Agent, batch: fn(u64) -> Minibatch) {
    run(first, batch, 0..10);
    assert_ne!(first.save(), second.save(), "the second agent starts elsewhere");
    second.restore(&first.save()).unwrap();
    assert_eq!(first.save(), second.save());
    assert_eq!(second.updates(), 10);
    let before = first.save();
    run(first, batch, 10..20);
    run(second, batch, 10..20);
    assert_ne!(before.arrays, first.save().arrays, "updates change something");
    assert_eq!(first.save(), second.save());
    assert_eq!(first.policy_params(), second.policy_params());
}

#[test]
fn dqn_resumes_to_the_bit_with_every_switch() {
    for (network, config) in all_dqn_settings() {
        check_resume(&mut dqn(&network, &config, 1), &mut dqn(&network, &config, 2), dqn_batch);
    }
}

#[test]
fn sac_resumes_to_the_bit() {
    for learn_entropy_coefficient in [true, false] {
        let (network, config) =
            (hidden(&[8, 6]), SacConfig { learn_entropy_coefficient, ..SacConfig::default() });
        check_resume(&mut sac(&network, &config, 1), &mut sac(&network, &config, 2), sac_batch);
    }
}

#[test]
fn equal_seeds_and_minibatches_give_equal_bits() {
    for (network, config) in all_dqn_settings() {
        let agents = [1, 1, 2].map(|seed| {
            let mut agent = dqn(&network, &config, seed);
            run(&mut agent, dqn_batch, 0..20);
            agent.save()
        });
        assert_eq!(agents[0], agents[1]);
        assert_ne!(agents[0], agents[2], "another seed gives other weights");
    }
    let agents = [1, 1, 2].map(|seed| {
        let mut agent = sac(&hidden(&[8]), &SacConfig::default(), seed);
        run(&mut agent, sac_batch, 0..20);
        agent.save()
    });
    assert_eq!(agents[0], agents[1]);
    assert_ne!(agents[0], agents[2], "another seed gives other weights");
}

#[test]
fn the_entropy_coefficient_moves_only_if_it_is_learned() {
    for learn_entropy_coefficient in [true, false] {
        let config = SacConfig {
            learn_entropy_coefficient,
            entropy_coefficient: 0.5,
            ..SacConfig::default()
        };
        let mut agent = sac(&hidden(&[8]), &config, 1);
        let log = |agent: &Sac| agent.save().array("entropy_coefficient/log", &[1]).unwrap()[0];
        assert!((log(&agent) - 0.5f32.ln()).abs() < 1e-7);
        run(&mut agent, sac_batch, 0..3);
        assert_eq!(log(&agent) != 0.5f32.ln(), learn_entropy_coefficient);
    }
}

/// The text of a `BadState`; any other outcome fails.
fn refusal(result: Result<(), AgentError>) -> String {
    match result {
        Err(AgentError::BadState(text)) => text,
        other => panic!("expected BadState, got {other:?}"),
    }
}

#[test]
fn a_state_of_another_shape_is_refused_by_the_name_of_the_array() {
    let config = DqnConfig::default();
    let state = dqn(&hidden(&[8]), &config, 1).save();
    let text = refusal(dqn(&hidden(&[9]), &config, 1).restore(&state));
    assert_eq!(text, "\"online/shared/0/weight\" has shape [8, 4], expected [9, 4]");
    let text = refusal(dqn(&hidden(&[8, 8]), &config, 1).restore(&state));
    assert_eq!(text, "there is no array \"online/shared/1/weight\"");
    let other = Dqn::new((&vector(4), 2), &hidden(&[8]), &config, Device::Cpu, &mut rng(1));
    let text = refusal(dqn(&hidden(&[8]), &config, 1).restore(&other.save()));
    assert_eq!(text, "\"online/advantage/0/weight\" has shape [2, 8], expected [3, 8]");
    let text = refusal(sac(&hidden(&[8]), &SacConfig::default(), 1).restore(&state));
    assert_eq!(text, "there is no array \"policy/head/0/weight\"");
}

/// Every array and counter of a state is needed: taking away any one is refused by its name.
fn check_incomplete(fresh: &dyn Fn() -> Box<dyn Agent>) {
    let state = fresh().save();
    for i in 0..state.arrays.len() {
        let mut part = state.clone();
        let name = part.arrays.remove(i).name;
        assert_eq!(refusal(fresh().restore(&part)), format!("there is no array {name:?}"));
        let mut part = state.clone();
        part.arrays[i].shape.push(1);
        assert!(refusal(fresh().restore(&part)).starts_with(&format!("{name:?} has shape")));
        // A damaged file: fewer values than the shape says.
        let mut part = state.clone();
        part.arrays[i].values.pop();
        assert!(refusal(fresh().restore(&part)).contains(&format!("{name:?}")));
    }
    for i in 0..state.counters.len() {
        let mut part = state.clone();
        let name = part.counters.remove(i).0;
        assert_eq!(refusal(fresh().restore(&part)), format!("there is no counter {name:?}"));
    }
}

#[test]
fn an_incomplete_state_is_refused() {
    check_incomplete(&|| Box::new(dqn(&hidden(&[4]), &DqnConfig::default(), 1)));
    check_incomplete(&|| Box::new(sac(&hidden(&[4]), &SacConfig::default(), 1)));
}

#[test]
fn counts_are_those_of_the_layers() {
    // (4 + 1) 8 + (8 + 1) 3 = 67.
    let small = dqn(&hidden(&[8]), &DqnConfig::default(), 1);
    assert_eq!((small.num_params(), small.policy_params().len(), small.updates()), (67, 67, 0));
    // Policy (4 + 1) 8 + (8 + 1) 4 = 76; each critic (6 + 1) 8 + 9 = 65.
    let small = sac(&hidden(&[8]), &SacConfig::default(), 1);
    assert_eq!((small.num_params(), small.policy_params().len(), small.updates()), (206, 76, 0));
}

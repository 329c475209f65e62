//! Contrasts join the next update, and an agent that is stopped anywhere goes on as it would have.

use super::*;

/// A contrast of another relation each time, and an update.
fn distil((algorithm, agent): (Algorithm, &mut dyn Agent), seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let relation = Relation::ALL[seed as usize % 4];
        stage((algorithm, agent), (relation, seed % 3 != 0), seed);
        update((algorithm, agent), seed);
    }
}

#[test]
fn a_restored_agent_continues_to_the_bit_with_its_pool_and_the_gain_to_tell() {
    for algorithm in Algorithm::ALL {
        for gate in [GateRule::Off, GateRule::Project, GateRule::Detach] {
            let representation = with_gate(gate);
            let [mut first, mut second] =
                [1, 2].map(|seed| algorithm.agent(Some(&representation), seed));
            distil((algorithm, &mut *first), 0..5);
            first.distiller().unwrap().freeze_teacher();
            first.distiller().unwrap().distillation.set_phase(0.3, vec![0, 7]);
            distil((algorithm, &mut *first), 5..9);
            let state = first.save();
            assert_eq!(array(&state, "current_subspaces"), [0.0, 7.0]);
            assert!(array(&state, "last_direction/joint").iter().any(|v| *v != 0.0));
            assert_ne!(array(&state, "teacher_pool/0"), array(&state, "teacher"));
            assert_ne!(state, second.save(), "the second agent starts elsewhere");
            second.restore(&state).unwrap();
            assert_eq!(state, second.save());
            let gains = [&mut first, &mut second].map(|agent| update((algorithm, &mut **agent), 9));
            assert!(
                gains[0].is_some() && gains[0] == gains[1],
                "{algorithm:?} {gate:?}: {gains:?}"
            );
            distil((algorithm, &mut *first), 10..15);
            distil((algorithm, &mut *second), 10..15);
            assert_eq!(first.save(), second.save(), "{algorithm:?} {gate:?}");
        }
    }
}

#[test]
fn a_state_with_a_part_of_another_network_or_without_it_is_refused() {
    let mut agent = Algorithm::Dqn.agent(Some(&with_gate(GateRule::Drop)), 1);
    distil((Algorithm::Dqn, &mut *agent), 0..3);
    for name in ["current_subspaces", "last_direction/joint", "teacher"] {
        let mut state = agent.save();
        state.arrays.retain(|array| array.name != name);
        let error = agent.restore(&state).unwrap_err().to_string();
        assert!(error.contains(&format!("there is no array \"{name}\"")), "{error}");
    }
    let mut state = agent.save();
    state.arrays.iter_mut().find(|a| a.name == "last_direction/decision").unwrap().shape = vec![1];
    let error = agent.restore(&state).unwrap_err().to_string();
    assert!(error.contains("last_direction/decision"), "{error}");
}

#[test]
fn equal_seeds_give_equal_bits_and_others_do_not() {
    for algorithm in Algorithm::ALL {
        let states = [1, 1, 2].map(|seed| {
            let mut agent = algorithm.agent(Some(&with_gate(GateRule::Drop)), seed);
            distil((algorithm, &mut *agent), 0..10);
            agent.save()
        });
        assert_eq!(states[0], states[1], "{algorithm:?}");
        assert_ne!(states[0], states[2], "{algorithm:?}");
    }
}

#[test]
fn what_was_staged_before_a_restore_is_forgotten() {
    for apart in [false, true] {
        let [mut alone, mut joined] =
            [1, 1].map(|seed| Algorithm::Dqn.agent(Some(&representation()), seed));
        let start = joined.save();
        stage((Algorithm::Dqn, &mut *joined), (Relation::Temporal, apart), 5);
        joined.restore(&start).unwrap();
        update((Algorithm::Dqn, &mut *alone), 7);
        update((Algorithm::Dqn, &mut *joined), 7);
        assert_eq!(alone.save(), joined.save());
    }
}

/// A distilled agent without tokens and the plain agent, which has the same layers but no heads of
/// contrasts behind them, with equal values.
fn pair(algorithm: Algorithm) -> [Box<dyn Agent>; 2] {
    let representation = Representation { tokens: None, ..representation() };
    let plain = algorithm.agent(None, 1);
    let mut distilled = algorithm.agent(Some(&representation), 2);
    let (source, mut state) = (plain.save(), distilled.save());
    let is_own = |name: &str| name.starts_with(algorithm.prefix()) && !name.contains("/adam/");
    let own: Vec<_> = source.arrays.iter().filter(|a| is_own(&a.name)).collect();
    for (to, from) in state.arrays.iter_mut().filter(|a| is_own(&a.name)).zip(&own) {
        assert_eq!(to.shape, from.shape, "{} and {}", to.name, from.name);
        to.values.clone_from(&from.values);
    }
    for to in state.arrays.iter_mut().filter(|a| !is_own(&a.name) && !a.name.contains("/adam/")) {
        let from = source.arrays.iter().find(|a| a.name == to.name);
        match from {
            // The target network of DQN has the heads of contrasts too.
            Some(from) => to.values[..from.values.len()].copy_from_slice(&from.values),
            None => {
                assert!(["teacher", "current_subspaces", "distillation_gate"].contains(&&*to.name))
            }
        }
    }
    distilled.restore(&state).unwrap();
    [plain, distilled]
}

#[test]
fn without_contrasts_an_update_is_the_plain_one_and_with_them_it_is_not() {
    for algorithm in Algorithm::ALL {
        let [mut plain, mut distilled] = pair(algorithm);
        let len = plain.policy_params().len();
        for seed in 0..5 {
            update((algorithm, &mut *plain), seed);
            assert_eq!(update((algorithm, &mut *distilled), seed), None);
            assert_eq!(plain.policy_params(), distilled.policy_params()[..len], "{algorithm:?}");
        }
        stage((algorithm, &mut *distilled), (Relation::Temporal, false), 5);
        update((algorithm, &mut *plain), 6);
        update((algorithm, &mut *distilled), 6);
        assert_ne!(plain.policy_params(), distilled.policy_params()[..len], "{algorithm:?}");
    }
}

#[test]
fn one_backward_pass_and_two_give_the_same_step() {
    for algorithm in Algorithm::ALL {
        for relation in Relation::ALL {
            let steps = [false, true].map(|apart| {
                let mut agent = algorithm.agent(Some(&representation()), 1);
                let start = agent.policy_params();
                stage((algorithm, &mut *agent), (relation, apart), 5);
                update((algorithm, &mut *agent), 7);
                assert!(largest_difference(&start, &agent.policy_params()) > 1e-4);
                (algorithm.moments(&*agent), agent.policy_params())
            });
            let [(m_one, one), (m_two, two)] = steps;
            // A tenth of the gradient: rounding alone.
            let far = largest_difference(&m_one, &m_two);
            assert!(far < 1e-6, "{algorithm:?} {relation:?}: gradients differ by {far}");
            // SAC's epsilon is 1e-8, so its first step is the sign of a gradient, however small.
            if algorithm != Algorithm::Sac {
                let far = largest_difference(&one, &two);
                assert!(far < 1e-6, "{algorithm:?} {relation:?}: parameters differ by {far}");
            }
        }
    }
}

#[test]
fn asking_for_curves_changes_no_bit() {
    for algorithm in Algorithm::ALL {
        for (gate, apart) in
            [(GateRule::Off, false), (GateRule::Off, true), (GateRule::Drop, false)]
        {
            let states = [false, true].map(|detail| {
                let mut agent = algorithm.agent(Some(&with_gate(gate)), 1);
                let batch = algorithm.contrasts(Relation::Predictive, 5);
                let task = ContrastTask { batch: &batch, weight: 0.5, apart };
                let curves = agent.distiller().unwrap().stage(task, detail, &mut rng(5)).unwrap();
                assert_eq!(curves.is_empty(), !detail);
                update((algorithm, &mut *agent), 7);
                agent.save()
            });
            assert_eq!(states[0], states[1], "{algorithm:?} {gate:?} {apart}");
        }
    }
}

#[test]
fn the_pool_holds_the_last_teachers_and_the_oldest_leaves() {
    let algorithm = Algorithm::Imitation;
    let mut agent = algorithm.agent(Some(&representation()), 1);
    let mut teachers = Vec::new();
    for seed in 0..3 {
        update((algorithm, &mut *agent), seed);
        let mut distiller = agent.distiller().unwrap();
        teachers.push(distiller.distillation.teacher_values());
        distiller.distillation.set_phase(1.0, vec![seed as u32]);
        distiller.freeze_teacher();
    }
    let state = agent.save();
    assert_eq!(state.counter("teacher_pool").unwrap(), 2);
    assert_eq!(array(&state, "teacher_pool/0"), teachers[1]);
    assert_eq!(array(&state, "teacher_pool/1"), teachers[2]);
    // One that taught in the same subspace leaves before the oldest does.
    let mut distiller = agent.distiller().unwrap();
    distiller.distillation.set_phase(1.0, vec![2]);
    distiller.freeze_teacher();
    assert_eq!(array(&agent.save(), "teacher_pool/0"), teachers[1]);
}

#[test]
fn the_teacher_follows_at_its_rate_unless_it_is_fixed() {
    for algorithm in Algorithm::ALL {
        let mut agent = algorithm.agent(Some(&representation()), 1);
        let teacher =
            |agent: &mut dyn Agent| agent.distiller().unwrap().distillation.teacher_values();
        let before = teacher(&mut *agent);
        update((algorithm, &mut *agent), 7);
        // 0.99 of the old, 0.01 of the new student.
        let online = agent.policy_params();
        let mixed: Vec<f32> = before.iter().zip(&online).map(|(t, o)| t + 0.01 * (o - t)).collect();
        let followed = teacher(&mut *agent);
        assert!(largest_difference(&mixed, &followed) < 1e-7 && followed != before);
        agent.distiller().unwrap().distillation.fix_teacher(true);
        update((algorithm, &mut *agent), 8);
        assert_eq!(teacher(&mut *agent), followed, "{algorithm:?}");
    }
}

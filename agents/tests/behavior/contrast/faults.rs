//! NaN and infinity in what is contrasted end an update and leave the agent as it was.

use super::*;
use contrail_agents::AgentError;

type Damage = (&'static str, fn(&mut ContrastBatch));

const DAMAGES: [Damage; 3] = [
    ("obs", |b| {
        if let ObsBatch::F32(obs) = &mut b.obs {
            obs[5] = f32::NAN;
        }
    }),
    ("rewards", |b| b.rewards[3] = f32::INFINITY),
    ("positive_weights", |b| b.positive_weights[3] = f32::NAN),
];

const GATES: [GateRule; 6] = [
    GateRule::Off,
    GateRule::Drop,
    GateRule::Project,
    GateRule::Scale,
    GateRule::Clip,
    GateRule::Detach,
];

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, AgentError>, what: &str) {
    match result {
        Err(AgentError::NotFinite { value, .. }) => assert!(!value.is_finite(), "{what}"),
        other => panic!("{what} gave {other:?}"),
    }
}

/// A state without SAC's critics, which have made their step when the policy's is refused.
fn without_critics(mut state: AgentState) -> AgentState {
    state.arrays.retain(|array| !array.name.starts_with("critics/"));
    state.counters.retain(|(name, _)| !name.starts_with("critics/"));
    state
}

/// In one backward pass and in two, under every gate, each of which might hide it; after two good updates, so that there is a gain
/// to tell. Without critics the next good update is then the one that would have come.
#[test]
fn a_joint_update_refuses_what_is_not_finite() {
    for algorithm in Algorithm::ALL {
        for gate in GATES {
            for ((name, damage), apart) in DAMAGES.into_iter().flat_map(|d| [(d, false), (d, true)])
            {
                let what = format!("{algorithm:?} {gate:?} {name} apart: {apart}");
                let [mut agent, mut twin] =
                    [1, 1].map(|seed| algorithm.agent(Some(&with_gate(gate)), seed));
                for agent in [&mut agent, &mut twin] {
                    for seed in 0..2 {
                        stage((algorithm, &mut **agent), (Relation::Predictive, true), seed);
                        update((algorithm, &mut **agent), seed);
                    }
                }
                let before = without_critics(agent.save());
                let mut batch = algorithm.contrasts(Relation::Predictive, 2);
                damage(&mut batch);
                let task = ContrastTask { batch: &batch, weight: 0.5, apart };
                agent.distiller().unwrap().stage(task, false, &mut rng(2)).unwrap();
                assert_refused(agent.update(&algorithm.batch(2), QUIET, &mut rng(2)), &what);
                assert!(without_critics(agent.save()) == before, "{what} changed the agent");
                if algorithm == Algorithm::Sac {
                    continue;
                }
                for agent in [&mut agent, &mut twin] {
                    update((algorithm, &mut **agent), 3);
                }
                assert!(agent.save() == twin.save(), "{what}");
            }
        }
    }
}

#[test]
fn so_do_contrasts_alone_and_an_alignment() {
    for algorithm in Algorithm::ALL {
        for (name, damage) in DAMAGES {
            let what = format!("{algorithm:?} {name}");
            let mut agent = algorithm.agent(Some(&representation()), 1);
            let before = agent.save();
            let mut batch = algorithm.contrasts(Relation::Predictive, 2);
            damage(&mut batch);
            let task = ContrastTask { batch: &batch, weight: 0.5, apart: false };
            let mut distiller = agent.distiller().unwrap();
            assert_refused(distiller.update(task, false, &mut rng(2)), &what);
            assert_refused(distiller.align(&batch, &mut rng(2)), &what);
            assert!(agent.save() == before, "{what} changed the agent");
        }
    }
}

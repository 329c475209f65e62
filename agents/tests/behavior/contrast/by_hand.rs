//! Losses of contrasts and of distillation through a whole agent, by hand. Imitation without hidden
//! layers, projection and tokens: the embedding is the observation, two numbers long, and the
//! logits of two actions are linear in it.

use super::*;

fn linear(change: impl FnOnce(&mut ContrastConfig)) -> Imitation {
    let mut representation = Representation { tokens: None, ..representation() };
    representation.contrast.outcome_weight = 0.0;
    change(&mut representation.contrast);
    let network = hidden(&[]);
    let config = ImitationConfig::default();
    let parts = (&network, Some(&representation));
    Imitation::new((&vector(2), 2), parts, &config, Device::Cpu, &mut rng(1))
}

/// Observation 0 is (1, 0), the anchor. Its cosines with the others: 0.6, 0.8, 0, -1.
fn observations() -> ObsBatch {
    ObsBatch::F32(vec![1.0, 0.0, 3.0, 4.0, 8.0, -6.0, 0.0, 0.5, -2.0, 0.0])
}

/// Temperature at which exp(cos/T) is 8 for 0.6 and 16 for 0.8.
fn temperature() -> f64 {
    0.2 / 2f64.ln()
}

#[test]
fn the_contrast_of_one_positive_and_two_negatives() {
    let mut agent = linear(|config| config.temperature = temperature());
    for relation in [Relation::Temporal, Relation::Behavioral, Relation::BehavioralAcross] {
        let negatives = |_| [1, 3].into_iter();
        let batch =
            ContrastBatch { obs: observations(), ..plain(relation, vec![0], vec![2], negatives) };
        // 16 / (16 + 8 + 1) = 0.64.
        let loss = -(0.64f64.ln());
        assert_near(measured(&mut agent, &batch, "aux/loss"), loss, 1e-6);
        assert_near(measured(&mut agent, &batch, "aux/bound"), 3f64.ln() - loss, 1e-6);
        assert_near(measured(&mut agent, &batch, "aux/negatives"), 2.0, 0.0);
        assert_near(measured(&mut agent, &batch, "aux/accuracy"), 1.0, 0.0);
        assert_near(measured(&mut agent, &batch, "aux/alignment"), 0.4, 1e-6);
        let distiller = agent.distiller().unwrap();
        assert_near(distiller.accuracy(&batch).unwrap(), 1.0, 0.0);
        assert_near(distiller.teacher_accuracy(&batch).unwrap(), 1.0, 0.0);
        // The other way round 0.8 is a negative: 8 / (8 + 16 + 1) = 0.32, and the accuracy is 0.
        let wrong = ContrastBatch { positives: vec![1], negatives: vec![2, 3], ..batch.clone() };
        assert_near(measured(&mut agent, &wrong, "aux/loss"), -(0.32f64.ln()), 1e-6);
        assert_near(agent.distiller().unwrap().accuracy(&wrong).unwrap(), 0.0, 0.0);
    }
}

/// Two anchors, both the observation (1, 0), of subspaces 0 and 1: 0.64 and 0.32 as above.
#[test]
fn the_bound_is_told_for_the_present_subspace_and_for_others() {
    let mut agent = linear(|config| config.temperature = temperature());
    let ObsBatch::F32(cosines) = observations() else { panic!("floats") };
    let mut batch = ContrastBatch {
        obs: ObsBatch::F32([cosines.as_slice(), &[1.0, 0.0]].concat()),
        subspaces: vec![0, 1],
        ..plain(Relation::Temporal, vec![0, 5], vec![2, 1], |_| [1, 3].into_iter())
    };
    batch.negatives = vec![1, 3, 2, 3];
    let bounds = [0.64f64, 0.32].map(|share| 3f64.ln() + share.ln());
    assert_near(measured(&mut agent, &batch, "aux/bound"), (bounds[0] + bounds[1]) / 2.0, 1e-6);
    for (present, current, earlier) in [(1, bounds[1], bounds[0]), (0, bounds[0], bounds[1])] {
        agent.distiller().unwrap().distillation.set_phase(0.0, vec![present]);
        assert_near(measured(&mut agent, &batch, "aux/bound_current"), current, 1e-6);
        assert_near(measured(&mut agent, &batch, "aux/bound_earlier"), earlier, 1e-6);
    }
}

#[test]
fn tokens_reach_the_decision_where_they_feed_it() {
    for feed_decision in [true, false] {
        let tokens = TokenConfig { feed_decision, ..representation().tokens.unwrap() };
        let representation = Representation { tokens: Some(tokens), ..representation() };
        let parts = (&hidden(&[]), Some(&representation));
        let config = ImitationConfig::default();
        let mut agent = Imitation::new((&vector(2), 2), parts, &config, Device::Cpu, &mut rng(1));
        let mut readings = [-9.0, 9.0].map(|bias| {
            let mut state = agent.save();
            set(&mut state, "online/tokens/0/bias", &[bias; 3]);
            agent.restore(&state).unwrap();
            let distiller = agent.distiller().unwrap();
            let values = distiller.values();
            distiller.distillation.set_teacher(&values);
            distiller.code(&ObsBatch::F32(vec![1.0, 0.0]), &[0])
        });
        let [low, high] = &mut readings;
        assert_ne!(low.codes, high.codes);
        assert_eq!(low.policies != high.policies, feed_decision);
    }
}

#[test]
fn the_squared_error_is_two_less_two_cosines() {
    let mut agent = linear(|config| config.objective = Objective::SquaredError);
    let negatives = |_| [3, 4].into_iter();
    let mut batch = ContrastBatch {
        obs: observations(),
        ..plain(Relation::Temporal, vec![0], vec![1], negatives)
    };
    // 2 - 2 · 0.6; whatever the negatives are.
    assert_near(measured(&mut agent, &batch, "aux/loss"), 0.8, 1e-6);
    batch.negatives = vec![0, 0];
    assert_near(measured(&mut agent, &batch, "aux/loss"), 0.8, 1e-6);
    // A quarter of 2 - 2 · 0.8 and three quarters of 2 + 2 · 1.
    batch.positives = vec![2, 4];
    batch.positive_weights = vec![0.25, 0.75];
    assert_near(measured(&mut agent, &batch, "aux/loss"), 0.1 + 3.0, 1e-6);
}

#[test]
fn no_objective_is_no_loss() {
    let mut agent = linear(|config| config.objective = Objective::None);
    let negatives = |_| [3, 4].into_iter();
    let batch = ContrastBatch {
        obs: observations(),
        ..plain(Relation::Temporal, vec![0], vec![1], negatives)
    };
    assert_near(measured(&mut agent, &batch, "aux/loss"), 0.0, 0.0);
}

/// Three anchors, all the observation (1, 0): from memory of subspace 0, from memory of subspace
/// 1, from the stream of subspace 1.
fn three_anchors() -> ContrastBatch {
    let negatives = |_| [3].into_iter();
    ContrastBatch {
        obs: ObsBatch::F32(vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
        from_memory: vec![1.0, 1.0, 0.0],
        subspaces: vec![0, 1, 1],
        ..plain(Relation::Temporal, vec![0, 1, 2], vec![1, 2, 0], negatives)
    }
}

/// Logits at (1, 0): the student's are equal, the teacher's differ by 0.5 ln 3, which at a
/// temperature of 0.5 is 3/4 to 1/4.
fn teach(agent: &mut Imitation) {
    let mut state = agent.save();
    set(&mut state, "online/head/0/bias", &[0.0, 0.0]);
    set(&mut state, "online/head/0/weight", &[0.5 * 3f32.ln(), 9.0, 0.0, 9.0]);
    agent.restore(&state).unwrap();
    let taught = agent.distiller().unwrap().values();
    agent.distiller().unwrap().distillation.set_teacher(&taught);
    let mut state = agent.save();
    set(&mut state, "online/head/0/weight", &[1.0, -3.0, 1.0, 5.0]);
    agent.restore(&state).unwrap();
}

#[test]
fn the_teacher_is_distilled_where_it_is_from_and_by_the_gate() {
    // KL((3/4, 1/4) || (1/2, 1/2)) = 3/4 ln(3/2) + 1/4 ln(1/2).
    let divergence = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
    for distill_on in [DistillOn::Earlier, DistillOn::Current] {
        let mut agent = linear(|config| {
            config.objective = Objective::None;
            config.distill_on = distill_on;
        });
        teach(&mut agent);
        let batch = three_anchors();
        assert_near(measured(&mut agent, &batch, "aux/distillation"), divergence, 1e-6);
        // A mean over the anchors that take part, times the gate; the loss has the weight 0.5 too.
        agent.distiller().unwrap().distillation.set_phase(0.4, vec![1]);
        assert_near(measured(&mut agent, &batch, "aux/distillation"), 0.4 * divergence, 1e-6);
        assert_near(measured(&mut agent, &batch, "aux/loss"), 0.2 * divergence, 1e-6);
        agent.distiller().unwrap().distillation.set_phase(0.0, vec![1]);
        assert_near(measured(&mut agent, &batch, "aux/distillation"), 0.0, 0.0);
    }
}

#[test]
fn anchors_of_earlier_subspaces_or_of_the_stream_or_all_are_distilled_on() {
    // Where the anchor is (0, 1) student and teacher agree on one half each.
    let differs = |row: usize| {
        let mut batch = three_anchors();
        let mut obs = [0.0, 1.0].repeat(4);
        obs[2 * row] = 1.0;
        obs[2 * row + 1] = 0.0;
        batch.obs = ObsBatch::F32(obs);
        batch
    };
    for (distill_on, expected) in [
        (DistillOn::Earlier, [true, false, false]),
        (DistillOn::Current, [false, false, true]),
        (DistillOn::All, [true; 3]),
    ] {
        let mut agent = linear(|config| config.distill_on = distill_on);
        teach(&mut agent);
        let mut state = agent.save();
        set(&mut state, "online/head/0/weight", &[1.0, 5.0, 1.0, 5.0]);
        agent.restore(&state).unwrap();
        agent.distiller().unwrap().distillation.set_phase(1.0, vec![1]);
        for (row, expected) in expected.into_iter().enumerate() {
            let found = measured(&mut agent, &differs(row), "aux/distillation");
            assert_eq!(found > 0.01, expected, "{distill_on:?}, anchor {row}: {found}");
        }
    }
}

#[test]
fn a_teacher_that_was_frozen_goes_on_teaching_its_own_subspace() {
    let divergence = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln(); // as above
    let mut agent = linear(|config| config.objective = Objective::None);
    teach(&mut agent);
    let batch = three_anchors();
    // The anchor that is distilled on is of subspace 0.
    for (frozen_in, expected) in [(vec![0], divergence), (vec![5], 0.0)] {
        let mut distiller = agent.distiller().unwrap();
        distiller.distillation.set_phase(1.0, frozen_in);
        distiller.freeze_teacher();
        // The teacher of the next phase is the student, which it has nothing to teach.
        let (student, teacher) = (distiller.values(), distiller.distillation.teacher_values());
        distiller.distillation.set_teacher(&student);
        distiller.distillation.set_phase(1.0, vec![1]);
        let state = agent.save();
        assert_near(measured(&mut agent, &batch, "aux/distillation"), expected, 1e-6);
        agent.restore(&state).unwrap();
        assert_near(measured(&mut agent, &batch, "aux/distillation"), expected, 1e-6);
        let mut fresh = linear(|config| config.objective = Objective::None);
        teach(&mut fresh);
        agent = fresh;
        assert_eq!(agent.distiller().unwrap().distillation.teacher_values(), teacher);
    }
}

/// Two observations that are alike, of the subspace that ended and of the present one.
#[test]
fn how_to_act_is_read_by_the_teacher_of_the_subspace() {
    let mut agent = linear(|_| {});
    teach(&mut agent);
    let mut distiller = agent.distiller().unwrap();
    distiller.distillation.set_phase(1.0, vec![0]);
    distiller.freeze_teacher();
    let student = distiller.values(); // indifferent between the two actions
    distiller.distillation.set_teacher(&student);
    let alike = ObsBatch::F32(vec![1.0, 0.0, 1.0, 0.0]);
    for (current, expected) in [(1, [191, 64, 128, 128]), (0, [128; 4])] {
        distiller.distillation.set_phase(1.0, vec![current]);
        assert_eq!(distiller.code(&alike, &[0, 1]).policies, expected, "in {current}");
    }
}

#[test]
fn the_teachers_readings_are_bytes() {
    let mut agent = linear(|_| {});
    teach(&mut agent);
    let coded = agent.distiller().unwrap().code(&ObsBatch::F32(vec![1.0, 0.0, 0.0, 1.0]), &[0; 2]);
    // 3/4 and 1/4 of 255, 191.25 and 63.75; a half of it is 127.5, which rounds up.
    assert_eq!(coded.policies, [191, 64, 128, 128]);
    assert!(coded.codes.is_empty(), "there are no tokens");
    let mut agent = Algorithm::Sac.agent(Some(&representation()), 1);
    let mut state = agent.save();
    // No action but its bias: tanh of ln 3 / 2 is 1/2, and of 0 is 0.
    set(&mut state, "policy/head/1/weight", &[0.0; 32]);
    set(&mut state, "policy/head/1/bias", &[0.5 * 3f32.ln(), 0.0, 7.0, 7.0]);
    agent.restore(&state).unwrap();
    let distiller = agent.distiller().unwrap();
    let values = distiller.values();
    distiller.distillation.set_teacher(&values);
    let coded = distiller.code(&ObsBatch::F32(vec![0.5; 8]), &[0; 2]);
    // (1/2 + 1) / 2 of 255 is 191.25.
    assert_eq!(coded.policies, [191, 128, 191, 128]);
    assert_eq!(coded.codes.len(), 2 * 3);
    assert_eq!(coded.codes[..3], coded.codes[3..]);
    assert!(coded.codes.iter().all(|level| *level < 5));
}

#[test]
fn contrasts_of_other_actions_and_agents_without_heads_are_refused() {
    let mut agent = Algorithm::Dqn.agent(Some(&representation()), 1);
    let batch = Algorithm::Sac.contrasts(Relation::Predictive, 1);
    let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
    let refused = agent.distiller().unwrap().stage(task, false, &mut rng(1));
    assert!(refused.unwrap_err().to_string().contains("actions of another kind"));
    for algorithm in Algorithm::ALL {
        assert!(algorithm.agent(None, 1).distiller().is_none());
    }
}

/// From 0.01 at the start to 0.002 at the end; SAC and imitation keep theirs.
#[test]
fn contrasts_alone_step_as_far_as_the_decision_at_that_time() {
    let config =
        DqnConfig { learning_rate: 1e-2, learning_rate_final: 2e-3, ..DqnConfig::default() };
    let (network, representation) = (hidden(&[8]), representation());
    let parts = (&network, Some(&representation));
    let mut agent = Dqn::distilled((&vector(4), 3), parts, &config, Device::Cpu, &mut rng(1));
    for (progress, expected) in [(0.0, 1e-2), (0.5, 6e-3), (1.0, 2e-3)] {
        let found = agent.distiller_at(progress).unwrap().step.learning_rate;
        assert!((found - expected).abs() < 1e-12, "{progress}: {found}");
    }
    for algorithm in [Algorithm::Sac, Algorithm::Imitation] {
        let mut agent = algorithm.agent(Some(&representation), 1);
        let mut step = |progress| agent.distiller_at(progress).unwrap().step.learning_rate;
        assert_eq!(step(0.0), step(1.0));
    }
}

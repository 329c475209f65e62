//! Gradients of whole contrastive losses against finite differences, and who reads what.

use super::*;

/// A network without rounding, whose slopes finite differences see.
fn smooth() -> Representation {
    Representation { tokens: None, ..representation() }
}

/// The gradient of contrasts alone, from Adam's first moments after one step.
fn gradient(algorithm: Algorithm, agent: &mut dyn Agent, batch: &ContrastBatch) -> Vec<f32> {
    let task = ContrastTask { batch, weight: 1.0, apart: false };
    agent.distiller().unwrap().update(task, false, &mut rng(1)).unwrap();
    algorithm.moments(agent).iter().map(|m| m / 0.1).collect()
}

/// Central differences of the loss, with the teacher as it is, along the gradient itself: the slope
/// there is its norm. One direction sees every wrong element.
#[test]
fn the_gradient_of_every_relation_is_the_slope_of_its_loss() {
    for algorithm in Algorithm::ALL {
        for relation in Relation::ALL {
            let mut agent = algorithm.agent(Some(&smooth()), 1);
            // A teacher that differs from the student, so that the KL term has a slope.
            let other = algorithm.agent(Some(&smooth()), 2).policy_params();
            agent.distiller().unwrap().distillation.set_teacher(&other);
            let batch = algorithm.contrasts(relation, 5);
            let start = agent.save();
            let values = agent.policy_params();
            let gradient = gradient(algorithm, &mut *agent, &batch);
            agent.restore(&start).unwrap();
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let mut loss_at = |step: f64| {
                let moved = values.iter().zip(&gradient);
                let moved: Vec<f32> = moved
                    .map(|(v, g)| (f64::from(*v) + step * f64::from(*g) / norm) as f32)
                    .collect();
                agent.distiller().unwrap().start_from(&moved);
                let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
                let metrics = agent.distiller().unwrap().stage(task, true, &mut rng(1)).unwrap();
                metrics.iter().find(|metric| metric.0 == "aux/loss").unwrap().1
            };
            const STEP: f64 = 2e-3;
            let slope = (loss_at(STEP) - loss_at(-STEP)) / (2.0 * STEP);
            assert!(norm > 0.1, "{algorithm:?} {relation:?}: {norm}");
            assert_near(slope / norm, 1.0, 0.02);
        }
    }
}

#[test]
fn the_teacher_reads_the_keys_except_those_of_predictions() {
    for relation in Relation::ALL {
        let mut representation = smooth();
        representation.contrast.distillation_weight = 0.0;
        let mut agent = Algorithm::Imitation.agent(Some(&representation), 1);
        let batch = Algorithm::Imitation.contrasts(relation, 5);
        let before = measured(&mut *agent, &batch, "aux/loss");
        let other = Algorithm::Imitation.agent(Some(&representation), 2).policy_params();
        agent.distiller().unwrap().distillation.set_teacher(&other);
        let after = measured(&mut *agent, &batch, "aux/loss");
        assert_eq!(before == after, relation == Relation::Predictive, "{relation:?}");
    }
}

/// Dynamics that expect the same whatever they read: what is below the embedding is then reached
/// through the observation that followed alone, which a squared error must take as it is.
#[test]
fn the_target_of_a_squared_error_carries_no_gradient() {
    for (objective, moves) in [(Objective::SquaredError, false), (Objective::Contrast, true)] {
        let mut representation = smooth();
        representation.contrast.objective = objective;
        representation.contrast.outcome_weight = 0.0;
        representation.contrast.distillation_weight = 0.0;
        let mut agent = Algorithm::Imitation.agent(Some(&representation), 1);
        let mut state = agent.save();
        for (name, value) in [("dynamics/1/weight", 0.0), ("dynamics/1/bias", 1.0)] {
            let name = format!("online/{name}");
            let len = array(&state, &name).len();
            set(&mut state, &name, &vec![value; len]);
        }
        agent.restore(&state).unwrap();
        let batch = Algorithm::Imitation.contrasts(Relation::Predictive, 5);
        let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
        agent.distiller().unwrap().update(task, false, &mut rng(1)).unwrap();
        let (before, after) = (state, agent.save());
        let name = "online/shared/0/weight";
        assert_eq!(array(&before, name) != array(&after, name), moves, "{objective:?}");
    }
}

/// What the student reads is varied, what the teacher reads is not: with a student and a teacher
/// that are equal, the cosine of an image with itself would be 1 otherwise.
#[test]
fn the_students_view_alone_is_varied_and_curves_of_accuracy_see_none() {
    let mut representation = smooth();
    representation.contrast.augmentation = Augmentation::RandomConv;
    representation.contrast.objective = Objective::SquaredError;
    representation.contrast.distillation_weight = 0.0;
    let (network, spec) = (hidden(&[]), ObsSpec { shape: vec![1, 3, 3], bytes: false, scale: 1.0 });
    let config = ImitationConfig::default();
    let parts = (&network, Some(&representation));
    let mut agent = Imitation::new((&spec, 2), parts, &config, Device::Cpu, &mut rng(1));
    let obs = (0..4 * 9).map(|i| (i * i % 7) as f32 + 0.5).collect();
    let negatives = |row| (0..4).filter(move |other| *other != row);
    let batch = ContrastBatch {
        obs: ObsBatch::F32(obs),
        ..plain(Relation::Temporal, (0..4).collect(), (0..4).collect(), negatives)
    };
    // Each image is its own positive: without variation the squared error is 0.
    assert!(measured(&mut agent, &batch, "aux/loss") > 0.1);
    assert_near(agent.distiller().unwrap().accuracy(&batch).unwrap(), 1.0, 0.0);
    representation.contrast.augmentation = Augmentation::None;
    let parts = (&network, Some(&representation));
    let mut agent = Imitation::new((&spec, 2), parts, &config, Device::Cpu, &mut rng(1));
    assert_near(measured(&mut agent, &batch, "aux/loss"), 0.0, 1e-5);
}

/// Student and teacher are equal and each image is its own positive, so the squared error tells
/// whether they saw the same.
#[test]
fn of_two_views_student_and_teacher_see_one_each() {
    let loss = |relation: Relation, augmentation: Augmentation, obs: Vec<f32>| {
        let mut representation = smooth();
        representation.contrast.augmentation = augmentation;
        representation.contrast.objective = Objective::SquaredError;
        representation.contrast.distillation_weight = 0.0;
        let spec = ObsSpec { shape: vec![1, 3, 3], bytes: false, scale: 1.0 };
        let (network, config) = (hidden(&[]), ImitationConfig::default());
        let parts = (&network, Some(&representation));
        let mut agent = Imitation::new((&spec, 2), parts, &config, Device::Cpu, &mut rng(1));
        let others = |row| (0..4).filter(move |other| *other != row);
        let batch = ContrastBatch {
            obs: ObsBatch::F32(obs),
            ..plain(relation, (0..4).collect(), (0..4).collect(), others)
        };
        measured(&mut agent, &batch, "aux/loss")
    };
    let images = || (0..4 * 9).map(|i| (i * i % 7) as f32 + 0.5).collect();
    let (views, shift) = (Relation::MultiView, Augmentation::RandomShift);
    let both = loss(views, shift, images());
    assert!(both > 0.01, "{both}");
    // Where the teacher sees the image as it is, that is another comparison.
    assert!((both - loss(Relation::Temporal, shift, images())).abs() > 1e-3);
    // Without augmentation, and where a shift changes nothing, there is one view.
    assert_near(loss(views, Augmentation::None, images()), 0.0, 1e-5);
    assert_near(loss(views, shift, vec![0.5; 4 * 9]), 0.0, 1e-5);
}

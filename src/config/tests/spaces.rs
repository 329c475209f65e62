//! Configs against the spaces of environments.

use super::{parse, refusal, set};
use crate::config::Config;
use contrail_envs::{ActionSpace, ObsSpace};

#[test]
fn algorithms_are_checked_against_actions() {
    let vector = ObsSpace::f32(&[4], -1.0, 1.0);
    let discrete = ActionSpace::Discrete(2);
    let bounded = ActionSpace::Box { low: vec![-2.0], high: vec![2.0] };
    let (dqn, sac) = (parse("").unwrap(), set(&["algorithm.name=sac"]).unwrap());
    assert!(dqn.check_against(&vector, &discrete).is_ok());
    assert!(sac.check_against(&vector, &bounded).is_ok());
    let misfit = |config: &Config, action: &ActionSpace| {
        config.check_against(&vector, action).unwrap_err().to_string()
    };
    assert_eq!(
        misfit(&sac, &discrete),
        "algorithm.name is \"sac\", which needs continuous actions; Test-v0 has Discrete(2); use \"dqn\""
    );
    assert_eq!(
        misfit(&dqn, &bounded),
        "algorithm.name is \"dqn\", which needs discrete actions; Test-v0 has Box([1]); use \"sac\""
    );
    for (low, high) in
        [(f32::NEG_INFINITY, 2.0), (-2.0, f32::INFINITY), (2.0, 2.0), (-2.0, f32::NAN)]
    {
        let action = ActionSpace::Box { low: vec![-1.0, low], high: vec![1.0, high] };
        assert!(misfit(&sac, &action).contains("finite bounds"), "{low} to {high}");
    }
    let none = ActionSpace::Box { low: vec![], high: vec![] };
    assert!(misfit(&sac, &none).contains("finite bounds"));
    assert!(misfit(&dqn, &ActionSpace::Discrete(0)).contains("without actions"));
}

#[test]
fn torsos_are_checked_against_observations() {
    let discrete = ActionSpace::Discrete(2);
    for (torso, shape, fits) in [
        ("mlp", &[4][..], true),
        ("mlp", &[4, 10, 10], true),
        ("mlp", &[0], false),
        ("minatar", &[4], false),
        ("minatar", &[4, 10, 10], true),
        ("minatar", &[4, 3, 2], false),
        ("nature", &[4, 36, 36], true),
        ("nature", &[4, 36, 35], false),
        ("nature", &[84, 84], false),
        ("impala", &[3, 64, 64], true),
        ("impala", &[3, 7, 64], false),
    ] {
        let config = set(&[&format!("network.torso={torso}")]).unwrap();
        let checked = config.check_against(&ObsSpace::u8(shape, 255), &discrete);
        assert_eq!(checked.is_ok(), fits, "{torso} {shape:?}: {checked:?}");
    }
    let nature = set(&["network.torso=nature"]).unwrap();
    let text =
        nature.check_against(&ObsSpace::u8(&[4, 10, 10], 1), &discrete).unwrap_err().to_string();
    assert!(text.contains("at least 36x36") && text.contains("[4, 10, 10]"), "{text}");
}

#[test]
fn views_are_of_images_and_need_an_augmentation() {
    let views = ["contrast.enabled=true", "loss_policy.relations=['multi_view']"];
    let text = refusal(set(&views));
    assert!(text.contains("contrast.augmentation is \"none\", allowed another"), "{text}");
    let config = set(&[views[0], views[1], "contrast.augmentation=random_shift"]).unwrap();
    let fit =
        |shape: &[usize]| config.check_against(&ObsSpace::u8(shape, 1), &ActionSpace::Discrete(2));
    assert!(fit(&[4, 10, 10]).is_ok());
    let text = fit(&[4]).unwrap_err().to_string();
    assert!(text.contains("\"multi_view\", which needs images of shape [C, H, W]"), "{text}");
}

//! Every schedule against what it declares, by hand and by chi-square.

use super::{LeakKind, Phase, Skew, SubspacePlan, jensen_shannon_bits, leak_check};
use crate::config::{Config, from_toml};
use contrail_envs::{ContextSpec, EnvOptions, Registry, SeedStream};

const SUBSPACES: &str = "[subspaces.a]\ngravity = 1.0\n[subspaces.b]\ngravity = 2.0\n\
                         [subspaces.c]\ngravity = { uniform = [3.0, 4.0] }\n";

/// CartPole with subspaces a, b, c, six environments, and this `[schedule]`.
fn config(schedule: &str) -> Config {
    let text = format!(
        "[run]\nseed = 5\nenv_steps = 1000\n[env]\nid = 'CartPole-v1'\n[actors]\ncount = 3\n\
         envs_per_actor = 2\n[learner]\nlearning_starts_env_steps = 100\n{SUBSPACES}[schedule]\n{schedule}\n"
    );
    from_toml("test.toml", &text).unwrap()
}

fn spec() -> ContextSpec {
    let env = Registry::builtin().make("CartPole-v1", &EnvOptions::default()).unwrap();
    env.spec().context.clone()
}

fn plan(schedule: &str) -> SubspacePlan {
    SubspacePlan::new(&config(schedule), &spec()).unwrap()
}

/// How often each subspace is assigned to the first `episodes` of environment `stream`.
fn counts(plan: &SubspacePlan, stream: u32, episodes: u64) -> [u64; 3] {
    let mut counts = [0; 3];
    for episode in 0..episodes {
        counts[plan.assign(stream, episode, 0).subspace as usize] += 1;
    }
    counts
}

/// Pearson's statistic against declared shares; a share of 0 must not occur.
fn chi_square(counts: [u64; 3], shares: &[f64]) -> f64 {
    let all = counts.iter().sum::<u64>() as f64;
    let term = |(count, share): (u64, &f64)| {
        if *share == 0.0 {
            assert_eq!(count, 0);
            return 0.0;
        }
        (count as f64 - all * share).powi(2) / (all * share)
    };
    counts.into_iter().zip(shares).map(term).sum()
}

/// 99.99 % quantile of the chi-square distribution with 2 degrees of freedom: -2 ln 0.0001.
const CHI_SQUARE_2: f64 = 18.42;

#[test]
fn pinned_environments_stay_in_contiguous_groups() {
    let plan = plan("kind = 'pinned'");
    let subspace = |stream| {
        let all: Vec<u32> = (0..50).map(|e| plan.assign(stream, e, e * 7).subspace).collect();
        assert!(all.iter().all(|s| *s == all[0]));
        all[0]
    };
    // Three actors of two environments each, three subspaces: an actor each.
    assert_eq!((0..6).map(subspace).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
    assert_eq!(super::plan::dealt(5, 3), [0, 0, 1, 1, 2]);
    assert_eq!(super::plan::dealt(3, 3), [0, 1, 2]);
}

#[test]
fn iid_episodes_follow_their_weights() {
    for (weights, shares) in
        [("", [1.0 / 3.0; 3]), ("weights = { a = 2.0, c = 5.0 }", [0.25, 0.125, 0.625])]
    {
        let plan = plan(&format!("kind = 'iid'\n{weights}"));
        assert_eq!(plan.shares().unwrap(), vec![shares.to_vec(); 6]);
        for stream in 0..6 {
            let counts = counts(&plan, stream, 6000);
            assert!(chi_square(counts, &shares) < CHI_SQUARE_2, "{counts:?} {shares:?}");
        }
    }
}

#[test]
fn dirichlet_shares_are_each_environments_own() {
    let plan = plan("kind = 'dirichlet'\nalpha = 0.5");
    let shares = plan.shares().unwrap();
    for (stream, row) in shares.iter().enumerate() {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let counts = counts(&plan, stream as u32, 6000);
        // Shares below 1 in 1000 are too rare for the statistic: taken with the largest.
        if row.iter().all(|share| *share > 1e-3) {
            assert!(chi_square(counts, row) < CHI_SQUARE_2, "{counts:?} {row:?}");
        }
    }
    assert!(shares.windows(2).all(|pair| pair[0] != pair[1]));
}

/// For a symmetric Dirichlet with concentration alpha over n, a share has mean 1/n and variance
/// (n - 1) / (n^2 (n alpha + 1)): for n = 3, 0.1481 (alpha 0.1667), 0.0556 (1), 0.0071 (10).
#[test]
fn dirichlet_shares_have_the_moments_of_their_concentration() {
    for (alpha, variance) in [(1.0 / 6.0, 0.148_148), (1.0, 0.055_556), (10.0, 0.007_168)] {
        let mut rng = SeedStream::root(1).rng();
        let draws: Vec<f64> =
            (0..20_000).map(|_| super::plan::dirichlet(alpha, 3, &mut rng)[0]).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let spread = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 1.0 / 3.0).abs() < 0.012, "{alpha}: {mean}");
        assert!((spread / variance - 1.0).abs() < 0.06, "{alpha}: {spread}");
    }
    // All variates underflow: one subspace gets everything.
    let mut rng = SeedStream::root(1).rng();
    let row = super::plan::dirichlet(1e-9, 3, &mut rng);
    assert_eq!(row.iter().sum::<f64>(), 1.0);
}

#[test]
fn phases_are_where_they_were_declared() {
    let at = |plan: &SubspacePlan, env_steps| plan.assign(3, 17, env_steps).subspace;
    let sequential =
        plan("kind = 'sequential'\nphase_env_steps = 100\norder = ['b', 'a', 'c', 'b']");
    for (env_steps, subspace) in
        [(0, 1), (99, 1), (100, 0), (199, 0), (200, 2), (300, 1), (99_999, 1)]
    {
        assert_eq!(at(&sequential, env_steps), subspace, "{env_steps}");
    }
    let cyclic = plan("kind = 'cyclic'\nphase_env_steps = 100");
    for (env_steps, subspace) in [(0, 0), (100, 1), (200, 2), (300, 0), (999, 0), (899, 2)] {
        assert_eq!(at(&cyclic, env_steps), subspace, "{env_steps}");
    }
    assert_eq!(cyclic.phases().len(), 10); // 1000 env steps
    assert_eq!(cyclic.phases()[4], Phase { from_env_steps: 400, subspace: 1 });
}

#[test]
fn recurring_phases_never_repeat_and_are_even() {
    let mut rng = SeedStream::root(2).rng();
    let all: Vec<u32> = super::plan::recurring(3, &mut rng).take(6001).collect();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    // The step from one to the next, 1 or 2 modulo 3, is a fair coin: 6000 throws, 5 sigma 194.
    let ones = all.windows(2).filter(|pair| (pair[1] + 3 - pair[0]) % 3 == 1).count();
    assert!((2806..=3194).contains(&ones), "{ones}");
    let plan = plan("kind = 'recurring'\nphase_env_steps = 10");
    assert_eq!(plan.phases().len(), 100);
}

#[test]
fn a_longer_run_begins_with_the_phases_of_a_shorter_one() {
    let schedule = "kind = 'recurring'\nphase_env_steps = 10";
    let mut longer = config(schedule);
    longer.run.env_steps = 2000;
    let longer = SubspacePlan::new(&longer, &spec()).unwrap();
    assert_eq!(longer.phases()[..100], *plan(schedule).phases());
}

#[test]
fn a_drifting_value_moves_and_stays() {
    let plan = plan(
        "kind = 'drifting'\ndrift_value = 'force'\ndrift_from = 10.0\ndrift_to = 20.0\ndrift_env_steps = 400",
    );
    let force = spec().index("force").unwrap();
    for (env_steps, value) in [(0, 10.0), (100, 12.5), (400, 20.0), (5000, 20.0)] {
        let assigned = plan.assign(2, 3, env_steps);
        assert_eq!((assigned.subspace, assigned.context.values[force]), (1, value));
        assert_eq!(plan.drifted(env_steps), Some(("force", value)));
    }
}

#[test]
fn contexts_come_from_their_subspace_and_assignments_from_the_seed() {
    let schedule = "kind = 'iid'";
    let (one, same) = (plan(schedule), plan(schedule));
    let gravity = spec().index("gravity").unwrap();
    let mut drawn = Vec::new();
    for episode in 0..300 {
        let assigned = one.assign(1, episode, 0);
        assert_eq!(assigned, same.assign(1, episode, 12_345), "no state, and no time");
        let value = assigned.context.values[gravity];
        match assigned.subspace {
            0 => assert_eq!(value, 1.0),
            1 => assert_eq!(value, 2.0),
            _ => drawn.push(value),
        }
    }
    assert!(drawn.iter().all(|value| (3.0..=4.0).contains(value)));
    drawn.sort_by(f64::total_cmp);
    drawn.dedup();
    assert!(drawn.len() > 50, "every episode draws a context of its own");
    let mut other = config(schedule);
    other.run.seed = 6;
    let other = SubspacePlan::new(&other, &spec()).unwrap();
    assert!((0..300).any(|e| other.assign(1, e, 0) != one.assign(1, e, 0)));
}

#[test]
fn divergences_by_hand() {
    // Two environments in one subspace each: one bit. The same shares: none.
    assert_eq!(jensen_shannon_bits(&[vec![5, 0], vec![0, 5]]), Some(1.0));
    assert_eq!(jensen_shannon_bits(&[vec![2, 6], vec![1, 3]]), Some(0.0));
    assert_eq!(jensen_shannon_bits(&[vec![0, 0]]), None);
    // Parts 4:0 and 2:2: pooled 6:2 has 0.8113 bits, within (4 * 0 + 4 * 1) / 8 = 0.5.
    let bits = jensen_shannon_bits(&[vec![4, 0], vec![2, 2]]).unwrap();
    assert!((bits - 0.311_278).abs() < 1e-6, "{bits}");

    let mut skew = Skew::new(2, 2);
    assert_eq!((skew.between_envs_bits(), skew.over_time_bits()), (None, None));
    skew.add((0, 0), 10);
    skew.add((1, 0), 10);
    skew.end_period();
    assert_eq!((skew.between_envs_bits(), skew.over_time_bits()), (Some(0.0), Some(0.0)));
    skew.add((0, 1), 10);
    skew.add((1, 1), 10);
    skew.end_period();
    // Both environments did the same, one subspace after the other.
    assert_eq!((skew.between_envs_bits(), skew.over_time_bits()), (Some(0.0), Some(1.0)));
    assert_eq!(skew.env_steps(), [20, 20]);
}

#[test]
fn leaks_are_contexts_that_the_environment_does_not_tell_apart() {
    let registry = Registry::builtin();
    let check = |id: &str, subspaces: &str| {
        let text =
            format!("[env]\nid = '{id}'\n{subspaces}[split]\nsource = ['s']\ntarget = ['t']\n");
        let config = from_toml("test.toml", &text).unwrap();
        let mut env = registry.make(id, &EnvOptions::default()).unwrap();
        config.check_subspaces(&env.spec().context).unwrap();
        let (source, target) = (config.sources(), config.targets());
        let report = leak_check(&mut *env, (&source, &target), SeedStream::root(1)).unwrap();
        let warnings = report.warnings(&env.spec().context);
        (report, warnings)
    };
    let (sound, warnings) = check(
        "Jumping-v0",
        "[subspaces.s]\nobstacle_position = 20\n[subspaces.t]\nobstacle_position = 30\n",
    );
    assert_eq!((sound.leaks.len(), warnings.len(), sound.states_compared), (0, 0, true));
    assert_eq!(sound.shared_first_obs, 0.0);
    // A place is a whole pixel: 20 and 20.25 are one.
    let (leaky, warnings) = check(
        "Jumping-v0",
        "[subspaces.s]\nobstacle_position = 20\n[subspaces.t]\nobstacle_position = 20.25\n",
    );
    assert_eq!((leaky.leaks.len(), leaky.leaks[0].episodes, leaky.shared_first_obs), (1, 200, 1.0));
    assert_eq!(leaky.leaks[0].kind, LeakKind::State);
    assert!(warnings[0].contains("200 of 200 episodes of target t"), "{warnings:?}");
    assert!(warnings[0].contains("obstacle_position 20.25"), "{warnings:?}");
    // Physics cannot be seen in a first observation, but the states differ.
    let (physics, _) =
        check("CartPole-v1", "[subspaces.s]\ngravity = 5\n[subspaces.t]\ngravity = 15\n");
    assert_eq!((physics.leaks.len(), physics.shared_first_obs), (0, 0.0));
    // A value that the state holds and nothing but the drawing uses.
    let (ignored, warnings) = check(
        "Acrobot-v1",
        "[subspaces.s]\nlink_length_2 = 0.5\n[subspaces.t]\nlink_length_2 = 2.0\n",
    );
    assert_eq!((ignored.leaks.len(), ignored.leaks[0].kind), (1, LeakKind::Behavior));
    assert!(warnings[0].contains("all 200 episodes of target t go like"), "{warnings:?}");
    // All 18 and all 268 tasks are begun, not some.
    let wide = "[subspaces.s]\nobstacle_position = { grid = { low = 20, high = 45, count = 6 } }\n\
                floor_height = { grid = { low = 10, high = 20, count = 3 } }\n[subspaces.t]\n\
                obstacle_position = { grid = { low = 20, high = 45, count = 26 } }\n\
                floor_height = { grid = { low = 10, high = 20, count = 11 } }\nexcept = ['s']\n";
    let (grid, _) = check("Jumping-v0", wide);
    assert_eq!((grid.leaks.len(), grid.shared_first_obs), (0, 0.0));
}

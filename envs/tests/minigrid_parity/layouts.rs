//! Starts drawn with our own generator against starts of the package: two samples, feature by
//! feature.

use super::pair::Pair;
use super::trace::{Case, Reader, trace};
use contrail_envs::builtin::minigrid::{Encoding, MiniGrid, World};
use contrail_envs::{Environment, ObsBuffer, SeedStream};
use std::collections::BTreeMap;

const RESETS: usize = 2000;
/// Values that both samples together have fewer of are counted as one.
const LEAST: u32 = 20;
const NAMES: [&str; 16] = [
    "agent",
    "heading",
    "walls",
    "doors",
    "door",
    "color of door",
    "key",
    "color of key",
    "ball",
    "color of ball",
    "box",
    "color of box",
    "goal",
    "color of goal",
    "lava",
    "color of lava",
];
const WALL: u8 = 2;
const DOOR: u8 = 4;
/// Door, key, ball, box, goal, lava.
const OBJECTS: std::ops::RangeInclusive<u8> = DOOR..=9;

/// What is looked at, in the order of `NAMES`. Of each kind of thing, where the first one is, and
/// its color; 10,000 if there is none.
fn features(world: &World) -> Vec<u32> {
    let (width, height) = world.size();
    let place = |x: usize, y: usize| (y * 25 + x) as u32;
    let cells: Vec<_> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| (place(x, y), world.cell(x, y)))
        .collect();
    let count = |object| cells.iter().filter(|(_, cell)| cell[0] == object).count() as u32;
    let (x, y, heading) = world.agent();
    let mut features = vec![place(x, y), heading as u32, count(WALL), count(DOOR)];
    for object in OBJECTS {
        let first = cells.iter().find(|(_, cell)| cell[0] == object);
        let (place, color) = first.map_or((10_000, 0), |(place, cell)| (*place, cell[1].into()));
        features.extend([place, color]);
    }
    features
}

/// Starts of the package.
fn published(id: &str) -> Vec<Vec<u32>> {
    let case = Case::new(id);
    let bytes = trace(&[case], (0, RESETS));
    let (mut reader, mut pair, mut starts) = (Reader(&bytes), Pair::new(&case), Vec::new());
    while reader.byte() == b'R' {
        assert_eq!(reader.u16(), 0);
        pair.start(&mut reader, &format!("{id} reset {}", starts.len()));
        starts.push(features(pair.symbolic.world()));
    }
    assert_eq!(starts.len(), RESETS);
    starts
}

/// Starts of our own, with these context values replaced.
fn own(id: &str, replaced: &[(&str, f64)]) -> Vec<Vec<u32>> {
    let mut env = MiniGrid::new(id, Encoding::Symbolic).unwrap();
    let context = env.spec().context.with(replaced).unwrap();
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let seeds = SeedStream::root(1).stream(id);
    let start = |index| {
        env.reset(seeds.index(index).seed(), &context, obs.as_mut()).unwrap();
        features(env.world())
    };
    (0..RESETS as u64).map(start).collect()
}

/// Statistic and degrees of freedom of a chi-square test that two samples of one size are of one
/// distribution: the sum of (a - b)² / (a + b).
fn two_sample(left: &[Vec<u32>], right: &[Vec<u32>], feature: usize) -> (f64, usize) {
    let mut counts = BTreeMap::<u32, [u32; 2]>::new();
    for (side, sample) in [left, right].into_iter().enumerate() {
        for features in sample {
            counts.entry(features[feature]).or_default()[side] += 1;
        }
    }
    let mut rare = [0, 0];
    counts.retain(|_, [a, b]| {
        let is_kept = *a + *b >= LEAST;
        if !is_kept {
            rare = [rare[0] + *a, rare[1] + *b];
        }
        is_kept
    });
    let kept: Vec<[u32; 2]> =
        counts.into_values().chain((rare != [0, 0]).then_some(rare)).collect();
    let term = |[a, b]: &[u32; 2]| (f64::from(*a) - f64::from(*b)).powi(2) / f64::from(a + b);
    (kept.iter().map(term).sum(), kept.len() - 1)
}

/// Features in which two samples differ: a chance of 1 in 100,000 for each.
fn differing(left: &[Vec<u32>], right: &[Vec<u32>]) -> Vec<(&'static str, f64, usize)> {
    let differs = |(feature, name): (usize, &'static str)| {
        let (statistic, freedom) = two_sample(left, right, feature);
        // Wilson and Hilferty (1931); 4.26 is the normal quantile of 0.99999.
        let ninth = 2.0 / (9.0 * freedom.max(1) as f64);
        let critical = freedom as f64 * (1.0 - ninth + 4.26 * ninth.sqrt()).powi(3);
        (statistic > critical).then_some((name, statistic, freedom))
    };
    NAMES.into_iter().enumerate().filter_map(differs).collect()
}

#[test]
fn starts_are_distributed_as_published() {
    let mut distinct = 0;
    for name in [
        "DoorKey-8x8-v0",
        "Dynamic-Obstacles-Random-6x6-v0",
        "Empty-Random-6x6-v0",
        "FourRooms-v0",
        "GoToDoor-8x8-v0",
        "GoToObject-6x6-N2-v0",
        "KeyCorridorS3R3-v0",
        "LavaCrossingS9N2-v0",
        "LavaGapS7-v0",
        "MultiRoom-N2-S4-v0",
        "MultiRoom-N4-S5-v1",
        "SimpleCrossingS9N3-v0",
        "Unlock-v0",
    ] {
        let id = format!("MiniGrid-{name}");
        let (theirs, ours) = (published(&id), own(&id, &[]));
        assert_eq!(differing(&theirs, &ours), [], "{id}");
        let compared = (0..NAMES.len()).filter(|f| two_sample(&theirs, &ours, *f).1 > 0).count();
        assert!(compared >= 1, "{id}: nothing varies");
        distinct += compared;
    }
    assert!(distinct >= 50, "{distinct} features vary");
}

#[test]
fn another_distribution_is_told_apart() {
    let id = "MiniGrid-DoorKey-8x8-v0";
    let table: [(&[(&str, f64)], &str); 3] = [
        (&[("door_color", -1.0)], "color of key"),
        (&[("goal_color", 0.0)], "color of goal"),
        (&[("size", 9.0)], "agent"),
    ];
    let published = own(id, &[]);
    for (replaced, feature) in table {
        let found = differing(&published, &own(id, replaced));
        assert!(found.iter().any(|(name, ..)| *name == feature), "{replaced:?}: {found:?}");
    }
}

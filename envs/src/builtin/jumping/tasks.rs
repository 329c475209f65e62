//! The tasks of the experiments, which of them are for training, and what is best in each.

use super::episode::{JUMP, JUMP_DISTANCE};
use crate::{Context, SeedStream};
use rand::RngExt;
use std::ops::RangeInclusive;

/// Obstacle positions of the 286 tasks, pixels.
const POSITIONS: RangeInclusive<u32> = 20..=45;
/// Floor heights of the 286 tasks, pixels.
const HEIGHTS: RangeInclusive<u32> = 10..=20;
/// Training tasks of each grid.
const GRID_TASKS: usize = 18;

/// Which 18 of the 286 tasks are for training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Obstacle at 20, 25, 30, 35, 40, 45; floor at 10, 15, 20: the unseen tasks lie in between.
    Wide,
    /// Obstacle at 28, 30, 32, 34, 36, 38; floor at 13, 15, 17: most unseen tasks lie outside.
    Narrow,
    /// 18 different tasks, every set as likely; the number is the seed.
    Random(u64),
}

/// The 286 tasks: 26 obstacle positions (20 to 45 pixels) by 11 floor heights (10 to 20 pixels).
/// The floor height varies fastest.
///
/// They are contexts of `Jumping-v0`. For `JumpingColors-v0` append the color to the values of
/// each.
///
/// # Source
/// Agarwal et al. 2021 (arXiv 2101.05265), section 5.
#[must_use]
pub fn tasks() -> Vec<Context> {
    product((POSITIONS, 1), (HEIGHTS, 1))
}

/// The 18 training tasks of a grid.
///
/// ```
/// use contrail_envs::builtin::jumping::{Grid, grid, unseen};
/// let training = grid(Grid::Wide);
/// assert_eq!((training.len(), unseen(&training).len()), (18, 268));
/// ```
///
/// # Source
/// Agarwal et al. 2021 (arXiv 2101.05265), section 5, and the launch commands of its code.
///
/// # Differs
/// The code draws the random grid with repetition and with `NumPy`'s generator; here the 18 tasks
/// are different, from this crate's generator.
#[must_use]
pub fn grid(grid: Grid) -> Vec<Context> {
    match grid {
        Grid::Wide => product((POSITIONS, 5), (HEIGHTS, 5)),
        Grid::Narrow => product((28..=38, 2), (13..=17, 2)),
        Grid::Random(seed) => {
            let mut rng = SeedStream::root(seed).stream("jumping/random_grid").rng();
            let mut drawn = tasks();
            for place in 0..GRID_TASKS {
                let other = rng.random_range(place..drawn.len());
                drawn.swap(place, other);
            }
            drawn.truncate(GRID_TASKS);
            drawn
        }
    }
}

/// The tasks of [`tasks`] that are not in `training`, in the same order: 268 for any [`Grid`].
#[must_use]
pub fn unseen(training: &[Context]) -> Vec<Context> {
    tasks().into_iter().filter(|task| !training.contains(task)).collect()
}

/// The column in which the agent must jump, in pixels and also in `env_steps` since `reset`; `None`
/// where the obstacle is green and not to be jumped over.
///
/// It is 14 columns left of the obstacle. In the 286 tasks any other column of a jump ends in a
/// collision, so an agent that acts greedily has solved a task exactly if it jumps here and not
/// before.
///
/// # Panics
/// If `context` is of neither `Jumping-v0` nor `JumpingColors-v0`.
///
/// # Source
/// Tachet des Combes et al. 2018 (arXiv 1809.02591) and the imitation data of Agarwal et al. 2021.
#[must_use]
pub fn optimal_jump_position(context: &Context) -> Option<usize> {
    let (position, color) = (context.values[0], context.values.get(2));
    let is_green = color.is_some_and(|color| *color >= 0.5);
    (!is_green).then(|| (position.round() as usize).saturating_sub(JUMP_DISTANCE))
}

/// The best action, 0 or 1, after `env_steps` steps in `context`: 1 at [`optimal_jump_position`].
/// Every step goes one pixel to the right, so the number of steps is the agent's column.
///
/// In the air, where actions mean nothing, it is 0, as in the imitation data of Agarwal et al.
/// 2021.
///
/// # Panics
/// Like [`optimal_jump_position`].
#[must_use]
pub fn optimal_action(context: &Context, env_steps: usize) -> usize {
    if optimal_jump_position(context) == Some(env_steps) { JUMP } else { 0 }
}

/// Every combination of an obstacle position and a floor height, each a range and a distance.
fn product(
    (positions, position_step): (RangeInclusive<u32>, usize),
    (heights, height_step): (RangeInclusive<u32>, usize),
) -> Vec<Context> {
    let heights = heights.step_by(height_step);
    let of_position = |position| {
        let task = move |height| Context { values: vec![f64::from(position), f64::from(height)] };
        heights.clone().map(task)
    };
    positions.step_by(position_step).flat_map(of_position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(contexts: &[Context]) -> Vec<[f64; 2]> {
        contexts.iter().map(|context| [context.values[0], context.values[1]]).collect()
    }

    #[test]
    fn the_grids_are_those_of_the_paper() {
        let all = pairs(&tasks());
        assert_eq!((all.len(), all[0], all[1]), (286, [20.0, 10.0], [20.0, 11.0]));
        assert_eq!((all[11], all[285]), ([21.0, 10.0], [45.0, 20.0]));
        let product = |positions: [f64; 6], heights: [f64; 3]| {
            positions.iter().flat_map(|x| heights.map(|y| [*x, y])).collect::<Vec<_>>()
        };
        let wide = product([20.0, 25.0, 30.0, 35.0, 40.0, 45.0], [10.0, 15.0, 20.0]);
        let narrow = product([28.0, 30.0, 32.0, 34.0, 36.0, 38.0], [13.0, 15.0, 17.0]);
        assert_eq!(pairs(&grid(Grid::Wide)), wide);
        assert_eq!(pairs(&grid(Grid::Narrow)), narrow);
    }

    #[test]
    fn every_grid_leaves_268_unseen_tasks() {
        let all = pairs(&tasks());
        let random = (0..50).map(Grid::Random);
        for name in [Grid::Wide, Grid::Narrow].into_iter().chain(random) {
            let training = grid(name);
            let (train, test) = (pairs(&training), pairs(&unseen(&training)));
            assert_eq!((train.len(), test.len()), (18, 268), "{name:?}");
            assert!(test.iter().all(|task| !train.contains(task)), "{name:?}");
            assert!(all.iter().all(|task| train.contains(task) != test.contains(task)), "{name:?}");
        }
        assert_eq!(grid(Grid::Random(3)), grid(Grid::Random(3)));
        assert_ne!(grid(Grid::Random(3)), grid(Grid::Random(4)));
    }

    /// 500 draws of 18 of 286 contain each task 31.5 times on average, with a deviation of 5.4.
    #[test]
    fn every_task_is_as_likely_in_a_random_grid() {
        let drawn: Vec<_> = (0..500).flat_map(|seed| pairs(&grid(Grid::Random(seed)))).collect();
        for task in pairs(&tasks()) {
            let times = drawn.iter().filter(|other| **other == task).count();
            // 4.2 deviations either way
            assert!((9..=54).contains(&times), "{task:?} is in {times} of 500 grids");
        }
    }
}

//! Environments written against their trait.

use gymnasium_rs::core::{Env, Info, Options, Reward, Space};
use ndarray::{Array1, Array3, array};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is wrong with a [`Glide`], if anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// `unimplemented!` spaces.
    NoSpaces,
    /// Panics at every third step of its life.
    Panics,
    ShortObs,
    NanObs,
    NanReward,
    /// Starts elsewhere each time, whatever the seed.
    IgnoresSeed,
}

/// A point that is pushed about in a square, with box actions and pictures; leaving the square
/// terminates, the eighth step truncates.
pub(crate) struct Glide {
    pub(crate) fault: Fault,
    at: [f32; 2],
    env_steps: u32,
    life_env_steps: u32,
    resets: u16,
    pub(crate) closed: Arc<AtomicBool>,
}

impl Glide {
    pub(crate) fn new(fault: Fault) -> Self {
        let closed = Arc::default();
        Self { fault, at: [0.0; 2], env_steps: 0, life_env_steps: 0, resets: 0, closed }
    }

    fn observe(&self) -> Array1<f32> {
        match (self.fault, self.env_steps) {
            (Fault::ShortObs, 1) => array![0.0],
            (Fault::NanObs, 1) => array![0.0, f32::NAN],
            _ => array![self.at[0], self.at[1]],
        }
    }
}

impl Env<Array1<f32>, Array1<f32>> for Glide {
    fn observation_space(&self) -> Space {
        assert!(self.fault != Fault::NoSpaces, "no observation space");
        Space::Box { low: array![-2.0, -2.0], high: array![2.0, 2.0] }
    }
    fn action_space(&self) -> Space {
        assert!(self.fault != Fault::NoSpaces, "no action space");
        Space::Box { low: array![-0.5, 0.0], high: array![0.5, 0.25] }
    }
    fn reset(&mut self, seed: Option<i32>, _options: Options) -> (Array1<f32>, Info) {
        self.resets += 1;
        let start = match self.fault {
            Fault::IgnoresSeed => self.resets,
            _ => u16::try_from(seed.unwrap() % 100).unwrap(),
        };
        (self.at, self.env_steps) = ([f32::from(start) / 200.0, 0.0], 0);
        (self.observe(), Info::new())
    }
    fn step(&mut self, action: Array1<f32>) -> (Array1<f32>, Reward, bool, bool, Info) {
        self.env_steps += 1;
        self.life_env_steps += 1;
        assert!(
            self.fault != Fault::Panics || !self.life_env_steps.is_multiple_of(3),
            "the third step"
        );
        self.at = [self.at[0] + action[0], self.at[1] + action[1]];
        let left = self.at.iter().any(|v| v.abs() > 1.0);
        let reward = if self.fault == Fault::NanReward { f32::NAN } else { self.at[0] };
        (self.observe(), reward, left, self.env_steps == 8, Info::new())
    }
    fn render(&self) -> Option<Array3<u8>> {
        let step = u8::try_from(self.env_steps).unwrap();
        Some(Array3::from_shape_fn((2, 4, 3), |(y, x, c)| step + 100 * u8::from(y + x + c == 0)))
    }
    fn close(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// A byte image of two channels whose first one shows the last action; its observation space has
/// one axis too few, as theirs must, and its action is an index of another integer type.
pub(crate) struct Screen;

impl Env<Array3<u8>, u8> for Screen {
    fn observation_space(&self) -> Space {
        Space::Box { low: Array1::zeros(12), high: Array1::from_elem(12, 255.0) }
    }
    fn action_space(&self) -> Space {
        Space::Discrete(200)
    }
    fn reset(&mut self, seed: Option<i32>, _options: Options) -> (Array3<u8>, Info) {
        let first = u8::try_from(seed.unwrap() % 256).unwrap();
        (Array3::from_elem((2, 2, 3), first), Info::new())
    }
    fn step(&mut self, action: u8) -> (Array3<u8>, Reward, bool, bool, Info) {
        let obs = Array3::from_shape_fn((2, 2, 3), |(c, ..)| if c == 0 { action } else { 9 });
        // Both flags at once: the task ended, and a limit was reached.
        (obs, 1.0, action < 50, action < 100, Info::new())
    }
    fn render(&self) -> Option<Array3<u8>> {
        None
    }
    fn close(&mut self) {
        panic!("a bug in close");
    }
}

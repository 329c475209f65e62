//! Figures of random play.

use super::player::{Chooser, OwnedAction};
use super::*;
use crate::{EnvOptions, Registry};
use std::time::Duration;

#[test]
fn uniform_actions_are_uniform() {
    let mut counts = [0.0_f64; 4];
    let mut chooser = Chooser::uniform(&ActionSpace::Discrete(4), 1);
    let mut repeats = 0;
    let mut last = usize::MAX;
    for _ in 0..8000 {
        let OwnedAction::Discrete(index) = chooser.next() else { panic!("not an index") };
        counts[index] += 1.0;
        repeats += u32::from(index == last);
        last = index;
    }
    // 99.9 % quantile of chi-square with 3 degrees of freedom; a quarter repeats the last one.
    let chi_square: f64 = counts.iter().map(|c| (c - 2000.0).powi(2) / 2000.0).sum();
    assert!(chi_square < 16.27, "{counts:?}");
    assert!((1850..2150).contains(&repeats), "{repeats}");

    let space = ActionSpace::Box { low: vec![-1.0], high: vec![3.0] };
    let mut chooser = Chooser::uniform(&space, 1);
    let mut quarters = [0.0_f64; 4];
    for _ in 0..8000 {
        let OwnedAction::Box(action) = chooser.next() else { panic!("not a vector") };
        quarters[(action[0] + 1.0).floor().min(3.0) as usize] += 1.0;
    }
    let chi_square: f64 = quarters.iter().map(|c| (c - 2000.0).powi(2) / 2000.0).sum();
    assert!(chi_square < 16.27, "{quarters:?}");
}

#[test]
fn random_play_counts_returns_and_lengths() {
    let make = |id| Registry::builtin().make(id, &EnvOptions::default()).unwrap();
    // One step of reward 1.
    let one = random_play(&mut *make("Probe/ConstantReward-v0"), 0, (3, 100)).unwrap();
    let expected =
        RandomPlay { returns: vec![1.0; 3], lengths_env_steps: vec![1; 3], complete: true };
    assert_eq!(one, expected);
    // 200 steps of reward -1, abandoned after 50.
    let cut = random_play(&mut *make("MountainCar-v0"), 0, (2, 50)).unwrap();
    let expected =
        RandomPlay { returns: vec![-50.0; 2], lengths_env_steps: vec![50; 2], complete: false };
    assert_eq!(cut, expected);
}

/// Fails a step whose action was not announced.
struct Announced {
    toy: Toy,
    action: Option<usize>,
}

impl Environment for Announced {
    fn spec(&self) -> &EnvSpec {
        &self.toy.spec
    }
    fn reset(&mut self, seed: u64, context: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.action = None;
        self.toy.reset(seed, context, obs)
    }
    fn announce(&mut self, action: Action<'_>) -> Result<(), EnvError> {
        let Action::Discrete(index) = action else { return Err(Toy::failed("not an index")) };
        self.action = Some(index);
        Ok(())
    }
    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        match self.action.take() {
            Some(index) if action == Action::Discrete(index) => self.toy.step(action, obs),
            other => Err(Toy::failed(&format!("announced {other:?}, got {action:?}"))),
        }
    }
    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        self.toy.save_state(out)
    }
    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.toy.restore_state(state)
    }
    fn render(&self, frame: &mut RgbFrame) -> Result<(), EnvError> {
        self.toy.render(frame)
    }
}

#[test]
fn speed_is_measured_over_announced_steps_and_ended_episodes_begin_anew() {
    let toy = || Toy::new(Fault::None, ActionSpace::Discrete(3), &Arc::default());
    let mut envs: Vec<Box<dyn Environment>> =
        (0..3).map(|_| Box::new(Announced { toy: toy(), action: None }) as _).collect();
    let speed = steps_per_s(&mut envs, 0, Duration::from_millis(20)).unwrap();
    assert!(speed > 1000.0, "{speed}");
    assert_eq!(steps_per_s(&mut [], 0, Duration::from_millis(20)).unwrap(), 0.0);
    let mut broken: Vec<Box<dyn Environment>> =
        vec![Box::new(Toy::new(Fault::ValidStepFails, ActionSpace::Discrete(3), &Arc::default()))];
    let error = steps_per_s(&mut broken, 0, Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.to_string(), "Toy-v0: lost");
}

//! Random operations against the model.

use super::model::{Count, Model};
use super::*;
use crate::message::PriorityUpdate;
use crate::replay::{NStepAccumulator, NStepConfig, OneStep};
use contrail_envs::{Action, ObsRef, Outcome, Prng, SeedStream};
use proptest::prelude::*;
use std::collections::VecDeque;

/// A replay, the accumulators of its streams, and the model. Observations are
/// `[stream, number in the stream]`, final ones included, the action is the number, and the context
/// `[stream, episode]`.
struct World {
    replay: Replay,
    accumulators: Vec<NStepAccumulator>,
    n_step: NStepConfig,
    model: Model,
    /// Number that the next observation of each stream will have.
    numbers: Vec<u32>,
    rng: Prng,
}

impl World {
    fn new(config: ReplayConfig, seed: u64) -> Self {
        let n_step = NStepConfig {
            n_step: config.n_step,
            gamma: 1.0,
            obs: config.obs.clone(),
            action: config.action.clone(),
            context_len: config.context_len,
        };
        let streams = config.streams;
        let capacities: Vec<usize> = config.ring_capacities().collect();
        let model = Model {
            rings: vec![VecDeque::new(); capacities.len()],
            next_ids: vec![0; capacities.len()],
            capacities,
            numbers: vec![0; streams],
            episodes: vec![0; streams],
            counts: vec![Count::default(); config.subspaces],
            inserted: 0,
            dropped: 0,
        };
        Self {
            accumulators: accumulators(&n_step, streams),
            replay: Replay::new(config).unwrap(),
            n_step,
            model,
            numbers: vec![0; streams],
            rng: SeedStream::root(seed).rng(),
        }
    }

    /// One env step with reward 1, so that with gamma 1 a return is its span.
    fn step(&mut self, stream: usize, outcome: Outcome) {
        let number = self.numbers[stream];
        let obs = |number: u32| [stream as f32, number as f32];
        let mut block = self.n_step.new_block(1);
        let step = OneStep {
            obs: ObsRef::F32(&obs(number)),
            action: Action::Discrete(number as usize),
            reward: 1.0,
            outcome,
            next_obs: ObsRef::F32(&obs(number + 1)),
            subspace: self.model.subspace(stream as u32),
            context: &[stream as f64, f64::from(self.model.episodes[stream])],
        };
        self.accumulators[stream].push(step, &mut block);
        self.numbers[stream] += if outcome.ends_episode() { 2 } else { 1 };
        self.replay.insert(&block).unwrap();
        for row in &block.rows {
            self.model.write(row.stream, Some(row.span));
            if row.ends_trajectory {
                self.model.write(row.stream, None);
            }
        }
    }

    fn break_off(&mut self, stream: usize) {
        let mut block = self.n_step.new_block(1);
        block.broken_off.push(stream as u32);
        self.replay.insert(&block).unwrap();
        self.model.break_off(stream as u32);
        self.accumulators[stream].break_off();
        // What the accumulator held is lost: the next observation follows those written.
        self.numbers[stream] = self.model.numbers[stream];
    }

    fn save_and_restore(&mut self) {
        let mut bytes = Vec::new();
        self.replay.save(&mut bytes).unwrap();
        self.replay = Replay::new(self.replay.config().clone()).unwrap();
        self.replay.restore(&mut bytes.as_slice()).unwrap();
    }

    /// Draws, compares every field with the model, and sends priorities back.
    fn sample(&mut self) {
        let Ok(batch) = self.replay.sample(32, 0.5, &mut self.rng) else {
            assert_eq!(self.model.sampleable().count(), 0);
            return;
        };
        let minibatch = &batch.minibatch;
        let (ObsBatch::F32(obs), ObsBatch::F32(next), ActionBatch::Discrete(actions)) =
            (&minibatch.obs, &minibatch.next_obs, &minibatch.actions)
        else {
            panic!("the config asks for floats and indices");
        };
        for b in 0..32 {
            let slot = self.model.draw(batch.ids[b]);
            let (stream, number, next_number) = (slot.stream, slot.number, slot.next.unwrap());
            assert_eq!(obs[2 * b..2 * b + 2], [stream as f32, number as f32]);
            assert_eq!(next[2 * b..2 * b + 2], [stream as f32, next_number as f32]);
            assert_eq!(actions[b], i64::from(number));
            assert_eq!(minibatch.n_step_return[b], (next_number - number) as f32);
            assert_eq!(batch.subspaces[b], slot.subspace);
            assert_eq!(batch.contexts[2 * b..2 * b + 2], [stream as f32, slot.episode as f32]);
            assert!(minibatch.weights[b] > 0.0 && minibatch.weights[b] <= 1.0);
        }
        // Of the ids one is made stale, to be ignored.
        let mut ids = batch.ids;
        let rings = self.model.rings.len() as u64;
        ids[0] =
            ids[0] % rings + ids[0].saturating_sub(self.replay.capacity() as u64) / rings * rings;
        let priorities = ids.iter().map(|id| (id % 5) as f32).collect();
        self.replay.update_priorities(&PriorityUpdate { ids, priorities }).unwrap();
    }

    fn check(&self) {
        self.replay.check_valid().unwrap();
        assert_eq!(self.replay.len(), self.model.sampleable().count());
        assert_eq!(self.replay.inserted(), self.model.inserted);
        assert_eq!(self.replay.dropped_waiting(), self.model.dropped);
        for (subspace, stats) in self.replay.subspace_stats().iter().enumerate() {
            assert_eq!(*stats, self.model.stats(subspace), "subspace {subspace}");
        }
    }
}

fn accumulators(config: &NStepConfig, streams: usize) -> Vec<NStepAccumulator> {
    (0..streams as u32).map(|stream| NStepAccumulator::new(config, stream).unwrap()).collect()
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Step { stream: usize, outcome: Outcome },
    Sample,
    BreakOff { stream: usize },
    SaveAndRestore,
}

fn operation() -> impl Strategy<Value = Operation> {
    let outcome = prop_oneof![
        8 => Just(Outcome::Continue),
        1 => Just(Outcome::Terminated),
        1 => Just(Outcome::Truncated),
    ];
    // Stream 0 does most of the steps, so that the others wait for long.
    let stream = prop_oneof![15 => Just(0_usize), 1 => 0_usize..4];
    prop_oneof![
        60 => (stream, outcome).prop_map(|(stream, outcome)| Operation::Step { stream, outcome }),
        6 => Just(Operation::Sample),
        1 => (0..4usize).prop_map(|stream| Operation::BreakOff { stream }),
        1 => Just(Operation::SaveAndRestore),
    ]
}

fn law() -> impl Strategy<Value = (SubspaceLaw, bool)> {
    prop_oneof![
        Just((SubspaceLaw::Uniform, false)),
        Just((SubspaceLaw::Uniform, true)),
        Just((SubspaceLaw::Temperature(2.0), false)),
        Just((SubspaceLaw::Quota(vec![0.2, 0.5, 0.3]), true)),
    ]
}

fn config() -> impl Strategy<Value = ReplayConfig> {
    (1_usize..=4, 1_usize..=5, 0_usize..30, any::<bool>(), law()).prop_map(
        |(streams, n, extra, uniform, (law, keep_every_subspace))| {
            let sampling = if uniform {
                Sampling::Uniform
            } else {
                Sampling::Prioritized { priority_exponent: 0.7, priority_epsilon: 1e-2 }
            };
            let rings = if keep_every_subspace || law != SubspaceLaw::Uniform { 3 } else { 1 };
            ReplayConfig {
                obs: ObsSpace::f32(&[2], 0.0, 1e9),
                action: ActionSpace::Discrete(1_000_000),
                context_len: 2,
                sampling,
                subspaces: 3,
                law,
                keep_every_subspace,
                ..small_config(2 * rings * (streams * n + 1) + extra, streams, n)
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn agrees_with_the_model(
        config in config(),
        seed in 0_u64..1000,
        operations in prop::collection::vec(operation(), 1..300),
    ) {
        let streams = config.streams;
        let mut world = World::new(config, seed);
        for operation in operations {
            match operation {
                Operation::Step { stream, outcome } => world.step(stream % streams, outcome),
                Operation::Sample => world.sample(),
                Operation::BreakOff { stream } => world.break_off(stream % streams),
                Operation::SaveAndRestore => world.save_and_restore(),
            }
            world.check();
        }
        world.sample();
    }
}

/// The random operations do reach the rare case: a slow stream's transition that is overwritten
/// while it waits.
#[test]
fn waiting_transitions_are_dropped() {
    let obs = ObsSpace::f32(&[2], 0.0, 1e9);
    let action = ActionSpace::Discrete(1_000_000);
    let mut world =
        World::new(ReplayConfig { obs, action, context_len: 2, ..small_config(30, 2, 5) }, 0);
    for turn in 0..400 {
        world.step(usize::from(turn % 37 == 0), Outcome::Continue);
        world.check();
        world.sample();
    }
    assert!(world.replay.dropped_waiting() > 0);
}

/// The bounds that [`ReplayConfig::check`] and [`ReplayConfig::least_size_to_sample`] promise.
#[test]
fn a_full_ring_is_a_quarter_sampleable() {
    // The worst case: every episode has one env step, and as many transitions wait as can.
    let config = small_config(14, 2, 3);
    let mut replay = replay(&config);
    assert_eq!(config.least_size_to_sample(), 7);
    for turn in 0..40 {
        replay.insert(&block(&[end(0, turn)], &[turn])).unwrap();
    }
    for turn in 0..3 {
        replay.insert(&block(&[row(0, turn, 3), row(1, turn, 3)], &[])).unwrap();
        assert!(4 * replay.len() >= replay.capacity(), "{} sampleable", replay.len());
    }
    assert_eq!(replay.len(), 4); // 6 wait, 4 are final observations
}

//! Random operations against a model: a list of what was written, scanned from end to end.

use super::*;
use crate::message::PriorityUpdate;
use crate::replay::{NStepAccumulator, NStepConfig, OneStep, SubspaceStats};
use contrail_envs::{Action, ObsRef, Outcome, Prng, SeedStream};
use proptest::prelude::*;
use std::collections::VecDeque;

/// One written slot: id, stream, number of the observation in its stream, and for a transition
/// the number of its `next_obs`; all observations of an episode have the same number `episode`.
#[derive(Clone, Copy, Debug)]
struct Written {
    id: u64,
    stream: u32,
    number: u32,
    episode: u32,
    subspace: u32,
    next: Option<u32>,
    /// Transitions inserted up to it.
    born: u64,
    drawn: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    inserted: u64,
    sampled: u64,
    forgotten: u64,
}

/// The last slots written to each ring, oldest first.
#[derive(Debug)]
struct Model {
    capacities: Vec<usize>,
    rings: Vec<VecDeque<Written>>,
    next_ids: Vec<u64>,
    /// Observations each stream has written.
    numbers: Vec<u32>,
    /// Episode that each stream is in.
    episodes: Vec<u32>,
    /// `[subspaces]`.
    counts: Vec<Count>,
    inserted: u64,
    dropped: u64,
}

impl Model {
    /// Episodes go round the subspaces.
    fn subspace(&self, stream: u32) -> u32 {
        (stream + self.episodes[stream as usize]) % self.counts.len() as u32
    }

    fn write(&mut self, stream: u32, span: Option<u32>) {
        let (rings, subspace) = (self.rings.len(), self.subspace(stream));
        let ring = if rings == 1 { 0 } else { subspace as usize };
        if self.rings[ring].len() == self.capacities[ring] {
            let oldest = self.rings[ring].pop_front().unwrap();
            if self.is_sampleable(&oldest) {
                self.counts[oldest.subspace as usize].forgotten += 1;
            } else {
                self.dropped += u64::from(oldest.next.is_some());
            }
        }
        if span.is_some() {
            self.inserted += 1;
            self.counts[subspace as usize].inserted += 1;
        }
        let number = self.numbers[stream as usize];
        let next = span.map(|span| number + span);
        let episode = self.episodes[stream as usize];
        let id = self.next_ids[ring] * rings as u64 + ring as u64;
        let (born, drawn) = (self.inserted, false);
        let written = Written { id, stream, number, episode, subspace, next, born, drawn };
        self.rings[ring].push_back(written);
        self.next_ids[ring] += 1;
        self.numbers[stream as usize] += 1;
        self.episodes[stream as usize] += u32::from(span.is_none());
    }

    fn is_sampleable(&self, slot: &Written) -> bool {
        slot.next.is_some_and(|next| next < self.numbers[slot.stream as usize])
    }

    fn sampleable(&self) -> impl Iterator<Item = &Written> {
        self.rings.iter().flatten().filter(|slot| self.is_sampleable(slot))
    }

    fn break_off(&mut self, stream: u32) {
        self.episodes[stream as usize] += 1;
        let numbers = self.numbers.clone();
        for slot in self.rings.iter_mut().flatten().filter(|slot| slot.stream == stream) {
            let waits = |next| next >= numbers[stream as usize];
            if slot.next.is_some_and(waits) {
                slot.next = None;
                self.dropped += 1;
            }
        }
    }

    fn draw(&mut self, id: u64) -> Written {
        let slot = *self.sampleable().find(|slot| slot.id == id).unwrap();
        self.counts[slot.subspace as usize].sampled += 1;
        self.rings.iter_mut().flatten().find(|slot| slot.id == id).unwrap().drawn = true;
        slot
    }

    fn stats(&self, subspace: usize) -> SubspaceStats {
        let all = self.sampleable().count() as u64;
        let own = || self.sampleable().filter(|slot| slot.subspace as usize == subspace);
        let ratio = |part: u64, whole| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let size = own().count() as u64;
        let Count { inserted, sampled, forgotten } = self.counts[subspace];
        SubspaceStats {
            size,
            share: ratio(size, all),
            age_env_steps: ratio(own().map(|slot| self.inserted - slot.born).sum(), size),
            reuse: ratio(sampled, inserted),
            coverage: ratio(own().filter(|slot| slot.drawn).count() as u64, size),
            forgotten,
            inserted,
            sampled,
        }
    }
}

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

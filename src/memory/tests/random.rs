//! Random operations against a model: every segment ever handed in, and its newest codes.

use super::*;
use crate::memory::SegmentLaw;
use contrail_envs::Prng;
use proptest::prelude::*;

struct World {
    memory: EpisodicMemory,
    builders: Vec<SegmentBuilder>,
    /// Env steps of the running episode of each stream, and its subspace.
    running: Vec<(u32, u32)>,
    /// All that were taken in, with their newest codes.
    taken: Vec<(SegmentId, Segment, Option<Vec<u8>>)>,
    rng: Prng,
}

impl World {
    fn new(capacity: usize, replacement: Replacement) -> Self {
        let config = MemoryConfig { horizon_env_steps: 3, replacement, ..config(capacity, 2) };
        Self {
            builders: (0..2).map(|stream| SegmentBuilder::new(&config, stream)).collect(),
            memory: memory(&config),
            running: vec![(0, 0), (0, 1)],
            taken: Vec::new(),
            rng: SeedStream::root(4).rng(),
        }
    }

    /// One env step, whose reward is 0 to 2.
    fn step(&mut self, stream: usize, outcome: Outcome) {
        let (step, subspace) = self.running[stream];
        let (_, number) = self.builders[stream].episode();
        let obs = |step: u32| [stream as f32, number as f32, step as f32];
        let one = OneStep {
            obs: ObsRef::F32(&obs(step)),
            action: Action::Discrete(step as usize),
            reward: (step % 3) as f32,
            outcome,
            next_obs: ObsRef::F32(&obs(step + 1)),
            subspace,
            context: &[number as f64],
        };
        if let Some(segment) = self.builders[stream].push(one, 0) {
            if let Some(id) = self.memory.insert(segment, &mut self.rng).unwrap() {
                self.taken.push((id, segment.clone(), None));
            }
            let ended = segment.episode_return.map(|paid| (segment.episode, paid));
            if let Some((episode, paid)) = ended {
                let own = |s: &&mut (SegmentId, Segment, Option<Vec<u8>>)| {
                    s.1.stream == stream as u32 && s.1.episode == episode
                };
                self.taken.iter_mut().filter(own).for_each(|s| s.1.episode_return = Some(paid));
            }
        }
        self.running[stream] =
            if outcome.ends_episode() { (0, 1 - subspace) } else { (step + 1, subspace) };
    }

    fn code(&mut self, which: usize, version: u64, seed: u8) {
        if self.taken.is_empty() {
            return;
        }
        let which = which % self.taken.len();
        let (id, segment, known) = &mut self.taken[which];
        let levels = (segment.rewards.len() + 1) * 2;
        let codes: Vec<u8> =
            (0..levels).map(|i| (usize::from(seed) * (i / 2 + 1) / 3 % 3) as u8).collect();
        let newer = self.memory.codes(*id).is_some_and(|(_, newer)| newer > version);
        let taken = self.memory.set_readings(*id, version, (&codes, &[])).unwrap();
        assert_eq!(taken, self.memory.contains(*id) && !newer);
        if taken {
            *known = Some(codes);
        }
    }

    fn save_and_restore(&mut self) {
        let mut bytes = Vec::new();
        self.memory.save(&mut bytes).unwrap();
        let mut restored = memory(self.memory.config());
        restored.restore(&mut bytes.as_slice()).unwrap();
        for code in 0..9 {
            let holders = |memory: &EpisodicMemory| memory.holders(code).collect::<Vec<_>>();
            assert_eq!(holders(&restored), holders(&self.memory), "in the same order");
        }
        self.memory = restored;
    }

    fn check(&self) {
        self.memory.check_valid().unwrap();
        let stored = || self.taken.iter().filter(|taken| self.memory.contains(taken.0));
        assert_eq!(stored().count(), self.memory.len());
        let mut expected: Vec<Vec<(SegmentId, usize)>> = vec![Vec::new(); 9];
        for (id, segment, codes) in stored() {
            self.check_segment(*id, segment);
            for (position, code) in codes.iter().flat_map(|codes| codes.chunks(2)).enumerate() {
                expected[usize::from(code[0] + 3 * code[1])].push((*id, position));
            }
        }
        for (code, expected) in expected.iter_mut().enumerate() {
            let places = self.memory.holders(code as u64);
            let mut found: Vec<_> = places.map(|p| (p.segment, p.position)).collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, *expected, "code {code}");
        }
    }

    /// What was stored comes out, and lies within one episode.
    fn check_segment(&self, id: SegmentId, segment: &Segment) {
        let batch = self.memory.batch(&[id]).unwrap();
        let len = segment.rewards.len();
        let (ObsBatch::F32(obs), ObsBuffer::F32(given)) = (&batch.obs, &segment.obs) else {
            panic!("floats")
        };
        assert_eq!(obs[..given.len()], given[..]);
        assert!(obs[given.len()..].iter().all(|value| *value == 0.0));
        for pair in given.chunks(3).collect::<Vec<_>>().windows(2) {
            assert_eq!(pair[0][..2], pair[1][..2], "one episode");
            assert_eq!(pair[0][2] + 1.0, pair[1][2], "step after step");
        }
        assert_eq!(batch.rewards[..len], segment.rewards[..]);
        assert_eq!((batch.lengths[0] as usize, batch.subspaces[0]), (len, segment.subspace));
        assert_eq!(batch.episodes[0], (segment.stream, segment.episode));
        assert_eq!(batch.episode_returns[0], segment.episode_return);
        assert_eq!(batch.contexts, segment.context);
    }

    fn surprise(&mut self, which: usize, value: f32) {
        if !self.taken.is_empty() {
            let id = self.taken[which % self.taken.len()].0;
            let ignored = self.memory.update_surprises(&[id], &[value]).unwrap();
            assert_eq!(ignored, usize::from(!self.memory.contains(id)));
        }
    }

    fn sample(&mut self, law: SegmentLaw, subspace: Option<u32>) {
        if let Ok(ids) = self.memory.sample(8, law, subspace, &mut self.rng) {
            let batch = self.memory.batch(&ids).unwrap();
            assert!(subspace.is_none_or(|own| batch.subspaces.iter().all(|s| *s == own)));
        } else {
            let held = |s: u32| self.memory.len_of(s as usize);
            assert_eq!(subspace.map_or(self.memory.len(), held), 0);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Step(usize, Outcome),
    BreakOff(usize),
    Code(usize, u64, u8),
    Surprise(usize, f32),
    Sample(SegmentLaw, Option<u32>),
    SaveAndRestore,
}

fn operation() -> impl Strategy<Value = Operation> {
    let outcome = prop_oneof![8 => Just(Continue), 1 => Just(Terminated), 1 => Just(Truncated)];
    let law = prop_oneof![
        Just(SegmentLaw::Uniform),
        Just(SegmentLaw::Return),
        Just(SegmentLaw::Surprise)
    ];
    let subspace = prop_oneof![Just(None), (0_u32..2).prop_map(Some)];
    prop_oneof![
        30 => (0..2_usize, outcome).prop_map(|(stream, outcome)| Operation::Step(stream, outcome)),
        1 => (0..2_usize).prop_map(Operation::BreakOff),
        15 => (any::<usize>(), 0..4_u64, any::<u8>()).prop_map(|(w, v, c)| Operation::Code(w, v, c)),
        3 => (any::<usize>(), 0.0..9.0_f32).prop_map(|(w, value)| Operation::Surprise(w, value)),
        2 => (law, subspace).prop_map(|(law, subspace)| Operation::Sample(law, subspace)),
        1 => Just(Operation::SaveAndRestore),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn agrees_with_the_model(
        capacity in 2_usize..12,
        replacement in prop::sample::select(&[Replacement::Reservoir, Replacement::Oldest][..]),
        operations in prop::collection::vec(operation(), 1..250),
    ) {
        let mut world = World::new(capacity, replacement);
        for operation in operations {
            match operation {
                Operation::Step(stream, outcome) => world.step(stream, outcome),
                Operation::BreakOff(stream) => {
                    world.builders[stream].break_off();
                    world.running[stream].0 = 0;
                }
                Operation::Code(which, version, seed) => world.code(which, version, seed),
                Operation::Surprise(which, value) => world.surprise(which, value),
                Operation::Sample(law, subspace) => world.sample(law, subspace),
                Operation::SaveAndRestore => world.save_and_restore(),
            }
            world.check();
        }
    }
}

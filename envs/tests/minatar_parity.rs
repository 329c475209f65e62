//! The `MinAtar` games against recorded play of the Python package: with the same actions and the
//! same random outcomes, every observation, reward and end is the same.
//!
//! `fixtures/record_minatar.py` made the records, says with which version, and describes the file
//! format and how it plays to get deep into the games.

use contrail_envs::builtin::minatar::{
    Asterix, Breakout, CELLS, Draws, Freeway, Game, Move, Rules, Seaquest, SpaceInvaders,
    StickyAction,
};

const KEYFRAME_PERIOD_STEPS: usize = 50;
const FLAG_ENDED: u8 = 1 << 3;
const FLAG_RESET: u8 = 1 << 4;

/// Recorded outcomes, given out one by one.
struct Script<'a> {
    outcomes: &'a [u8],
    at: &'a str,
}

impl Script<'_> {
    fn next(&mut self, wanted: &str) -> u8 {
        let Some((&outcome, rest)) = self.outcomes.split_first() else {
            panic!("{}: {wanted} is drawn, but the package drew no more", self.at)
        };
        self.outcomes = rest;
        outcome
    }
}

impl Draws for Script<'_> {
    fn chance(&mut self, probability: f64) -> bool {
        let sixtieth = self.next("a chance");
        assert!(sixtieth < 60, "{}: the package drew an integer, not a chance", self.at);
        // The record says in which sixtieth the number lay, so its middle compares like it.
        (f64::from(sixtieth) + 0.5) / 60.0 < probability
    }

    fn below(&mut self, n: u32) -> u32 {
        let outcome = self.next("an integer");
        let recorded_n = u32::from(outcome >> 3 & 7) + 1;
        assert!(outcome & 0xc0 == 0x80, "{}: the package drew a chance, not an integer", self.at);
        assert_eq!(n, recorded_n, "{}: number of possible integers", self.at);
        u32::from(outcome & 7)
    }
}

/// Reads the record from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    /// The next event; `packed_len` is given when it comes with its whole observation.
    fn event(&mut self, packed_len: Option<usize>) -> Event<'a> {
        let (flags, reward, draw_count) = (self.byte(), self.byte(), self.byte());
        Event {
            is_reset: flags & FLAG_RESET != 0,
            chosen: Move::ALL[usize::from(flags & 7)],
            ended: flags & FLAG_ENDED != 0,
            reward: f32::from(reward),
            outcomes: self.bytes(draw_count.into()),
            hash: self.bytes(8).iter().rev().fold(0, |hash, &byte| hash << 8 | u64::from(byte)),
            packed: packed_len.map(|len| self.bytes(len)),
        }
    }
}

/// A reset or a step of the package.
struct Event<'a> {
    is_reset: bool,
    chosen: Move,
    ended: bool,
    reward: f32,
    outcomes: &'a [u8],
    hash: u64,
    packed: Option<&'a [u8]>,
}

fn pack(obs: &[u8]) -> Vec<u8> {
    assert!(obs.iter().all(|&value| value <= 1), "values are 0 and 1");
    obs.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    bytes.iter().fold(start, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// What a record covers, so that a shortened one cannot pass.
#[derive(Debug, Default)]
struct Coverage {
    steps: usize,
    ends: usize,
    keyframes: usize,
    best_return: f32,
}

/// A game that plays along.
#[derive(Default)]
struct Replay<G> {
    game: G,
    sticky: StickyAction,
    obs: Vec<u8>,
    episode_return: f32,
    coverage: Coverage,
}

impl<G: Game> Replay<G> {
    fn new() -> Self {
        let sticky = StickyAction { probability: 0.1, last: Move::Stay };
        // Ones, so that an observation which is not fully overwritten shows.
        let obs = vec![1; G::CHANNELS.len() * CELLS];
        Self { sticky, obs, ..Self::default() }
    }

    fn follow(&mut self, event: &Event<'_>, at: &str) {
        let mut script = Script { outcomes: event.outcomes, at };
        if event.is_reset {
            self.game.reset(Rules::default(), &mut script);
            self.episode_return = 0.0;
        } else {
            let played = self.sticky.play(event.chosen, &mut script);
            let step = self.game.act(played, &mut script);
            assert_eq!(step.reward, event.reward, "{at}: reward");
            assert_eq!(step.outcome.ends_episode(), event.ended, "{at}: end");
            self.count(event);
        }
        assert!(script.outcomes.is_empty(), "{at}: draws left {:?}", script.outcomes);
        self.game.write_observation(&mut self.obs);
        let packed = pack(&self.obs);
        if let Some(expected) = event.packed {
            assert_eq!(packed, expected, "{at}: observation");
            self.coverage.keyframes += 1;
        }
        assert_eq!(fnv1a(&packed), event.hash, "{at}: hash of the observation");
    }

    fn count(&mut self, event: &Event<'_>) {
        self.episode_return += event.reward;
        self.coverage.best_return = self.coverage.best_return.max(self.episode_return);
        self.coverage.ends += usize::from(event.ended);
        self.coverage.steps += 1;
    }
}

fn replay<G: Game>(record: &[u8]) -> Coverage {
    let mut reader = Reader(record);
    assert_eq!(reader.bytes(8), b"MINATAR1");
    assert_eq!(usize::from(reader.byte()), G::CHANNELS.len(), "planes");
    let packed_len = (G::CHANNELS.len() * CELLS).div_ceil(8);
    let mut replay = Replay::<G>::new();
    while !reader.0.is_empty() {
        let Coverage { steps, ends, .. } = replay.coverage;
        let is_keyframe = steps.is_multiple_of(KEYFRAME_PERIOD_STEPS);
        let event = reader.event(is_keyframe.then_some(packed_len));
        replay.follow(&event, &format!("{} episode {ends} step {steps}", G::NAME));
    }
    replay.coverage
}

fn check<G: Game>(record: &[u8], least_best_return: f32) {
    let coverage = replay::<G>(record);
    assert!(coverage.steps >= 6000, "{coverage:?}");
    assert!(coverage.ends >= 3, "{coverage:?}");
    assert!(coverage.keyframes >= 120, "{coverage:?}");
    assert!(coverage.best_return >= least_best_return, "{coverage:?}");
}

#[test]
fn breakout_plays_as_recorded() {
    // More than 30: a second wall.
    check::<Breakout>(include_bytes!("fixtures/minatar_breakout.bin"), 31.0);
}

#[test]
fn asterix_plays_as_recorded() {
    check::<Asterix>(include_bytes!("fixtures/minatar_asterix.bin"), 40.0);
}

#[test]
fn freeway_plays_as_recorded() {
    check::<Freeway>(include_bytes!("fixtures/minatar_freeway.bin"), 30.0);
}

#[test]
fn seaquest_plays_as_recorded() {
    check::<Seaquest>(include_bytes!("fixtures/minatar_seaquest.bin"), 15.0);
}

#[test]
fn space_invaders_plays_as_recorded() {
    // More than 72: a fourth wave.
    check::<SpaceInvaders>(include_bytes!("fixtures/minatar_space_invaders.bin"), 73.0);
}

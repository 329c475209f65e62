use super::*;
use crate::builtin::minatar::{Asterix, Breakout, Freeway, Seaquest, SpaceInvaders};
use crate::{Outcome, SeedStream};
use rand::RngExt;

/// Shows what the adapter tells a game: element 0 is the ramping rule, element 1 the move played.
#[derive(Default, Serialize, Deserialize)]
struct Echo {
    ramping: bool,
    played: Move,
}

impl Game for Echo {
    const NAME: &'static str = "Echo";
    const CHANNELS: &'static [&'static str] = &["echo"];
    const MINIMAL_ACTIONS: &'static [Move] = &[Move::Stay, Move::Up, Move::Fire];

    fn reset(&mut self, rules: Rules, _draws: &mut impl Draws) {
        *self = Self { ramping: rules.difficulty_ramping, played: Move::Stay };
    }

    fn act(&mut self, action: Move, _draws: &mut impl Draws) -> Step {
        self.played = action;
        let ends = action == Move::Fire;
        Step::new(0.0, if ends { Outcome::Terminated } else { Outcome::Continue })
    }

    fn write_observation(&self, obs: &mut [u8]) {
        obs.fill(0);
        obs[0] = u8::from(self.ramping);
        obs[1] = self.played as u8;
    }
}

/// The outcomes of `chance`, one after the other.
struct Coins<'a>(&'a [bool]);

impl Draws for Coins<'_> {
    fn chance(&mut self, _probability: f64) -> bool {
        let (&first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        first
    }

    fn below(&mut self, _n: u32) -> u32 {
        panic!("sticky actions draw no integer")
    }
}

#[test]
fn the_move_that_was_played_sticks() {
    use Move::{Down, Fire, Left, Right, Stay, Up};
    // chosen, whether the move before sticks, played
    let table = [
        (Left, true, Stay),
        (Left, false, Left),
        (Right, true, Left),
        (Up, true, Left),
        (Down, false, Down),
        (Fire, true, Down),
    ];
    let coins = table.map(|(_, sticks, _)| sticks);
    let mut draws = Coins(&coins);
    let mut sticky = StickyAction::default();
    for (row, (chosen, _, played)) in table.into_iter().enumerate() {
        assert_eq!(sticky.play(chosen, &mut draws), played, "row {row}");
    }
}

#[test]
fn sticky_probability_0_plays_the_chosen_move_and_1_never_does() {
    // Index 1 of Echo's minimal set is Up, index 2 of all moves.
    for (probability, played) in [(0.0, Move::Up), (1.0, Move::Stay)] {
        let mut env = MinAtar::<Echo>::new(ActionSet::Minimal);
        let context = env.spec().context.with(&[("sticky_action_prob", probability)]).unwrap();
        let mut obs = [9; CELLS];
        for seed in 0..20 {
            env.reset(seed, &context, ObsMut::U8(&mut obs)).unwrap();
            env.step(Action::Discrete(1), ObsMut::U8(&mut obs)).unwrap();
            assert_eq!(obs[1], played as u8, "probability {probability}, seed {seed}");
        }
    }
}

#[test]
fn the_default_sticky_probability_is_a_tenth() {
    let mut env = MinAtar::<Echo>::new(ActionSet::Full);
    let context = env.spec().context.default_context();
    let (mut obs, mut stuck) = ([0; CELLS], 0);
    for seed in 0..10_000 {
        env.reset(seed, &context, ObsMut::U8(&mut obs)).unwrap();
        env.step(Action::Discrete(2), ObsMut::U8(&mut obs)).unwrap();
        stuck += i32::from(obs[1] == Move::Stay as u8);
    }
    // 1000 +- 5 standard deviations of sqrt(10000 * 0.1 * 0.9) = 30.
    assert!((850..=1150).contains(&stuck), "{stuck} of 10000 stuck");
}

#[test]
fn ramping_is_on_from_a_half() {
    let mut env = MinAtar::<Echo>::new(ActionSet::Full);
    let mut obs = [9; CELLS];
    for (value, on) in [(0.0, 0), (0.49, 0), (0.5, 1), (1.0, 1)] {
        let context = env.spec().context.with(&[("difficulty_ramping", value)]).unwrap();
        env.reset(0, &context, ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(obs[0], on, "difficulty_ramping {value}");
    }
}

#[test]
fn a_reset_forgets_the_last_move() {
    let mut env = MinAtar::<Echo>::new(ActionSet::Full);
    let (free, stuck) = (&[("sticky_action_prob", 0.0)], &[("sticky_action_prob", 1.0)]);
    let contexts = [free, stuck].map(|values| env.spec().context.with(values).unwrap());
    let mut obs = [9; CELLS];
    for (context, played) in contexts.iter().zip([Move::Up, Move::Stay]) {
        env.reset(0, context, ObsMut::U8(&mut obs)).unwrap();
        env.step(Action::Discrete(2), ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(obs[1], played as u8);
    }
}

/// Plays `steps` random moves from a running episode; a later episode takes the next seed.
fn play<G: Game>(env: &mut MinAtar<G>, rng: &mut Prng, steps: u64) -> Vec<(Step, Vec<u8>)> {
    let context = env.spec().context.default_context();
    let mut obs = vec![0; G::CHANNELS.len() * CELLS];
    let mut played = Vec::new();
    for seed in 0..steps {
        let action = Action::Discrete(rng.random_range(0..env.moves.len()));
        let step = env.step(action, ObsMut::U8(&mut obs)).unwrap();
        played.push((step, obs.clone()));
        if step.outcome.ends_episode() {
            env.reset(seed, &context, ObsMut::U8(&mut obs)).unwrap();
        }
    }
    played
}

fn started<G: Game>(seed: u64) -> MinAtar<G> {
    let mut env = MinAtar::<G>::new(ActionSet::Minimal);
    let context = env.spec().context.default_context();
    let mut obs = vec![0; G::CHANNELS.len() * CELLS];
    env.reset(seed, &context, ObsMut::U8(&mut obs)).unwrap();
    env
}

fn check_seeds_and_states<G: Game>() {
    let actions = || SeedStream::root(3).rng();
    let (mut a, mut b) = (started::<G>(5), started::<G>(5));
    let played = play(&mut a, &mut actions(), 600);
    assert_eq!(played, play(&mut b, &mut actions(), 600), "{}: same seed", G::NAME);
    let other = play(&mut started::<G>(6), &mut actions(), 600);
    assert_ne!(played, other, "{}: another seed", G::NAME);

    let mut env = started::<G>(5);
    let mut rng = actions();
    play(&mut env, &mut rng, 40);
    let mut state = Vec::new();
    env.save_state(&mut state).unwrap();
    let mut restored = MinAtar::<G>::new(ActionSet::Minimal);
    restored.restore_state(&state).unwrap();
    let (mut rest_a, mut rest_b) = (rng.clone(), rng);
    let expected = play(&mut env, &mut rest_a, 500);
    assert_eq!(play(&mut restored, &mut rest_b, 500), expected, "{}: restored", G::NAME);
    assert!(MinAtar::<G>::new(ActionSet::Full).restore_state(&state).is_err());
}

#[test]
fn seeds_and_states_give_the_same_episode_again() {
    check_seeds_and_states::<Asterix>();
    check_seeds_and_states::<Breakout>();
    check_seeds_and_states::<Freeway>();
    check_seeds_and_states::<Seaquest>();
    check_seeds_and_states::<SpaceInvaders>();
}

#[test]
fn breakout_at_random_returns_what_the_package_returns() {
    // Means of 300,000 random steps of the package 1.0.15: 0.509 with all six moves, 0.385 with the
    // three minimal ones, standard error 0.004 each. Ours over 100,000 steps have 0.008, so 0.045
    // is five standard errors of the difference.
    for (set, expected) in [(ActionSet::Full, 0.509), (ActionSet::Minimal, 0.385)] {
        let mut env = MinAtar::<Breakout>::new(set);
        let context = env.spec().context.default_context();
        env.reset(1, &context, ObsMut::U8(&mut [0; 4 * CELLS])).unwrap();
        let played = play(&mut env, &mut SeedStream::root(1).rng(), 100_000);
        let reward: f64 = played.iter().map(|(step, _)| f64::from(step.reward)).sum();
        let episodes = played.iter().filter(|(step, _)| step.outcome.ends_episode()).count();
        let mean = reward / episodes as f64;
        assert!((mean - expected).abs() < 0.045, "{set:?}: {mean} over {episodes} episodes");
    }
}

#[test]
fn steps_outside_an_episode_are_refused() {
    let mut env = MinAtar::<Echo>::new(ActionSet::Minimal);
    let (mut obs, context) = ([0; CELLS], env.spec().context.with(&[("sticky_action_prob", 0.0)]));
    let fresh = env.step(Action::Discrete(0), ObsMut::U8(&mut obs)).unwrap_err().to_string();
    assert!(fresh.contains("before the first reset"), "{fresh}");
    assert!(env.render(&mut RgbFrame::default()).is_err());
    env.reset(0, &context.unwrap(), ObsMut::U8(&mut obs)).unwrap();
    let bad = env.step(Action::Discrete(3), ObsMut::U8(&mut obs)).unwrap_err().to_string();
    assert!(bad.contains("MinAtar/Echo-v1"), "{bad}");
    env.step(Action::Discrete(2), ObsMut::U8(&mut obs)).unwrap();
    let over = env.step(Action::Discrete(0), ObsMut::U8(&mut obs)).unwrap_err().to_string();
    assert!(over.contains("after the end"), "{over}");
}

#[test]
fn a_frame_shows_the_later_plane() {
    // At the start the ball is at an end of row 3, behind a brick: bricks are the later plane.
    let env = started::<Breakout>(0);
    let mut frame = RgbFrame::default();
    env.render(&mut frame).unwrap();
    assert_eq!((frame.width, frame.height), (300, 300));
    let pixel = |x: usize, y: usize| {
        let at = 3 * (y * frame.width + x);
        [frame.pixels[at], frame.pixels[at + 1], frame.pixels[at + 2]]
    };
    let center = |cell: usize| cell * 30 + 15;
    assert_eq!(pixel(center(4), center(9)), PALETTE[0], "paddle");
    assert_eq!(pixel(center(4), center(1)), PALETTE[3], "brick");
    assert_eq!(pixel(center(4), center(8)), BACKGROUND);
    assert_eq!(pixel(0, 0), BACKGROUND);
    for column in [0, 9] {
        assert_eq!(pixel(center(column), center(3)), PALETTE[3], "column {column}");
    }
}

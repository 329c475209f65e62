use super::*;
use crate::builtin::minatar::{ActionSet, Breakout, Freeway, Game, MinAtar, SpaceInvaders, Stream};
use crate::wrappers::ActionRepeat;
use crate::{Action, Environment, ObsMut, Outcome, RgbFrame, SeedStream, Step, state};
use rand::RngExt;

#[test]
fn permutations_come_in_the_order_of_the_dictionary() {
    let of_three = ["012", "021", "102", "120", "201", "210"];
    for (number, expected) in of_three.into_iter().enumerate() {
        let order = permutation(number as u32, 3);
        assert_eq!(order[..3].iter().map(ToString::to_string).collect::<String>(), expected);
    }
    // 5039 = 7! - 1; 10 = 1 * 3! + 2 * 2! + 0 * 1!: element 1, then the third of 0 2 3, then 0.
    assert_eq!(permutation(5039, 7)[..7], [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(permutation(10, 4)[..4], [1, 3, 0, 2]);
    assert_eq!(permutation(3_628_799, 10), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

/// An observation of `planes` planes, and the environment that is in its first state.
fn started<G: Game>(values: &[(&str, f64)]) -> (MinAtar<G>, Vec<u8>) {
    let mut env = MinAtar::<G>::new(ActionSet::Full);
    let context = env.spec().context.with(values).unwrap();
    let mut obs = vec![7; env.spec().obs.len()];
    env.reset(0, &context, ObsMut::U8(&mut obs)).unwrap();
    (env, obs)
}

/// Cells of a plane that hold 1, as (column, row).
fn cells(obs: &[u8], plane: usize) -> Vec<(usize, usize)> {
    let plane = &obs[plane * CELLS..(plane + 1) * CELLS];
    (0..CELLS).filter(|cell| plane[*cell] == 1).map(|cell| (cell % SIZE, cell / SIZE)).collect()
}

fn pixel(env: &dyn Environment, (x, y): (usize, usize)) -> [u8; 3] {
    let mut frame = RgbFrame::default();
    env.render(&mut frame).unwrap();
    let at = 3 * ((30 * y + 15) * frame.width + 30 * x + 15);
    [frame.pixels[at], frame.pixels[at + 1], frame.pixels[at + 2]]
}

/// The paddle of Breakout begins in column 4 of row 9, plane 0; the move 1 is left.
#[test]
fn a_mirror_turns_the_view_and_not_the_moves() {
    for (mirror, before, after) in [(0.0, 4, 3), (0.49, 4, 3), (0.5, 5, 6), (1.0, 5, 6)] {
        let values = [("mirror", mirror), ("sticky_action_prob", 0.0)];
        let (mut env, mut obs) = started::<Breakout>(&values);
        assert_eq!(cells(&obs, 0), [(before, 9)], "mirror {mirror}");
        assert_ne!(pixel(&env, (before, 9)), pixel(&env, (9 - before, 9)), "mirror {mirror}");
        env.step(Action::Discrete(1), ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(cells(&obs, 0), [(after, 9)], "mirror {mirror}");
    }
}

/// Planes of Breakout: 0 paddle, 1 ball, 2 trail, 3 bricks.
#[test]
fn a_permutation_moves_planes_and_their_colors() {
    let (published, usual) = started::<Breakout>(&[]);
    let planes: Vec<_> = (0..4).map(|plane| cells(&usual, plane)).collect();
    assert_eq!((planes[0].len(), planes[3].len()), (1, 30));
    for (number, order) in [(0, [0, 1, 2, 3]), (1, [0, 1, 3, 2]), (10, [1, 3, 0, 2])] {
        let (_, obs) = started::<Breakout>(&[("channel_permutation", f64::from(number))]);
        for (place, plane) in order.into_iter().enumerate() {
            assert_eq!(cells(&obs, place), planes[plane], "permutation {number}, place {place}");
        }
    }
    // 23 is the reverse, so the paddle has the color of the bricks and the other way round.
    let (reversed, _) = started::<Breakout>(&[("channel_permutation", 23.0)]);
    let (paddle, brick) = ((4, 9), (4, 2));
    assert_eq!(pixel(&reversed, paddle), pixel(&published, brick));
    assert_eq!(pixel(&reversed, brick), pixel(&published, paddle));
}

#[test]
fn a_mirror_and_a_permutation_go_together() {
    let (_, obs) = started::<Breakout>(&[("channel_permutation", 23.0), ("mirror", 1.0)]);
    assert_eq!(cells(&obs, 3), [(5, 9)]);
}

/// The chicken of Freeway waits 3 frames between two moves up: 1 row after 1 decision of 1 to 3
/// frames, 2 rows after one of 4.
#[test]
fn speed_counts_frames() {
    for (speed, row) in [(1, 9), (2, 9), (3, 9), (4, 8)] {
        let values = [("speed", f64::from(speed)), ("sticky_action_prob", 0.0)];
        let (mut env, mut obs) = started::<Freeway>(&values);
        let step = env.step(Action::Discrete(2), ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(step, Step { reward: 0.0, outcome: Outcome::Continue, frames: speed });
        assert_eq!(cells(&obs, 0), [(4, row)], "speed {speed}");
    }
}

/// The published game under the wrapper has the same rewards, ends and observations, frames of a
/// decision that the end cuts short included.
#[test]
fn speed_is_action_repeat() {
    fn same<G: Game + 'static>(speed: u32) {
        let (mut env, mut obs) = started::<G>(&[("speed", f64::from(speed))]);
        let context = env.spec().context.with(&[("speed", f64::from(speed))]).unwrap();
        let inner = MinAtar::<G>::new(ActionSet::Full);
        let published = inner.spec().context.default_context();
        let mut wrapped = ActionRepeat::new(Box::new(inner), speed).unwrap();
        let mut expected = obs.clone();
        wrapped.reset(0, &published, ObsMut::U8(&mut expected)).unwrap();
        let (mut rng, mut short, mut sum) = (SeedStream::root(4).rng(), 0, 0.0);
        for seed in 0..4000 {
            let action = Action::Discrete(rng.random_range(0..6));
            let step = env.step(action, ObsMut::U8(&mut obs)).unwrap();
            assert_eq!(step, wrapped.step(action, ObsMut::U8(&mut expected)).unwrap());
            assert_eq!(obs, expected);
            short += u32::from(step.frames < speed);
            sum += step.reward;
            if step.outcome.ends_episode() {
                env.reset(seed, &context, ObsMut::U8(&mut obs)).unwrap();
                wrapped.reset(seed, &published, ObsMut::U8(&mut expected)).unwrap();
            }
        }
        assert!(short > 5 && sum > 5.0, "{}: {short} short decisions, return {sum}", G::NAME);
    }
    same::<Breakout>(3);
    same::<SpaceInvaders>(4);
}

#[test]
fn numbers_that_must_be_whole_are() {
    let mut env = MinAtar::<Stream>::new(ActionSet::Full);
    let mut obs = vec![0; env.spec().obs.len()];
    for (name, value, allowed) in [
        ("channel_permutation", 1.5, "0 to 5039"),
        ("speed", 1.0001, "1 to 4"),
        ("game", 0.5, "0 to 2"),
    ] {
        let context = env.spec().context.with(&[(name, value)]).unwrap();
        let error = env.reset(0, &context, ObsMut::U8(&mut obs)).unwrap_err().to_string();
        let expected =
            format!("context value {name} is {value}, allowed are whole numbers from {allowed}");
        assert_eq!(error, expected);
    }
}

#[test]
fn impossible_variants_are_refused_in_a_state() {
    let table = [
        (Variant { permutation: 23, speed_frames: 4, mirrored: true }, None),
        (Variant { permutation: 24, ..Variant::default() }, Some("channel permutation 24 of 4")),
        (Variant { speed_frames: 0, ..Variant::default() }, Some("a speed of 0 frames")),
        (Variant { speed_frames: 5, ..Variant::default() }, Some("a speed of 5 frames")),
    ];
    for (variant, expected) in table {
        let fault = variant.fault(4);
        assert_eq!(fault.is_some(), expected.is_some(), "{fault:?}");
        assert!(fault.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
}

/// Each game of the stream is the game itself, with planes of zeros after its own.
#[test]
fn the_stream_plays_three_games() {
    fn same<G: Game>(game: f64) {
        let (mut stream, mut padded) = started::<Stream>(&[("game", game)]);
        let (mut alone, mut obs) = started::<G>(&[]);
        let mut rng = SeedStream::root(8).rng();
        for number in 0..30 {
            assert_eq!(padded[..obs.len()], obs, "game {game}, step {number}");
            assert!(padded[obs.len()..].iter().all(|element| *element == 0), "game {game}");
            let action = Action::Discrete(rng.random_range(0..6));
            let step = stream.step(action, ObsMut::U8(&mut padded)).unwrap();
            assert_eq!(step, alone.step(action, ObsMut::U8(&mut obs)).unwrap());
            if step.outcome.ends_episode() {
                break;
            }
        }
    }
    same::<Breakout>(0.0);
    same::<SpaceInvaders>(1.0);
    same::<Freeway>(2.0);
    let env = MinAtar::<Stream>::new(ActionSet::Full);
    assert_eq!(env.id(), "MinAtar/Stream-v0");
    assert_eq!(
        (env.spec().obs.shape.as_slice(), env.spec().action.to_string()),
        (&[7, 10, 10][..], "Discrete(6): 0 to 5".into())
    );
}

/// A state of Freeway, permuted, comes back into an environment that plays Breakout.
#[test]
fn a_saved_state_says_which_game_and_variant() {
    let variant = [("game", 2.0), ("channel_permutation", 100.0), ("mirror", 1.0), ("speed", 2.0)];
    let (mut saved, mut obs) = started::<Stream>(&variant);
    let mut bytes = Vec::new();
    saved.save_state(&mut bytes).unwrap();
    let (mut other, _) = started::<Stream>(&[]);
    other.restore_state(&bytes).unwrap();
    let mut restored = vec![0; obs.len()];
    for number in 0..20 {
        let action = Action::Discrete(number % 6);
        let step = saved.step(action, ObsMut::U8(&mut obs)).unwrap();
        assert_eq!(other.step(action, ObsMut::U8(&mut restored)).unwrap(), step);
        assert_eq!((restored == obs, step.frames), (true, 2), "step {number}");
    }
    let mut foreign = Vec::new();
    state::save("MinAtar/Stream-v0", &7_u8, &mut foreign).unwrap();
    assert!(other.restore_state(&foreign).is_err());
}

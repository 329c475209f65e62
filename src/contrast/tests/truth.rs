//! Whether an expert acts alike after two observations, by hand.

use super::*;
use crate::contrast::table::Spot;
use crate::contrast::truth::acts_alike;
use crate::memory::Place;

/// Actions of every episode are `step % 3`: 0 1 2 0 1 2 0 1 2 0, and then it ends. Of episode 1 the
/// first 4 are stored; episode 2 is truncated after 2.
#[test]
fn a_termination_is_known_and_what_is_not_stored_or_was_truncated_is_not() {
    let mut contrasts = filled(&config(), 1);
    contrasts.insert(&segment(1, 1, (0, 4), Continue), &mut rng(0)).unwrap();
    contrasts.insert(&segment(0, 2, (0, 2), Truncated), &mut rng(0)).unwrap();
    let stores = &contrasts.stores;
    let spot = |episode: u64, step: usize| {
        let segment = stores.recent.find((0, episode), (step / 4) as u32).unwrap();
        let place = Place { segment, position: step % 4 };
        Spot::of(stores, Store::Recent, place).unwrap()
    };
    let cases = [
        ((0, 2), (0, 5), 4, Some(true)),  // 2 0 1 2 and 2 0 1 2
        ((0, 2), (0, 3), 4, Some(false)), // 2 and 0
        ((0, 8), (0, 8), 4, Some(true)),  // 2 0 end, twice
        ((0, 8), (0, 5), 4, Some(false)), // 2 0 end and 2 0 1
        ((0, 8), (0, 5), 2, Some(true)),  // as far as it was asked
        ((1, 2), (0, 2), 2, Some(true)),  // 2 0 and 2 0
        ((1, 2), (0, 2), 3, None),        // 2 0 ? and 2 0 1
        ((1, 2), (0, 8), 3, None),        // 2 0 ? and 2 0 end
        ((1, 2), (1, 2), 3, None),        // 2 0 ?, twice
        ((1, 3), (0, 1), 3, Some(false)), // 0 and 1
        ((2, 0), (0, 0), 2, Some(true)),  // 0 1 and 0 1
        ((2, 0), (0, 0), 3, None),        // 0 1 ? and 0 1 2
        ((2, 0), (2, 0), 3, None),        // 0 1 ?, twice
    ];
    for (a, b, env_steps, expected) in cases {
        let (a_spot, b_spot) = (spot(a.0, a.1), spot(b.0, b.1));
        let alike = acts_alike(stores, (&a_spot, &b_spot), env_steps);
        assert_eq!(alike, expected, "{a:?} {b:?} {env_steps}");
        assert_eq!(acts_alike(stores, (&b_spot, &a_spot), env_steps), expected);
    }
}

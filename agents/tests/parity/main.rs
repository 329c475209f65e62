//! Losses, optimiser, networks and whole updates against PyTorch, and losses against finite
//! differences.
//!
//! Stored values lie in `tests/golden`; `make_golden.py` there made them and says how. All are
//! f32 here. `GOLDEN_ERRORS=1 cargo test ... -- --nocapture` shows how close each comparison is.

#![allow(clippy::unwrap_used)] // a test panics when it fails

mod adam;
mod contrast;
mod dqn;
mod finite_differences;
mod golden;
mod imitation;
mod losses;
mod networks;
mod sac;

use contrail_agents::nn::normal;
use golden::floats;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use tch::Device;

/// The generator whose normal draws normals.json holds.
fn generator() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(7)
}

fn stored_normals() -> Vec<f32> {
    serde_json::from_str(include_str!("../golden/normals.json")).unwrap()
}

/// If this fails, the generator or `rand_distr` changed: run the test below with `--ignored`,
/// then make_golden.py.
#[test]
fn normal_draws_are_those_that_the_stored_values_were_made_from() {
    let stored = stored_normals();
    assert_eq!(floats(&normal(&mut generator(), stored.len() as i64, Device::Cpu)), stored);
}

#[test]
#[ignore = "not a test: writes the input of make_golden.py; `cargo test --release -p contrail-agents --test parity -- --ignored`"]
fn write_normals() {
    let draws = floats(&normal(&mut generator(), 1000, Device::Cpu));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/normals.json");
    std::fs::write(path, serde_json::to_string(&draws).unwrap()).unwrap();
}

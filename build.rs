//! Gives this package's binaries and tests the path of libtorch, as `agents/build.rs` does there.

use std::error::Error;

#[path = "agents/build.rs"]
mod agents;

fn main() -> Result<(), Box<dyn Error>> {
    agents::main()
}

//! Gives this package's binaries and tests the path of libtorch, as `agents/build.rs` does there,
//! and tells it to whoever links this package.

use std::env;
use std::error::Error;

#[path = "agents/build.rs"]
mod agents;

fn main() -> Result<(), Box<dyn Error>> {
    agents::main()?;
    // Linker arguments do not reach another package. The build script of one that depends on this
    // one reads the folder as DEP_CONTRAIL_LIBTORCH (`examples/my_envs/build.rs` does).
    println!("cargo::metadata=LIBTORCH={}", env::var("LIBTORCH")?);
    Ok(())
}

//! Lets binaries find libtorch without `LD_LIBRARY_PATH`, wherever they are started.
//!
//! The root package's `build.rs` runs this too: linker arguments do not reach another package.

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // .cargo/config.toml sets it where the user has not.
    let home = PathBuf::from(env::var("LIBTORCH").map_err(|_| "LIBTORCH is not set")?);
    let libraries = home.join("lib");
    if !libraries.exists() {
        return Err(format!("no libtorch in {}: run `make setup`", home.display()).into());
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libraries.display());
    // Where the runtime looks for the CUDA half of libtorch.
    println!("cargo::rustc-env=CONTRAIL_LIBTORCH={}", home.display());
    // Documentation tests take no linker arguments, but Cargo lets them load libraries from
    // search folders below `target/`.
    let search = Path::new(&env::var("OUT_DIR")?).join("libtorch");
    let _ = fs::remove_file(&search);
    symlink(&libraries, &search)?;
    println!("cargo::rustc-link-search=native={}", search.display());
    Ok(())
}

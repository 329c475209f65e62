//! Tells the program where libtorch lies, so that it runs without `LD_LIBRARY_PATH`.

fn main() {
    // Set by contrail-rl; absent without the feature `cli`, and then there is nothing to do.
    if let Ok(home) = std::env::var("DEP_CONTRAIL_LIBTORCH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{home}/lib");
    }
}

//! All commands of `contrail`, with the environments of this crate added.

use contrail_envs::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut registry = Registry::builtin();
    my_envs::register(&mut registry);
    contrail::cli::main_with(&registry)
}

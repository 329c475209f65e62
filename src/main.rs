//! The `contrail` command with the built-in environments.

use contrail_envs::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    contrail::cli::main_with(&Registry::builtin())
}

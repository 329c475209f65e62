//! The memory that a run needs, computed before it starts.

use super::Spaces;
use super::build;
use crate::config::Config;
use anyhow::{Result, bail};
use std::io::Write as _;

/// libtorch's own code and arenas, measured as resident size of an idle process with a loaded
/// network (about 180 MB), with room for the temporaries of an update.
const LIBTORCH_BYTES: u64 = 300_000_000;

/// Prints what the run needs, and refuses it if the machine has less.
///
/// # Errors
/// A sentence with both numbers.
pub(super) fn check(config: &Config, spaces: &Spaces, quiet: bool) -> Result<()> {
    let replay = build::replay_config(config, spaces).memory_bytes();
    let needed = replay.saturating_add(LIBTORCH_BYTES);
    let available = available_bytes();
    if !quiet {
        // Nowhere to report that standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "memory: {} for the replay ({} transitions), {} for libtorch and networks; {} available",
            gigabytes(replay),
            config.replay.capacity_transitions,
            gigabytes(LIBTORCH_BYTES),
            gigabytes(available),
        );
    }
    if needed > available {
        bail!(
            "this run needs {} of memory and {} are available: lower replay.capacity_transitions, now {}",
            gigabytes(needed),
            gigabytes(available),
            config.replay.capacity_transitions
        );
    }
    Ok(())
}

/// Bytes that a process may still take: what the system has, or the control group if that is less.
fn available_bytes() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let of_system = system.available_memory();
    match system.cgroup_limits() {
        Some(group) if group.total_memory > 0 => of_system.min(group.free_memory),
        _ => of_system,
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}

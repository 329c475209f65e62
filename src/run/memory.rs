//! The memory that a run needs, computed before it starts.

use super::{Spaces, UserError, build};
use crate::config::Config;
use anyhow::Result;
use std::fmt;

/// libtorch's code and arenas, networks and the temporaries of an update, beside the replay.
/// Measured as resident size of training processes: see `docs/results.md`.
const LIBTORCH_BYTES: u64 = 300_000_000;

/// What a run will take, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Slots of the replay.
    pub capacity_transitions: usize,
    /// The replay, allocated whole at the start.
    pub replay_bytes: u64,
    /// The episodic memory and the current stream, likewise; 0 without contrastive distillation.
    pub memory_bytes: u64,
    /// Everything else.
    pub libtorch_bytes: u64,
    /// What the system, or this process's control group, still has.
    pub available_bytes: u64,
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "memory: {} for {} transitions, {}{} for libtorch; {} available",
            text(self.replay_bytes),
            self.capacity_transitions,
            match self.memory_bytes {
                0 => String::new(),
                bytes => format!("{} for episodes, ", text(bytes)),
            },
            text(self.libtorch_bytes),
            text(self.available_bytes),
        )
    }
}

/// Computes what the run needs, and refuses it if the machine has less.
///
/// # Errors
/// [`UserError`], a sentence with both numbers.
pub(super) fn check(config: &Config, spaces: &Spaces) -> Result<MemoryPlan> {
    let plan = MemoryPlan {
        capacity_transitions: config.replay.capacity_transitions,
        replay_bytes: build::replay_config(config, spaces).memory_bytes(),
        memory_bytes: build::contrasts_config(config, spaces).map_or(0, |c| c.memory_bytes()),
        libtorch_bytes: LIBTORCH_BYTES,
        available_bytes: available_bytes(),
    };
    let needed = [plan.memory_bytes, plan.libtorch_bytes]
        .into_iter()
        .fold(plan.replay_bytes, u64::saturating_add);
    if needed <= plan.available_bytes {
        return Ok(plan);
    }
    let text = format!(
        "this run needs {} of memory and {} are available: lower replay.capacity_transitions, now {}{}",
        text(needed),
        text(plan.available_bytes),
        plan.capacity_transitions,
        match &config.distill {
            Some(distill) => format!(", or memory.segments, now {}", distill.memory.segments),
            None => String::new(),
        }
    );
    Err(UserError(text).into())
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

fn text(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{:.1} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.2} GB", bytes as f64 / 1e9)
    }
}

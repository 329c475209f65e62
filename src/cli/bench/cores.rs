//! How many cores a measurement kept busy: CPU time over wall-clock time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Samples of a child a measurement; few, so that looking costs no CPU time to speak of.
const SAMPLES: u32 = 10;

/// CPU time, threads included, of one process.
struct Meter {
    system: System,
    pid: Option<Pid>,
}

impl Meter {
    fn of_self() -> Self {
        Self { system: System::new(), pid: sysinfo::get_current_pid().ok() }
    }

    /// The first child of this process; one that does not exist yet is looked for again.
    fn of_child() -> Self {
        Self { system: System::new(), pid: None }
    }

    fn find_child(&mut self) {
        let own = sysinfo::get_current_pid().ok();
        let cheap = ProcessRefreshKind::nothing().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, cheap);
        let mut processes = self.system.processes().values();
        let child = processes.find(|process| own.is_some() && process.parent() == own);
        self.pid = child.map(sysinfo::Process::pid);
    }

    fn cpu_s(&mut self) -> Option<f64> {
        if self.pid.is_none() {
            self.find_child();
        }
        let pid = self.pid?;
        let cpu = ProcessRefreshKind::nothing().with_cpu().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, cpu);
        self.system.process(pid).map(|process| process.accumulated_cpu_time() as f64 / 1000.0)
    }
}

/// What `work` returns, and the cores that this process kept busy meanwhile.
pub(super) fn of_self<T>(work: impl FnOnce() -> T) -> (T, Option<f64>) {
    let mut meter = Meter::of_self();
    let (begin, before) = (Instant::now(), meter.cpu_s());
    let result = work();
    let wall_s = begin.elapsed().as_secs_f64();
    let after = meter.cpu_s();
    (result, after.zip(before).map(|(after, before)| (after - before) / wall_s))
}

/// What `work` returns, and the cores that the child of this process kept busy in its last
/// `duration`: what came before is the start of an interpreter.
pub(super) fn of_child<T>(duration: Duration, work: impl FnOnce() -> T) -> (T, Option<f64>) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let samples = scope.spawn(|| {
            let (mut meter, mut samples) = (Meter::of_child(), Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                let (at, cpu_s) = (Instant::now(), meter.cpu_s());
                samples.extend(cpu_s.map(|cpu_s| (at, cpu_s)));
                thread::park_timeout(duration / SAMPLES);
            }
            samples
        });
        let result = work();
        let begin = Instant::now().checked_sub(duration);
        is_over.store(true, Ordering::Relaxed);
        samples.thread().unpark();
        let samples = samples.join().unwrap_or_default();
        (result, begin.and_then(|begin| rate(&samples, begin)))
    })
}

/// CPU time a second from the first sample after `begin` to the last sample.
fn rate(samples: &[(Instant, f64)], begin: Instant) -> Option<f64> {
    let first = samples.iter().find(|(at, _)| *at >= begin)?;
    let last = samples.last()?;
    let wall_s = last.0.duration_since(first.0).as_secs_f64();
    (wall_s > 0.0).then(|| (last.1 - first.1) / wall_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn a_rate_is_that_of_the_last_samples() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let samples = [(at(0), 0.0), (at(2), 9.0), (at(3), 9.5), (at(6), 13.0)];
        assert_eq!(rate(&samples, at(1)), Some(1.0)); // 13 - 9 in 4 s
        assert_eq!(rate(&samples, at(6)), None);
        assert_eq!(rate(&samples, at(7)), None);
    }

    #[test]
    fn own_work_is_seen() {
        let spin = || {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(300) {
                black_box(0);
            }
        };
        let ((), cores) = of_self(spin);
        // Other tests of this process may run beside it; on a busy machine it gets a share.
        assert!(cores.is_some_and(|cores| cores > 0.1), "{cores:?}");
        assert_eq!(of_self(|| 7).0, 7);
    }
}

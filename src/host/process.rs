//! What the kernel thinks of our processes: name, priority, memory, processors, core dumps.
//!
//! Owns: the way from the settings to the calls, and the real-time priority that is raised by
//! itself. Never does: decide when a timer is late. Driven by: `supervisor` and `worker`.
//!
//! keepalived has a process for VRRP, one for the checkers and one for BFD, each with settings of
//! its own. Here one process does the work of all, so the strongest setting of those that run holds.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::Pid;

use super::supervisor::CoreDumps;
use super::{logger, sys};
use crate::base::ident;
use crate::conf::model::{Process, Scheduling};

/// Lets a crash leave its memory in a file.
pub(super) fn allow_core_dumps(core: &CoreDumps) {
    if let Some(pattern) = &core.pattern {
        let path = "/proc/sys/kernel/core_pattern";
        let written = OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file: File| file.write_all(pattern.as_bytes()));
        if let Err(error) = written {
            log::warn!(target: ident::DAEMON, "{path} cannot be set to '{pattern}': {error}");
        }
    }
    let limit = setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY);
    if let Err(error) = limit.and_then(|()| prctl::set_dumpable(true)) {
        log::warn!(target: ident::DAEMON, "core dumps cannot be allowed: {error}");
    }
}

/// Names this process, as `ps` and `top` show it; the kernel keeps 15 bytes.
pub(super) fn set_name(name: &str) {
    let bytes: Vec<u8> = name.bytes().filter(|&byte| byte != 0).take(15).collect();
    if let Ok(name) = std::ffi::CString::new(bytes) {
        // It is only a name.
        let _named = prctl::set_name(&name);
    }
}

/// What holds for the worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    scheduling: Scheduling,
    /// The highest real-time priority to be taken by itself; none: 0.
    automatic: i32,
    /// A timer later than this makes for a higher one.
    late: Duration,
}

/// The parts that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) vrrp: bool,
    pub(super) check: bool,
    pub(super) bfd: bool,
}

impl Wanted {
    /// The strongest of what is asked for the parts that run.
    pub(super) fn of(process: &Process, parts: Parts) -> Self {
        let running: Vec<&Scheduling> = [
            (parts.vrrp, &process.vrrp),
            (parts.check, &process.checker),
            (parts.bfd, &process.bfd),
        ]
        .into_iter()
        .filter_map(|(runs, scheduling)| runs.then_some(scheduling))
        .collect();
        let mut cpus: Vec<u32> = Vec::new();
        // Who may run anywhere makes the rest run anywhere.
        if running.iter().all(|one| !one.cpus.is_empty()) {
            cpus.extend(running.iter().flat_map(|one| &one.cpus));
            cpus.sort_unstable();
            cpus.dedup();
        }
        let name = running.iter().find_map(|one| one.name.clone());
        let usual = process.own_names.then(|| "keepalived_vrrp".to_owned());
        Self {
            scheduling: Scheduling {
                name: name.or(usual),
                nice: running.iter().filter_map(|one| one.nice).min(),
                no_swap: running.iter().any(|one| one.no_swap),
                realtime: running.iter().filter_map(|one| one.realtime).max(),
                cpus,
                realtime_limit_micros: running
                    .iter()
                    .filter_map(|one| one.realtime_limit_micros)
                    .max(),
            },
            automatic: process.max_auto_priority,
            late: process.min_auto_priority_delay,
        }
    }
}

/// What holds for this process now.
#[derive(Debug, Default)]
pub(super) struct State {
    wanted: Wanted,
    /// The real-time priority that it has; 0: none.
    realtime: i32,
}

/// Chooses the processors that this process runs on; all if none is named.
fn set_affinity(cpus: &[u32]) -> nix::Result<()> {
    let mut set = CpuSet::new();
    let all = 0..u32::try_from(CpuSet::count()).unwrap_or(u32::MAX);
    let wanted: Vec<u32> = if cpus.is_empty() {
        all.collect()
    } else {
        cpus.to_vec()
    };
    for cpu in wanted {
        set.set(usize::try_from(cpu).unwrap_or(usize::MAX))?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)
}

fn complain<E: std::fmt::Display>(what: &str, result: Result<(), E>) {
    if let Err(error) = result {
        log::warn!(target: ident::VRRP, "{what}: {error}");
    }
}

/// Writes a panic to the log: where, and what it said. The process then aborts, and the supervisor
/// takes away what it had installed.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        log::error!(target: ident::DAEMON, "internal error, the worker ends: {panic}");
        logger::flush_at_exit(Duration::from_millis(200));
        // In builds that unwind, too: a half-updated state must not go on speaking VRRP.
        std::process::abort();
    }));
}

/// Gives memory back to the kernel that is not in use: what was freed, and the code of what is over,
/// such as reading a configuration. What is needed after all comes back by itself.
pub(super) fn give_memory_back() {
    sys::memory::trim_heap();
    sys::memory::release_code();
}

impl State {
    /// The same, unless everything is to stay where it is.
    pub(super) fn give_memory_back(&self) {
        if !self.wanted.scheduling.no_swap {
            give_memory_back();
        }
    }

    /// Takes on what is wanted from now on, as far as it differs.
    pub(super) fn take_on(&mut self, wanted: Wanted) {
        let old = std::mem::replace(&mut self.wanted, wanted);
        let (old, new) = (&old.scheduling, &self.wanted.scheduling);
        if new.name != old.name
            && let Some(name) = &new.name
        {
            set_name(name);
        }
        if new.nice != old.nice {
            let nice = new.nice.unwrap_or(0);
            complain(
                &format!("the priority cannot be {nice}"),
                sys::set_nice(nice),
            );
        }
        if new.no_swap != old.no_swap {
            let result = if new.no_swap {
                mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
            } else {
                munlockall()
            };
            complain("memory cannot be kept from being swapped", result);
        }
        if new.cpus != old.cpus {
            let what = "the processors to run on cannot be chosen";
            complain(what, set_affinity(&new.cpus));
        }
        if new.realtime_limit_micros != old.realtime_limit_micros
            && let Some(limit) = new.realtime_limit_micros
        {
            let what = format!("the limit of real-time use cannot be {limit} us");
            let limit = u64::from(limit);
            complain(&what, setrlimit(Resource::RLIMIT_RTTIME, limit, limit));
        }
        let realtime = new
            .realtime
            .map_or(0, |priority| i32::try_from(priority).unwrap_or(0));
        if new.realtime != old.realtime && realtime != self.realtime {
            self.set_realtime(realtime);
        }
    }

    fn set_realtime(&mut self, priority: i32) {
        match sys::set_realtime(priority) {
            Ok(()) => self.realtime = priority,
            Err(error) => {
                log::warn!(target: ident::VRRP, "the real-time priority cannot be {priority}: {error}");
                // It would be refused each time.
                self.wanted.automatic = 0;
            }
        }
    }

    /// A timer was late: the priority is raised if that is wanted.
    pub(super) fn was_late(&mut self, late: Duration) {
        if self.wanted.automatic <= self.realtime || late < self.wanted.late {
            return;
        }
        let priority = self.realtime + 1;
        log::info!(
            target: ident::VRRP,
            "A timer was {}.{:06} seconds late, the real-time priority is raised to {priority}",
            late.as_secs(),
            late.subsec_micros()
        );
        self.set_realtime(priority);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduling(nice: i32, realtime: Option<u32>, cpus: &[u32]) -> Scheduling {
        Scheduling {
            nice: Some(nice),
            realtime,
            cpus: cpus.to_vec(),
            ..Scheduling::default()
        }
    }

    // Input: settings of two processes, of which both, one or none runs. Output: the strongest of
    // those that run; processors only if each names some.
    #[test]
    fn the_strongest_setting_of_what_runs_holds() {
        let process = Process {
            vrrp: scheduling(-5, None, &[1]),
            checker: scheduling(3, Some(7), &[0, 1]),
            own_names: true,
            ..Process::default()
        };
        let of = |vrrp, check| {
            let parts = Parts {
                vrrp,
                check,
                bfd: false,
            };
            Wanted::of(&process, parts).scheduling
        };
        let both = of(true, true);
        assert_eq!((both.nice, both.realtime), (Some(-5), Some(7)));
        assert_eq!(both.cpus, [0, 1]);
        assert_eq!(both.name.as_deref(), Some("keepalived_vrrp"));
        let one = of(true, false);
        assert_eq!(
            (one.nice, one.realtime, one.cpus),
            (Some(-5), None, vec![1])
        );
        assert_eq!(of(false, false).nice, None);
    }

    // Input: late timers, with and without leave to raise the priority. Output: no change without
    // leave, and none for a timer that is hardly late.
    #[test]
    fn the_priority_is_raised_only_where_that_is_wanted() {
        let mut state = State::default();
        state.was_late(Duration::from_secs(9));
        assert_eq!(state.realtime, 0);
        state.wanted.automatic = 5;
        state.wanted.late = Duration::from_secs(1);
        state.was_late(Duration::from_millis(999));
        assert_eq!(state.realtime, 0);
    }
}

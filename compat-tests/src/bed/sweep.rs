//! Processes that outlive a killed test, and how the next one ends them.
//!
//! Owns the mark in the environment of everything started inside a host: pid and start time of
//! the test process. Never ends a process without that mark, nor one whose test still runs.
//! Driven by [`super::Host::new`] (once a process) and by hand.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait_until;

/// Name of the environment variable that marks what the testbed started.
pub(super) const MARK: &str = "KEEPALIVED_TESTBED";

/// The mark of this process, `PID:START:NAMESPACE`. The start time tells a reused pid apart; pids
/// of another pid namespace (a lab's, a container's) mean nothing here, so that is noted too.
pub(super) fn mark() -> String {
    let pid = std::process::id();
    let namespace = inode("/proc/self/ns/pid").unwrap_or_default();
    format!("{pid}:{}:{namespace}", started(pid).unwrap_or_default())
}

/// Ends what earlier, dead test processes have left running. Does its work once a process.
pub fn sweep() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        for (pid, mark) in marked() {
            if is_orphan(&mark) {
                // It may have ended between the look and the signal.
                kill(pid, Signal::SIGKILL).ok();
            }
        }
    });
}

fn is_orphan(mark: &str) -> bool {
    let parts: Vec<&str> = mark.split(':').collect();
    let [owner, start, namespace] = parts.as_slice() else {
        return false;
    };
    let here = inode("/proc/self/ns/pid").unwrap_or_default().to_string();
    *namespace == here
        && owner
            .parse()
            .is_ok_and(|owner| started(owner).as_deref() != Some(start))
}

/// Ends every process whose network namespace has this inode number; waits until they are gone.
pub(super) fn end_all_in(net: u64) {
    let left = wait_until(Duration::from_secs(5), "processes of a host to end", || {
        let mut none = true;
        for pid in pids() {
            if namespace_of(pid) == Some(net) {
                none = false;
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
            }
        }
        none
    });
    if let Err(error) = left {
        eprintln!("testbed: {error}");
    }
}

/// Process ids of what runs in the network namespace with this inode number.
pub(super) fn pids_in(net: u64) -> Vec<i32> {
    pids()
        .filter(|pid| namespace_of(*pid) == Some(net))
        .collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn namespace_of(pid: i32) -> Option<u64> {
    inode(&format!("/proc/{pid}/ns/net"))
}

/// The number in a namespace link such as `net:[4026531840]`.
pub(super) fn inode(link: &str) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    let text = target.to_str()?;
    text.split_once('[')?.1.trim_end_matches(']').parse().ok()
}

fn marked() -> Vec<(Pid, String)> {
    let prefix = format!("{MARK}=");
    pids()
        .filter_map(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let entry = environment
                .split(|byte| *byte == 0)
                .find(|entry| entry.starts_with(prefix.as_bytes()))?;
            let mark = String::from_utf8_lossy(entry.get(prefix.len()..)?).into_owned();
            Some((Pid::from_raw(pid), mark))
        })
        .collect()
}

/// Start time of a process in clock ticks since boot: field 22 of proc(5) `stat`.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may hold anything, so count after it.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)
        .map(str::to_owned)
}

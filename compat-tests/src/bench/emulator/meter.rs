//! One daemon under observation inside the emulated machine.
//!
//! Owns: its control group, whose CPU time is its count of instructions; the kernel's counters of
//! system calls and of IPVS commands. Never decides what to measure. Driven by the experiments of
//! [`super::guest`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::DAEMON;
use crate::bed::{Context, Error, Host, Proc, Result, wait_until};
use crate::bench::meters;

/// Where the first process has mounted the control groups.
pub(super) const GROUPS: &str = "/groups";
/// Where it has mounted the kernel's tracing.
pub(super) const TRACING: &str = "/tracing";
const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";
/// Virtual time is cheap where nobody works.
const PATIENCE: Duration = Duration::from_secs(600);
/// A daemon is at rest when it works less than a tenth of each of so many of these times.
const SAMPLE: Duration = Duration::from_millis(250);
const SAMPLES: u32 = 4;

/// A daemon that runs in a control group of its own.
pub(super) struct Watched {
    running: Proc,
    group: PathBuf,
}

/// Puts the configuration in its place.
pub(super) fn configure(host: &Host, text: &str) -> Result<()> {
    host.write(CONFIGURATION, text)
}

impl Watched {
    /// Starts the daemon with the configuration that is there.
    pub(super) fn start(host: &Host, name: &str) -> Result<Self> {
        let group = Path::new(GROUPS).join(name);
        fs::create_dir_all(&group)?;
        let line = format!(
            "echo $$ >{}/cgroup.procs; exec {DAEMON} -n -D -f {CONFIGURATION}",
            group.display()
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &line]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let running = host.spawn(command)?;
        Ok(Self { running, group })
    }

    /// Instructions since it was started, in all its processes, also those that have ended.
    pub(super) fn instructions(&self) -> Result<f64> {
        let text = fs::read_to_string(self.group.join("cpu.stat"))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "));
        let micros: f64 = line.unwrap_or_default().parse().context(|| text.clone())?;
        Ok(micros * 1e3)
    }

    /// Its processes.
    pub(super) fn pids(&self) -> Result<Vec<i32>> {
        let text = fs::read_to_string(self.group.join("cgroup.procs"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Memory of its processes, in MiB.
    pub(super) fn memory(&self) -> Result<f64> {
        Ok(meters::memory(&self.pids()?)?.all)
    }

    /// Waits until it has little to do; its instructions, and how long it took, until then.
    pub(super) fn rest(&mut self) -> Result<(f64, Duration)> {
        let limit = SAMPLE.as_secs_f64() * 1e9 / 10.0;
        let mut quiet = 0;
        let mut last = self.instructions()?;
        let mut rested = last;
        let took = wait_until(PATIENCE, "the daemon to be at rest", || {
            std::thread::sleep(SAMPLE);
            let now = self.instructions().unwrap_or(last);
            if now - last > limit {
                quiet = 0;
            } else {
                quiet += 1;
            }
            last = now;
            rested = now;
            quiet >= SAMPLES
        })?;
        match self.running.ended()? {
            None => Ok((rested, took)),
            Some(status) => Err(Error::new(format!("the daemon has ended: {status}"))),
        }
    }

    /// Signals its first process.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.running.signal(signal)
    }

    /// Ends all of its processes at once, as a power cut would.
    pub(super) fn kill(&mut self) -> Result<()> {
        for pid in self.pids()? {
            let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        self.wait()
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) -> Result<()> {
        self.running.wait(PATIENCE)?;
        let group = self.group.clone();
        wait_until(PATIENCE, "all its processes to end", || {
            fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|text| text.is_empty())
        })
        .map(drop)
    }
}

/// The kernel's functions that carry out commands for the IPVS table.
const FUNCTIONS: [&str; 5] = [
    "ip_vs_genl_set_cmd",
    "ip_vs_genl_get_cmd",
    "ip_vs_genl_dump_services",
    "ip_vs_genl_dump_dests",
    "ip_vs_genl_set_daemon",
];

fn tracing(file: &str, text: &str) -> Result<()> {
    let path = Path::new(TRACING).join(file);
    fs::write(&path, text).context(|| path.display().to_string())
}

/// Has the kernel count IPVS commands from now on.
pub(super) fn count_commands() -> Result<()> {
    let mut lines = String::new();
    for function in FUNCTIONS {
        lines.push_str(&format!("p:ipvs/{function} {function}\n"));
    }
    tracing("kprobe_events", &lines)?;
    tracing("events/ipvs/enable", "1")?;
    Ok(())
}

/// IPVS commands since they are counted: those that change the table, and those that read it.
pub(super) fn commands() -> Result<(f64, f64)> {
    let text = fs::read_to_string(Path::new(TRACING).join("kprobe_profile"))?;
    let (mut set, mut get) = (0.0, 0.0);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, hits, ..] = words.as_slice() {
            let hits: f64 = hits.parse().context(|| line.to_owned())?;
            *if name.contains("set") {
                &mut set
            } else {
                &mut get
            } += hits;
        }
    }
    Ok((set, get))
}

/// System calls that these processes make during `window`, by their numbers.
pub(super) fn system_calls(pids: &[i32], window: Duration) -> Result<Vec<(u32, f64)>> {
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    tracing("set_event_pid", &list.join(" "))?;
    tracing("buffer_size_kb", "32768")?;
    tracing("trace", "")?;
    tracing("events/raw_syscalls/sys_enter/enable", "1")?;
    std::thread::sleep(window);
    tracing("events/raw_syscalls/sys_enter/enable", "0")?;
    let text = fs::read_to_string(Path::new(TRACING).join("trace"))?;
    tracing("set_event_pid", "")?;
    let mut counts: Vec<(u32, f64)> = Vec::new();
    let numbers = text.lines().filter_map(|line| {
        line.split_once("sys_enter: NR ")?
            .1
            .split(' ')
            .next()?
            .parse()
            .ok()
    });
    for number in numbers {
        match counts.iter_mut().find(|(known, _)| *known == number) {
            Some((_, count)) => *count += 1.0,
            None => counts.push((number, 1.0)),
        }
    }
    Ok(counts)
}

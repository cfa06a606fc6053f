//! Meters of running and of finished processes: system calls, instructions, CPU time, wake-ups, memory.
//!
//! Owns the tools behind them (perf, strace, valgrind, /proc) and the choice between them; a meter
//! that the machine lacks is an error with its reason, never a guess. Driven by the measuring modules.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::bed::{Context, Error, Result};

/// Whether a program runs at all and succeeds.
fn works(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// Whether the processor counts instructions for us: virtual machines often hide its counters.
fn perf_counts_instructions() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| perf_stat("instructions:u", &["--", "true"]).is_ok())
}

/// Whether perf sees system calls: cheaper for the watched process than strace, and exact.
fn perf_counts_calls() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| perf_stat(CALLS, &["--", "true"]).is_ok())
}

const CALLS: &str = "raw_syscalls:sys_enter";

/// One event's count from `perf stat`.
fn perf_stat(event: &str, rest: &[&str]) -> Result<f64> {
    let output = Command::new("perf")
        .args(["stat", "-x", ";", "-e", event])
        .args(rest)
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find(|line| line.contains(event))
        .unwrap_or_default();
    let count = line.split(';').next().unwrap_or_default();
    count
        .parse()
        .map_err(|_| Error::new(format!("perf counts no {event} here: {}", line.trim())))
}

/// Name of the instrument behind [`instructions_of`].
#[must_use]
pub fn how_instructions() -> &'static str {
    if perf_counts_instructions() {
        "counted by perf"
    } else {
        "counted by valgrind (this processor shows no counters)"
    }
}

/// Instructions in user space of a program run to its end; `dress` adds its arguments.
///
/// # Errors
/// When neither perf nor valgrind can count here.
pub fn instructions_of(program: &Path, dress: impl Fn(Command) -> Command) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report");
    let path = report.display().to_string();
    if perf_counts_instructions() {
        let mut command = Command::new("perf");
        command
            .args(["stat", "-x", ";", "-e", "instructions:u", "-o", &path, "--"])
            .arg(program);
        dress(command).status()?;
        let text = fs::read_to_string(&report)?;
        let line = text
            .lines()
            .find(|line| line.contains("instructions"))
            .unwrap_or_default();
        return line
            .split(';')
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(|_| Error::new("perf counted nothing"));
    }
    if !works("valgrind", &["--version"]) {
        return Err(Error::new("neither processor counters nor valgrind here"));
    }
    let mut command = Command::new("valgrind");
    let log = format!("--log-file={path}.%p");
    command
        .args([
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
            &log,
        ])
        .arg(program);
    dress(command).status()?;
    // One log for each process; a daemon may fork even for a configuration test.
    let mut sum = None;
    for entry in fs::read_dir(folder.path())? {
        let text = fs::read_to_string(entry?.path())?;
        for line in text.lines().filter(|line| line.contains("refs:")) {
            let digits: String = line
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            sum = Some(sum.unwrap_or(0.0) + digits.parse::<f64>().unwrap_or(0.0));
        }
    }
    sum.ok_or_else(|| Error::new("valgrind counted nothing"))
}

/// Waits for `window` while counting the system calls of these processes.
///
/// # Errors
/// When neither perf nor strace can count here.
pub fn system_calls(pids: &[i32], window: Duration) -> Result<f64> {
    let list = pids
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",");
    if perf_counts_calls() {
        return perf_stat(
            CALLS,
            &[
                "-p",
                &list,
                "--",
                "sleep",
                &window.as_secs_f64().to_string(),
            ],
        );
    }
    strace_calls(pids, window)
}

/// The same by strace, which stops the process at each call: exact counts, but no times. Reading
/// the clock, which is a system call in user-mode Linux only, is left out.
///
/// # Errors
/// When strace cannot trace here.
pub fn strace_calls(pids: &[i32], window: Duration) -> Result<f64> {
    let report = tempfile::NamedTempFile::new()?;
    let mut command = Command::new("strace");
    command
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(report.path());
    for pid in pids {
        command.args(["-p", &pid.to_string()]);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(|| "strace".to_owned())?;
    std::thread::sleep(window);
    let pid = i32::try_from(child.id()).context(|| "strace's pid".to_owned())?;
    kill(Pid::from_raw(pid), Signal::SIGINT)?;
    child.wait()?;
    let text = fs::read_to_string(report.path())?;
    let total = text
        .lines()
        .find(|line| line.trim_end().ends_with("total"))
        .unwrap_or_default();
    let first = total.split_whitespace().next().unwrap_or_default();
    first
        .parse()
        .map_err(|_| Error::new("strace counted nothing"))
}

/// Name of the instrument behind [`system_calls`].
#[must_use]
pub fn how_calls() -> &'static str {
    if perf_counts_calls() {
        "perf (raw_syscalls:sys_enter)"
    } else {
        "strace -f -c"
    }
}

/// Instructions in user space of these processes during `window`, counted one by one: a daemon at
/// rest runs a few thousand a second, and no profiler comes between it and the kernel. What the
/// processor repeats (`rep movsb`) counts each time.
///
/// # Errors
/// When a process may not be traced or ends meanwhile.
pub fn instructions_in(pids: &[i32], window: Duration) -> Result<f64> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let step = |pid: &i32| {
            let pid = Pid::from_raw(*pid);
            let over = &over;
            scope.spawn(move || single_step(pid, over))
        };
        let steppers: Vec<_> = pids.iter().map(step).collect();
        std::thread::sleep(ATTACHED + window);
        over.store(true, Ordering::Relaxed);
        for pid in pids {
            // Whoever sleeps has to be woken to be let go; the stepper keeps the signal from it.
            let _gone = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
        }
        let mut sum = 0.0;
        for stepper in steppers {
            sum += stepper.join().map_err(|_| Error::new("a stepper died"))??;
        }
        Ok(sum)
    })
}

/// Longer than a traced process takes to go back to sleep.
const ATTACHED: Duration = Duration::from_millis(250);

/// Steps a process until it is over; only the thread that attached may do this.
fn single_step(pid: Pid, over: &AtomicBool) -> Result<f64> {
    ptrace::attach(pid).context(|| format!("tracing {pid}"))?;
    // The attachment wakes it, and it goes back to sleep: not of the daemon's making.
    let begin = Instant::now() + ATTACHED;
    let mut steps = 0.0;
    loop {
        let signal = match waitpid(pid, None)? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                steps += if Instant::now() >= begin { 1.0 } else { 0.0 };
                None
            }
            // Ours: the one of the attachment and the one of the end.
            WaitStatus::Stopped(_, Signal::SIGSTOP) => None,
            WaitStatus::Stopped(_, other) => Some(other),
            status => return Err(Error::new(format!("{pid} has ended: {status:?}"))),
        };
        if over.load(Ordering::Relaxed) {
            ptrace::detach(pid, signal)?;
            // A stop that came after the last look would keep it stopped.
            let _gone = kill(pid, Signal::SIGCONT);
            return Ok(steps);
        }
        ptrace::step(pid, signal)?;
    }
}

/// CPU time and wake-ups of some processes since they started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and kernel time, in microseconds.
    pub cpu_micros: f64,
    /// How often a thread went to sleep of itself and was woken.
    pub wakeups: f64,
}

/// Reads the usage of all threads of these processes.
///
/// # Errors
/// When one of them has ended.
pub fn usage(pids: &[i32]) -> Result<Usage> {
    let mut sum = Usage::default();
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path();
            // The kernel's first figure is the time on a processor in nanoseconds.
            let schedstat = fs::read_to_string(path.join("schedstat"))?;
            sum.cpu_micros += first_number(&schedstat)? / 1e3;
            let status = fs::read_to_string(path.join("status"))?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sum.wakeups += first_number(line.unwrap_or_default())?;
        }
    }
    Ok(sum)
}

fn first_number(text: &str) -> Result<f64> {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.parse()
        .map_err(|_| Error::new(format!("no number in {text:?}")))
}

/// Memory of some processes in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// Proportional share (Pss) of every mapping: a page that only these processes use counts
    /// once, one that others use too counts in part.
    pub all: f64,
    /// The same, but of shared libraries only what was written to.
    pub beyond_libraries: f64,
}

/// Reads the memory of these processes.
///
/// # Errors
/// When one of them has ended.
pub fn memory(pids: &[i32]) -> Result<Memory> {
    let mut sum = Memory::default();
    for pid in pids {
        let one = memory_of(&fs::read_to_string(format!("/proc/{pid}/smaps"))?)?;
        sum.all += one.all;
        sum.beyond_libraries += one.beyond_libraries;
    }
    Ok(sum)
}

fn memory_of(smaps: &str) -> Result<Memory> {
    let mut memory = Memory::default();
    let mut library = false;
    for line in smaps.lines() {
        let field = line.split_whitespace().next().unwrap_or_default();
        if !field.ends_with(':') {
            // The head of a mapping: address, rights, offset, device, inode, path.
            let path = line.split_whitespace().nth(5).unwrap_or_default();
            library = path.contains(".so");
            continue;
        }
        // Pss_Dirty is the written part of Pss, shared with the parent or not.
        let (counts, beyond) = (field == "Pss:", if library { "Pss_Dirty:" } else { "Pss:" });
        if counts || field == beyond {
            let mib = first_number(line.trim_start_matches(field))? / 1024.0;
            memory.all += if counts { mib } else { 0.0 };
            memory.beyond_libraries += if field == beyond { mib } else { 0.0 };
        }
    }
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::{Memory, memory_of};

    /// Input: the binary's text and a library, both partly shared. Output: all shares; the binary's
    /// share and the library's written pages.
    #[test]
    fn of_a_library_only_written_pages_count() {
        let smaps = "55d0-55d1 r-xp 0000 fe:01 1 /usr/sbin/keepalived\nRss: 1000 kB\nPss: 512 kB\nPss_Dirty: 4 kB\n\
                     7f00-7f01 r-xp 0000 fe:01 2 /usr/lib/libc.so.6\nRss: 900 kB\nPss: 1024 kB\nPss_Dirty: 256 kB\n\
                     7ffd-7ffe rw-p 0000 00:00 0 [stack]\nPss: 256 kB\nPss_Dirty: 256 kB\n";
        let expected = Memory {
            all: 1.75,
            beyond_libraries: 1.0,
        };
        assert_eq!(memory_of(smaps).ok(), Some(expected));
    }
}

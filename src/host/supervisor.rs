//! The parent: starts the worker, starts it again when it dies, cleans up after it.
//!
//! Owns: the pid file of the daemon, the worker's process id, the back-off, and the reading side
//! of the ledger. Never does: protocol work, or anything that a bug in the protocols could break;
//! it stays small so that it lives. Driven by: `main`, then by signals alone.
//!
//! A worker that was killed or crashed cannot resign, and its addresses would stay while a backup
//! takes over. So the parent removes what the ledger names before it starts a new worker.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal as Unix};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use super::firewall::Firewall;
use super::genl::Ipvs;
use super::ledger::{Entry, Ledger};
use super::links::OwnLinks;
use super::logger::{self, LogOptions};
use super::netlink::{AddressOp, Addresses};
use super::pidfile::{PidFile, PidFileError};
use super::routing::Routing;
use super::service_manager::ServiceManager;
use super::signals::{self, Signal};
use super::sys::{self, Fork};
use super::worker::{self, WorkerOptions};
use super::{clock, console};
use crate::base::{Instant, ident};
use crate::ops::{AddressSpec, AddressTraits, RoutingChange, RoutingOp};
use crate::wire::rtnl::Kind;

/// How long the worker may take to resign and clean up (`child_wait_time`).
const CHILD_WAIT: Duration = Duration::from_secs(5);

/// A worker that lived this long is started again at once.
const STABLE: Duration = Duration::from_secs(60);

/// How the daemon runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `-n`: in the foreground.
    pub foreground: bool,
    /// Not `-R`: a dead worker is replaced.
    pub respawn: bool,
    /// `-p`.
    pub pid_file: PathBuf,
    /// `-u`.
    pub umask: Option<u32>,
    /// Where log lines go.
    pub log: LogOptions,
    /// What the worker needs to know.
    pub worker: WorkerOptions,
}

/// Runs the daemon and returns its exit status. In the background that is the status of the
/// process that was started: 0 as soon as the daemon works.
#[must_use]
pub fn run(settings: &Settings) -> i32 {
    let mut ready = None;
    if !settings.foreground {
        match daemonise() {
            Ok(Daemon::Launcher(status)) => return status,
            Ok(Daemon::Parent(writer)) => ready = Some(writer),
            Err(error) => {
                console::say(&format!("cannot go to the background: {error}"));
                return 1;
            }
        }
    }
    if let Some(mask) = settings.umask {
        let mask = nix::sys::stat::Mode::from_bits_truncate(mask);
        nix::sys::stat::umask(mask);
    }
    logger::start(&settings.log);
    logger::set_pids(getpid().as_raw(), getpid().as_raw());
    let status = supervise(settings, &mut ready);
    if let Some(writer) = &mut ready {
        // Nobody listens any more if the daemon had started.
        drop(writer.write_all(&[u8::try_from(status).unwrap_or(1)]));
    }
    logger::flush_at_exit(Duration::from_millis(200));
    status
}

/// Which process this is after going to the background.
enum Daemon {
    /// The one that was started; its exit status.
    Launcher(i32),
    /// The supervisor; whoever writes a status first tells the launcher how the start went.
    Parent(PipeWriter),
}

fn daemonise() -> io::Result<Daemon> {
    let (reader, writer) = io::pipe()?;
    match sys::fork()? {
        Fork::Parent(_) => {
            drop(writer);
            Ok(Daemon::Launcher(status_from(reader)))
        }
        Fork::Child => {
            drop(reader);
            nix::unistd::setsid()?;
            std::env::set_current_dir("/")?;
            console::close_input_and_output()?;
            Ok(Daemon::Parent(writer))
        }
    }
}

fn status_from(mut reader: PipeReader) -> i32 {
    let mut status = [1];
    // The end of the pipe without a status: the daemon died before it worked.
    match reader.read_exact(&mut status) {
        Ok(()) => i32::from(status[0]),
        Err(_) => 1,
    }
}

fn supervise(settings: &Settings, ready: &mut Option<PipeWriter>) -> i32 {
    let mut pid_file = match PidFile::lock(&settings.pid_file) {
        Ok(file) => file,
        Err(PidFileError::Running) => {
            log::info!(target: ident::DAEMON, "daemon is already running");
            console::say_unless(settings.log.console, "daemon is already running");
            return 0;
        }
        Err(PidFileError::Io(error)) => {
            let text = format!(
                "Unable to create pid file {}: {error}",
                settings.pid_file.display()
            );
            log::error!(target: ident::DAEMON, "{text}");
            console::say_unless(settings.log.console, &text);
            return 1;
        }
    };
    let status = match start(settings, &mut pid_file, ready) {
        Ok(status) => status,
        Err(error) => {
            log::error!(target: ident::DAEMON, "{error}");
            console::say_unless(settings.log.console, &error.to_string());
            1
        }
    };
    pid_file.remove();
    status
}

fn start(
    settings: &Settings,
    pid_file: &mut PidFile,
    ready: &mut Option<PipeWriter>,
) -> io::Result<i32> {
    log::info!(target: ident::DAEMON, "Starting {}", crate::host::version());
    if let Ok(system) = nix::sys::utsname::uname() {
        log::info!(
            target: ident::DAEMON,
            "Running on {} {} {}",
            system.sysname().display(),
            system.release().display(),
            system.version().display()
        );
    }
    let words: Vec<_> = std::env::args_os()
        .map(|word| format!("'{}'", word.display()))
        .collect();
    log::info!(target: ident::DAEMON, "Command line: {}", words.join(" "));

    let pid = getpid();
    pid_file.write(pid.as_raw())?;
    let path = settings.pid_file.with_extension("ledger");
    let mut ledger = Ledger::open(&path)?;
    clean_up(&mut ledger, "an earlier run");
    let signals = sys::add_to_set(&SigSet::from(Unix::SIGCHLD), &signals::all());
    signals.thread_block()?;
    let mut supervisor = Supervisor {
        settings,
        signals,
        ledger,
        worker: None,
        backoff: Backoff::default(),
        manager: ServiceManager::from_environment(),
    };
    let status = supervisor.run(ready)?;
    supervisor.remove_pid_files();
    // It names nothing any more, or nobody could do anything about it.
    drop(std::fs::remove_file(path));
    report_end(status);
    Ok(status)
}

fn report_end(status: i32) {
    if let (Ok(own), Ok(children)) = (
        getrusage(UsageWho::RUSAGE_SELF),
        getrusage(UsageWho::RUSAGE_CHILDREN),
    ) {
        log::debug!(
            target: ident::DAEMON,
            "CPU usage (self/children) user: {}/{} system: {}/{}",
            user_time(&own), user_time(&children), system_time(&own), system_time(&children)
        );
    }
    if status == 0 {
        log::info!(target: ident::DAEMON, "Stopped {}", crate::host::version());
    }
}

/// Processor time in user mode, in seconds with six digits.
pub(super) fn user_time(usage: &Usage) -> String {
    let time = usage.user_time();
    format!("{}.{:06}", time.tv_sec(), time.tv_usec())
}

/// Processor time in the kernel, in seconds with six digits.
pub(super) fn system_time(usage: &Usage) -> String {
    let time = usage.system_time();
    format!("{}.{:06}", time.tv_sec(), time.tv_usec())
}

/// The running worker.
#[derive(Debug, Clone, Copy)]
struct Worker {
    pid: Pid,
    since: Instant,
}

struct Supervisor<'a> {
    settings: &'a Settings,
    signals: SigSet,
    ledger: Ledger,
    worker: Option<Worker>,
    backoff: Backoff,
    manager: ServiceManager,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a status that a restart would not change.
    Permanent(i32),
    /// With status 0.
    Orderly,
    /// In any other way.
    Died,
}

impl Supervisor<'_> {
    /// Runs until the daemon is told to stop or cannot go on; returns its exit status.
    fn run(&mut self, ready: &mut Option<PipeWriter>) -> io::Result<i32> {
        let mut start_at = Some(clock::now());
        loop {
            if start_at.is_some_and(|at| at <= clock::now()) {
                start_at = None;
                self.start_worker(ready)?;
                self.manager.tell("READY=1");
            }
            let timeout = start_at.map(|at| at.saturating_since(clock::now()));
            let Some(signal) = sys::wait_signal(&self.signals, timeout)? else {
                continue;
            };
            if signal == Unix::SIGCHLD as i32 {
                let Some((worker, end)) = self.reap() else {
                    continue;
                };
                clean_up(&mut self.ledger, "the worker");
                match end {
                    End::Permanent(status) => {
                        log::error!(
                            target: ident::DAEMON,
                            "pid {} exited with permanent error {}. Terminating",
                            worker.pid,
                            error_name(status)
                        );
                        return Ok(status);
                    }
                    End::Orderly | End::Died if !self.settings.respawn => {
                        self.say_died(worker.pid, "Exiting");
                        // As keepalived: it was asked for, so it is no failure.
                        return Ok(0);
                    }
                    End::Orderly | End::Died => {
                        self.say_died(worker.pid, "Respawning");
                        let now = clock::now();
                        let lived = now.saturating_since(worker.since);
                        start_at = Some(now + self.backoff.delay(lived));
                    }
                }
                continue;
            }
            match signals::meaning(signal) {
                Some(Signal::Stop) => {
                    log::info!(target: ident::DAEMON, "Stopping");
                    self.manager.tell("STOPPING=1");
                    self.stop()?;
                    return Ok(0);
                }
                Some(Signal::Reload) => {
                    log::info!(target: ident::DAEMON, "Reloading ...");
                    self.manager.tell("RELOADING=1");
                    self.forward(signal);
                    // The worker goes on with what it has while it reads: it never is not ready.
                    self.manager.tell("READY=1");
                }
                Some(Signal::Data | Signal::Stats { .. } | Signal::Json | Signal::Threads) => {
                    self.forward(signal);
                }
                None => {}
            }
        }
    }

    fn start_worker(&mut self, ready: &mut Option<PipeWriter>) -> io::Result<()> {
        let parent = getpid();
        match sys::fork()? {
            Fork::Child => {
                logger::start_afresh();
                let ledger = std::mem::replace(&mut self.ledger, Ledger::unnamed()?);
                let status = worker::run(&self.settings.worker, ledger, parent, ready.take());
                logger::flush_at_exit(Duration::from_millis(200));
                // The stack of the supervisor belongs to another process now.
                std::process::exit(status);
            }
            Fork::Parent(pid) => {
                self.worker = Some(Worker {
                    pid,
                    since: clock::now(),
                });
                if !self.settings.foreground {
                    // From here on the worker tells what goes wrong with the start.
                    console::close_errors()?;
                }
                Ok(())
            }
        }
    }

    /// Takes the end of the worker, if it has ended.
    fn reap(&mut self) -> Option<(Worker, End)> {
        let worker = self.worker?;
        let end = match waitpid(worker.pid, Some(WaitPidFlag::WNOHANG)).ok()? {
            WaitStatus::Exited(_, 0) => End::Orderly,
            WaitStatus::Exited(_, status @ (1 | 2 | 4 | 6)) => End::Permanent(status),
            WaitStatus::Exited(_, status) => {
                log::error!(target: ident::DAEMON, "pid {} exited with status {status}", worker.pid);
                End::Died
            }
            WaitStatus::Signaled(_, signal, _) => {
                log::error!(target: ident::DAEMON, "pid {} exited due to signal {}", worker.pid, signal.as_str());
                End::Died
            }
            WaitStatus::Stopped(..)
            | WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => return None,
        };
        self.worker = None;
        Some((worker, end))
    }

    /// A part that runs has its pid file; of a worker that died it is still there.
    fn say_died(&self, pid: Pid, what: &str) {
        let options = &self.settings.worker;
        for (path, name) in [
            (&options.check_pid_file, "Healthcheck"),
            (&options.vrrp_pid_file, "VRRP"),
        ] {
            if path.exists() {
                log::info!(target: ident::DAEMON, "{name} child process({pid}) died: {what}");
            }
        }
    }

    /// Removes what a dead worker leaves in the run directory.
    fn remove_pid_files(&self) {
        let options = &self.settings.worker;
        for path in [&options.check_pid_file, &options.vrrp_pid_file] {
            // Mostly the worker has removed them itself.
            drop(std::fs::remove_file(path));
        }
    }

    fn forward(&self, signal: i32) {
        if let Some(worker) = self.worker {
            // It may have ended a moment ago; its SIGCHLD follows.
            drop(sys::send_signal(worker.pid, signal));
        }
    }

    /// Lets the worker resign and clean up, and sees to it that it ends.
    fn stop(&mut self) -> io::Result<()> {
        self.forward(Unix::SIGTERM as i32);
        let deadline = clock::now() + CHILD_WAIT;
        while self.worker.is_some() {
            let patience = deadline.saturating_since(clock::now());
            if patience.is_zero() {
                log::error!(target: ident::DAEMON, "Keepalived_vrrp process failed to die - forcing termination");
                self.forward(Unix::SIGKILL as i32);
                if let Some(worker) = self.worker.take() {
                    waitpid(worker.pid, None)?;
                }
                break;
            }
            sys::wait_signal(&self.signals, Some(patience))?;
            self.reap();
        }
        clean_up(&mut self.ledger, "the worker");
        Ok(())
    }
}

/// The names that keepalived has for exit statuses.
const fn error_name(status: i32) -> &'static str {
    match status {
        2 => "CONFIG",
        4 => "PERMISSION",
        6 => "MISSING_CONFIG",
        _ => "FATAL",
    }
}

/// Waiting times before a restart: none at first, then doubling up to a minute while workers die
/// young.
#[derive(Debug, Default)]
struct Backoff {
    next: Duration,
}

impl Backoff {
    /// How long to wait before the restart of a worker that lived so long.
    fn delay(&mut self, lived: Duration) -> Duration {
        if lived >= STABLE {
            self.next = Duration::ZERO;
        }
        let delay = self.next;
        self.next = if delay.is_zero() {
            Duration::from_secs(1)
        } else {
            (delay * 2).min(STABLE)
        };
        delay
    }
}

/// Removes everything that the ledger names.
fn clean_up(ledger: &mut Ledger, whose: &str) {
    let read = ledger
        .entries()
        .and_then(|entries| Ok((entries, ledger.routing_entries()?)));
    let (entries, routing) = match read {
        Ok(read) => read,
        Err(error) => {
            log::error!(target: ident::DAEMON, "the list of installed addresses cannot be read: {error}");
            return;
        }
    };
    if entries.is_empty() && routing.is_empty() {
        return;
    }
    log::warn!(
        target: ident::DAEMON,
        "Removing {} addresses, services, routes and rules that {whose} left behind",
        entries.len() + routing.len()
    );
    let mut buffer = vec![0; 32 * 1024];
    if let Err(error) =
        remove(&entries, &mut buffer).and_then(|()| remove_routing(routing, &mut buffer))
    {
        log::error!(target: ident::DAEMON, "cleaning up: {error}");
    }
    if let Err(error) = ledger.clear() {
        log::error!(target: ident::DAEMON, "the list of installed addresses cannot be written: {error}");
    }
}

fn remove(entries: &[Entry], buffer: &mut [u8]) -> io::Result<()> {
    // Addresses first: they are what a second master would fight over.
    let specs: Vec<AddressSpec> = entries
        .iter()
        .filter_map(|entry| match *entry {
            Entry::Address {
                interface,
                address,
                prefix_len,
            } => Some(AddressSpec {
                interface,
                address,
                prefix_len,
                scope: 0,
                broadcast: None,
                label: None,
                more: AddressTraits::default(),
            }),
            Entry::Service(_) | Entry::Link(_) | Entry::Firewall(_) => None,
        })
        .collect();
    let ops: Vec<_> = specs.iter().map(AddressOp::Remove).collect();
    if !ops.is_empty() {
        let results = Addresses::open()?.carry_out(&ops, buffer);
        for (spec, errno) in specs.iter().zip(results) {
            if !matches!(errno, 0 | libc::EADDRNOTAVAIL | libc::ENODEV) {
                log::error!(
                    target: ident::DAEMON,
                    "{} cannot be removed: {}",
                    spec.address,
                    sys::error_text(errno)
                );
            }
        }
    }
    remove_links_and_tables(entries, buffer)?;
    let mut services = entries.iter().filter_map(|entry| match *entry {
        Entry::Service(name) => Some(name),
        Entry::Address { .. } | Entry::Link(_) | Entry::Firewall(_) => None,
    });
    if let Some(first) = services.next() {
        let mut ipvs = Ipvs::open()?;
        for service in std::iter::once(first).chain(services) {
            let errno = ipvs.remove(service, buffer);
            // Somebody else may have removed it, or the whole table with its module.
            if !matches!(errno, 0 | libc::ESRCH | libc::ENOENT) {
                log::error!(
                    target: ident::DAEMON,
                    "IPVS service {service} cannot be removed: {}",
                    sys::error_text(errno)
                );
            }
        }
    }
    Ok(())
}

fn remove_routing(entries: Vec<(Kind, Vec<u8>)>, buffer: &mut [u8]) -> io::Result<()> {
    let ops: Vec<RoutingOp> = entries
        .into_iter()
        .map(|(what, message)| RoutingOp {
            what,
            change: RoutingChange::Remove,
            message,
        })
        .collect();
    if ops.is_empty() {
        return Ok(());
    }
    let results = Routing::open()?.carry_out(&ops.iter().collect::<Vec<_>>(), buffer);
    for errno in results {
        // Routes go with their source address.
        if !matches!(errno, 0 | libc::ESRCH | libc::ENOENT | libc::ENODEV) {
            let why = sys::error_text(errno);
            log::error!(target: ident::DAEMON, "a route or rule cannot be removed: {why}");
        }
    }
    Ok(())
}

fn remove_links_and_tables(entries: &[Entry], buffer: &mut [u8]) -> io::Result<()> {
    for entry in entries {
        match entry {
            Entry::Link(name) => {
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = String::from_utf8_lossy(name);
                let errno = OwnLinks::open()?.remove_by_name(&name, buffer);
                if !matches!(errno, 0 | libc::ENODEV) {
                    let why = sys::error_text(errno);
                    log::error!(target: ident::DAEMON, "the interface {name} cannot be removed: {why}");
                }
            }
            Entry::Firewall(family) => {
                let errno = Firewall::remove_table(*family, buffer);
                if !matches!(errno, 0 | libc::ENOENT) {
                    let why = sys::error_text(errno);
                    log::error!(target: ident::DAEMON, "the nftables table of {family:?} cannot be removed: {why}");
                }
            }
            Entry::Address { .. } | Entry::Service { .. } => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: workers that die at once, then one that lived a minute, then one that did not.
    // Output: keepalived's waiting times.
    #[test]
    fn restarts_are_spaced_as_keepalived_spaces_them() {
        let mut backoff = Backoff::default();
        let mut delays: Vec<u64> = (0..9)
            .map(|_| backoff.delay(Duration::from_secs(5)).as_secs())
            .collect();
        delays.push(backoff.delay(STABLE).as_secs());
        delays.push(backoff.delay(Duration::ZERO).as_secs());
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60, 0, 1]);
    }

    #[test]
    fn a_launcher_without_a_word_from_the_daemon_fails() {
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        assert_eq!(status_from(reader), 1);
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[0]).unwrap();
        assert_eq!(status_from(reader), 0);
    }
}

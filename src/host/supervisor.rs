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

use super::clean_up::clean_up;
use super::daemon_script;
use super::hand_over::Predecessor;
use super::ledger::Ledger;
use super::logger::{self, LogOptions};
use super::namespace::Namespace;
use super::pidfile::{PidFile, PidFileError};
use super::process;
use super::service_manager::{self, ServiceManager};
use super::signals::{self, Signal};
use super::sys::{self, Fork};
use super::terms::{Channel, Go, Terms, Word};
use super::worker::{self, Places, WorkerOptions};
use super::{clock, console};
use crate::base::{Instant, ident};

/// A worker that lived this long is started again at once.
const STABLE: Duration = Duration::from_secs(60);

/// How the daemon runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `-n`: in the foreground.
    pub foreground: bool,
    /// Not `-R`: a dead worker is replaced.
    pub respawn: bool,
    /// `-p`, if it is given.
    pub pid_file: Option<PathBuf>,
    /// `-u`.
    pub umask: Option<u32>,
    /// `-m`, `-M`.
    pub core: Option<CoreDumps>,
    /// `--ignore-sigint`
    pub ignore_interrupt: bool,
    /// Where log lines go.
    pub log: LogOptions,
    /// What the worker needs to know.
    pub worker: WorkerOptions,
}

/// What a crash leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreDumps {
    /// What `kernel.core_pattern` is set to.
    pub pattern: Option<String>,
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
    if let Some(core) = &settings.core {
        process::allow_core_dumps(core);
    }
    let status = match start(settings, &mut ready) {
        Ok(status) => status,
        Err(error) => {
            log::error!(target: ident::DAEMON, "{error}");
            console::say_unless(settings.log.console, &error.to_string());
            1
        }
    };
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

fn start(settings: &Settings, ready: &mut Option<PipeWriter>) -> io::Result<i32> {
    Namespace::remember_origin();
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
    let mut listened = signals::all();
    if settings.ignore_interrupt {
        listened.retain(|&signal| signal != Unix::SIGINT as i32);
    }
    sys::dispositions::ignore_others(&listened);
    let signals = sys::add_to_set(&SigSet::from(Unix::SIGCHLD), &listened);
    signals.thread_block()?;
    let mut supervisor = Supervisor {
        settings,
        signals,
        ledger: Ledger::unnamed()?,
        settled: None,
        terms: Terms::default(),
        worker: None,
        backoff: Backoff::default(),
        manager: ServiceManager::from_environment(),
    };
    let status = supervisor.run(ready)?;
    // One that found another daemon running has not been there at all.
    if supervisor.leave() {
        report_end(status);
    }
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
#[derive(Debug)]
struct Worker {
    pid: Pid,
    since: Instant,
    channel: Channel,
}

/// What the daemon holds once it knows its configuration.
#[derive(Debug)]
struct Settled {
    pid_file: PidFile,
    places: Places,
    /// The ledger's name, if it has one.
    ledger: Option<PathBuf>,
    /// Where one daemon waits for the next.
    meeting: PathBuf,
    /// One waits there for this one.
    follows: bool,
}

/// How a start went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Started {
    /// The worker works, or tells by its end what went wrong.
    Yes,
    /// The daemon ends with this status.
    No(i32),
}

struct Supervisor<'a> {
    settings: &'a Settings,
    signals: SigSet,
    ledger: Ledger,
    settled: Option<Settled>,
    /// What the worker has said last.
    terms: Terms,
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
                if let Started::No(status) = self.start_worker(ready)? {
                    return Ok(status);
                }
            }
            let timeout = start_at.map(|at| at.saturating_since(clock::now()));
            let Some(signal) = sys::wait_signal(&self.signals, timeout)? else {
                continue;
            };
            if signal == Unix::SIGCHLD as i32 {
                let Some((worker, end)) = self.reap() else {
                    continue;
                };
                self.clean_up("the worker");
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
                    self.listen();
                    log::info!(target: ident::DAEMON, "Reloading ...");
                    self.manager.tell(&service_manager::reloading());
                    self.forward(signal);
                    // The worker goes on with what it has while it reads: it never is not ready.
                    self.manager.tell(&service_manager::ready());
                }
                Some(Signal::Data | Signal::Stats { .. } | Signal::Json | Signal::Threads) => {
                    self.forward(signal);
                }
                None => {}
            }
        }
    }

    fn start_worker(&mut self, ready: &mut Option<PipeWriter>) -> io::Result<Started> {
        let parent = getpid();
        let (mine, theirs) = Channel::pair()?;
        match sys::fork()? {
            Fork::Child => {
                drop(mine);
                logger::start_afresh();
                let ledger = std::mem::replace(&mut self.ledger, Ledger::unnamed()?);
                let link = worker::Link {
                    parent,
                    channel: theirs,
                    ready: ready.take(),
                };
                let status = worker::run(&self.settings.worker, ledger, link);
                logger::flush_at_exit(Duration::from_millis(200));
                // The stack of the supervisor belongs to another process now.
                std::process::exit(status);
            }
            Fork::Parent(pid) => {
                drop(theirs);
                self.worker = Some(Worker {
                    pid,
                    since: clock::now(),
                    channel: mine,
                });
                self.admit()
            }
        }
    }

    /// Hears what the new worker has read, takes on what follows from it, and lets it begin.
    fn admit(&mut self) -> io::Result<Started> {
        let Some(worker) = &mut self.worker else {
            return Ok(Started::Yes);
        };
        let Some(Word::Terms(terms)) = worker.channel.hear() else {
            // Its end, which is to come, says why.
            return Ok(Started::Yes);
        };
        self.terms = *terms;
        if self.settled.is_none()
            && let Err(status) = self.settle()
        {
            if let Some(worker) = self.worker.take() {
                // Without a word it ends.
                drop(worker.channel);
                waitpid(worker.pid, None)?;
            }
            return Ok(Started::No(status));
        }
        let go = self
            .settled
            .as_ref()
            .map_or_else(Go::default, |settled| Go {
                ledger: settled.ledger.clone(),
                meeting: settled.meeting.clone(),
                follows: settled.follows,
            });
        if let Some(worker) = &mut self.worker {
            worker.channel.say(&Word::Go(go));
            if worker.channel.hear() == Some(Word::Ready) {
                self.manager.tell(&service_manager::ready());
                if let Some(settled) = &mut self.settled {
                    settled.follows = false;
                }
            }
        }
        if !self.settings.foreground {
            console::close_errors()?;
        }
        process::give_memory_back();
        Ok(Started::Yes)
    }

    /// Takes on what the configuration says of the daemon as a whole; else the exit status.
    fn settle(&mut self) -> Result<(), i32> {
        let console = self.settings.log.console;
        let say = |text: &str| {
            log::error!(target: ident::DAEMON, "{text}");
            console::say_unless(console, text);
        };
        let suffix = self.terms.suffix();
        if !suffix.is_empty() {
            log::info!(target: ident::DAEMON, "Changing syslog ident to {}{suffix}", ident::DAEMON);
            logger::set_suffix(suffix);
        }
        if let Some(name) = &self.terms.name {
            process::set_name(name);
        }
        if self.settings.umask.is_none()
            && let Some(mask) = self.terms.umask
        {
            let mask = nix::sys::stat::Mode::from_bits_truncate(mask);
            nix::sys::stat::umask(mask);
        }
        if let Some(name) = &self.terms.namespace
            && let Err(error) = Namespace::named(name).and_then(|namespace| namespace.enter())
        {
            say(&format!(
                "Unable to set network namespace {name} - exiting ({error})"
            ));
            return Err(1);
        }
        let run = super::run_directory();
        let directory = self.terms.directory(&run);
        if directory != run
            && let Err(error) = std::fs::create_dir_all(&directory)
        {
            say(&format!(
                "Unable to create {}: {error}",
                directory.display()
            ));
            return Err(1);
        }
        let places = Places::new(&self.terms, &self.settings.worker);
        let own = self.settings.pid_file.clone();
        let path = own.unwrap_or_else(|| self.terms.pid_file(&run, "keepalived"));
        let meeting = path.with_extension("handover");
        let follows = match Predecessor::find(&meeting) {
            Some(_) if self.settings.worker.hand_over => true,
            Some(other) => {
                log::info!(
                    target: ident::DAEMON,
                    "A daemon waits for one that goes on with its work; it is told to stop"
                );
                other.stop();
                false
            }
            None => false,
        };
        let mut pid_file = match PidFile::lock(&path) {
            Ok(file) => file,
            Err(PidFileError::Running) => {
                log::info!(target: ident::DAEMON, "daemon is already running");
                console::say_unless(console, "daemon is already running");
                return Err(0);
            }
            Err(PidFileError::Io(error)) => {
                say(&format!(
                    "Unable to create pid file {}: {error}",
                    path.display()
                ));
                return Err(1);
            }
        };
        if let Err(error) = pid_file.write(getpid().as_raw()) {
            say(&format!(
                "Unable to write pid file {}: {error}",
                path.display()
            ));
            return Err(1);
        }
        let ledger = path.with_extension("ledger");
        let ledger = Ledger::named(&ledger).map(|opened| {
            self.ledger = opened;
            ledger
        });
        self.settled = Some(Settled {
            pid_file,
            places,
            ledger,
            meeting,
            follows,
        });
        self.clean_up("an earlier run");
        if let Some(program) = self.terms.startup.clone() {
            self.manager.tell("STATUS=Running the startup script");
            daemon_script::run("startup", &program, &self.signals);
        }
        Ok(())
    }

    /// What comes after the worker: the shutdown script, and the files in the run directory. False
    /// if there was never anything.
    fn leave(&mut self) -> bool {
        let Some(settled) = self.settled.take() else {
            return false;
        };
        for path in settled.places.all() {
            // Mostly the worker has removed them itself.
            drop(std::fs::remove_file(path));
        }
        if let Some(program) = &self.terms.shutdown {
            daemon_script::run("shutdown", program, &self.signals);
        }
        if let Some(path) = settled.ledger {
            // It names nothing any more, or nobody could do anything about it.
            drop(std::fs::remove_file(path));
        }
        settled.pid_file.remove();
        true
    }

    /// Takes note of what the worker has said since the last time.
    fn listen(&mut self) {
        let Some(worker) = &mut self.worker else {
            return;
        };
        for word in worker.channel.heard() {
            match word {
                Word::Terms(terms) => self.terms = *terms,
                Word::Go(_) | Word::Ready | Word::Waiting => {}
            }
        }
    }

    fn clean_up(&mut self, whose: &str) {
        if self.settled.as_ref().is_some_and(|settled| settled.follows) {
            // What is there is the other daemon's as long as this one has not begun.
            return;
        }
        clean_up(&mut self.ledger, &self.terms, whose);
    }

    /// Takes the end of the worker, if it has ended.
    fn reap(&mut self) -> Option<(Worker, End)> {
        self.listen();
        let worker = self.worker.as_ref()?;
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
        Some((self.worker.take()?, end))
    }

    /// A part that runs has its pid file; of a worker that died it is still there.
    fn say_died(&self, pid: Pid, what: &str) {
        let Some(settled) = &self.settled else {
            return;
        };
        let places = &settled.places;
        for (path, name) in [
            (&places.check, "Healthcheck"),
            (&places.vrrp, "VRRP"),
            (&places.bfd, "BFD"),
        ] {
            if path.exists() {
                log::info!(target: ident::DAEMON, "{name} child process({pid}) died: {what}");
            }
        }
    }

    fn forward(&self, signal: i32) {
        if let Some(worker) = &self.worker {
            // It may have ended a moment ago; its SIGCHLD follows.
            drop(sys::send_signal(worker.pid, signal));
        }
    }

    /// Lets the worker resign and clean up, and sees to it that it ends.
    fn stop(&mut self) -> io::Result<()> {
        self.listen();
        self.forward(Unix::SIGTERM as i32);
        let patience = Duration::from_micros(self.terms.child_wait);
        if self.settings.worker.hand_over
            && let Some(worker) = &mut self.worker
            && worker.channel.hear_within(patience) == Some(Word::Waiting)
        {
            // It lives on without this process, and cleans up if nobody comes.
            self.worker = None;
            if let Some(settled) = self.settled.take() {
                settled.pid_file.remove();
            }
            return Ok(());
        }
        let deadline = clock::now() + patience;
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
        self.clean_up("the worker");
        Ok(())
    }
}

/// The names that keepalived has for exit statuses.
const fn error_name(status: i32) -> &'static str {
    match status {
        2 => "CONFIG",
        4 => "missing permission",
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

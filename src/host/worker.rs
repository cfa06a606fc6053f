//! The process that does the work: configuration, node, loop, until it is told to end.
//!
//! Owns: the running reload, the pid files of VRRP and the checkers, and what a signal does.
//! Never does: outlive its supervisor. Driven by: `supervisor`, once for each life.

use std::io::{PipeWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal as Unix};
use nix::unistd::{Pid, getpid, getppid};

use super::event_loop::EventLoop;
use super::exec::Leave;
use super::files::{Facts, HostFiles};
use super::ledger::Ledger;
use super::pidfile::{PidFile, PidFileError};
use super::reports::{Reports, Runs};
use super::service_manager::Watchdog;
use super::signals::Signal;
use super::supervisor::{system_time, user_time};
use super::{clock, console, logger, sys};
use crate::base::{Instant, ident};
use crate::conf::model::plan::Plan;
use crate::conf::model::{Config, LogStyle};
use crate::conf::{Diagnostic, Diagnostics, LoadOptions, Loaded, Loader, Progress, diff, render};
use crate::node::Options;
use crate::ops::Event;
use crate::ops::world::STOP_PATIENCE;

/// Lines of configuration that are read between two turns, about a millisecond's worth.
const SLICE: usize = 500;

/// What the worker has to know.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// `-f`, absolute.
    pub config: PathBuf,
    /// How to read it.
    pub load: LoadOptions,
    /// Not `-C`: VRRP runs.
    pub vrrp: bool,
    /// Not `-P`: checks and IPVS run.
    pub check: bool,
    /// `-r`.
    pub vrrp_pid_file: PathBuf,
    /// `-c`.
    pub check_pid_file: PathBuf,
    /// `--log-style`.
    pub log_style: LogStyle,
    /// `-V`, `-I`.
    pub leave: Leave,
    /// Whether log lines go to standard error.
    pub console: bool,
    /// `-d`: what was read is told in the log.
    pub dump: bool,
    /// `-u`
    pub umask: Option<u32>,
}

/// Does the work and returns the exit status. `ready` learns of the success of the start.
pub(super) fn run(
    options: &WorkerOptions,
    ledger: Ledger,
    parent: Pid,
    ready: Option<PipeWriter>,
) -> i32 {
    logger::set_pids(parent.as_raw(), getpid().as_raw());
    sys::default_crashes();
    // The other half of this is the supervisor's: it cleans up after a worker that is killed.
    let orphan = nix::sys::prctl::set_pdeathsig(Unix::SIGTERM).is_err() || getppid() != parent;
    if orphan {
        return 1;
    }
    let started = Worker::start(options, ledger, parent);
    let mut worker = match started {
        Ok(worker) => worker,
        Err(failure) => {
            let text = failure.to_string();
            log::error!(target: ident::DAEMON, "{text}");
            console::say_unless(options.console, &text);
            return failure.status();
        }
    };
    if let Some(mut ready) = ready {
        // The launcher may have been killed meanwhile; the daemon runs all the same.
        drop(ready.write_all(&[0]));
        drop(console::close_errors());
    }
    let status = worker.run();
    worker.end();
    status
}

/// Why the worker does not start.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The configuration cannot be run; the status that says so.
    #[error("the configuration cannot be used, see the messages above")]
    Config(i32),
    /// Another process has the pid file.
    #[error("daemon is already running")]
    Running,
    /// The system refuses something.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    fn status(&self) -> i32 {
        match self {
            Self::Config(status) => *status,
            Self::Running => 1,
            Self::System(error) if error.kind() == std::io::ErrorKind::PermissionDenied => 4,
            Self::System(_) => 1,
        }
    }
}

/// A new configuration on its way.
struct Reload {
    loader: Loader,
    since: Instant,
}

struct Worker<'a> {
    options: &'a WorkerOptions,
    event_loop: EventLoop,
    reload: Option<Reload>,
    /// Another reload was asked for while one is under way.
    again: bool,
    stop_by: Option<Instant>,
    vrrp_pid_file: Option<PidFile>,
    check_pid_file: Option<PidFile>,
    reports: Reports,
}

impl<'a> Worker<'a> {
    fn start(options: &'a WorkerOptions, ledger: Ledger, parent: Pid) -> Result<Self, Failure> {
        let mut loader = Loader::new(&options.config, options.load.clone());
        while loader.step(&HostFiles, &Facts, SLICE) == Progress::More {}
        let loaded = loader.finish();
        for file in &loaded.config.files {
            log::info!(target: ident::DAEMON, "Opening file '{}'.", file.display());
        }
        report(&loaded.diagnostics);
        if let Some(status) = loaded.diagnostics.blocks_start() {
            if !options.console {
                for diagnostic in &loaded.diagnostics {
                    console::say(&format!("{diagnostic}\n{}", render(diagnostic, false)));
                }
            }
            return Err(Failure::Config(status));
        }
        let config = limit(loaded.config, options);
        let node = Options {
            seed: options.load.seed ^ u64::from(getpid().as_raw().cast_unsigned()),
            log_style: options.log_style,
        };
        let event_loop = EventLoop::new(node, ledger)?;
        // Signals that came since the fork were held back until somebody listens.
        SigSet::all()
            .thread_unblock()
            .map_err(std::io::Error::from)?;
        let mut this = Self {
            options,
            event_loop,
            reload: None,
            again: false,
            stop_by: None,
            vrrp_pid_file: None,
            check_pid_file: None,
            reports: Reports::new(parent, options.umask),
        };
        this.pid_files(&config)?;
        let plan = diff::plan(&Config::default(), &config);
        this.apply(plan, config);
        log::info!(target: ident::DAEMON, "Startup complete");
        if options.dump {
            this.reports.log(this.runs());
        }
        Ok(this)
    }

    fn apply(&mut self, plan: Plan, config: Config) {
        let now = self.event_loop.refresh();
        self.event_loop.drivers.programs.children.forget_names();
        self.event_loop
            .node
            .apply(now, plan, config, &mut self.event_loop.effects);
        self.event_loop.exec();
    }

    /// Only what is configured has a pid file, as with keepalived's processes.
    fn pid_files(&mut self, config: &Config) -> Result<(), Failure> {
        let options = self.options;
        let wanted = [
            (
                !config.virtual_servers.is_empty(),
                &options.check_pid_file,
                &mut self.check_pid_file,
                "Healthcheck",
            ),
            (
                !config.vrrp_instances.is_empty(),
                &options.vrrp_pid_file,
                &mut self.vrrp_pid_file,
                "VRRP",
            ),
        ];
        for (wanted, path, file, name) in wanted {
            match (wanted, file.is_some()) {
                (true, false) => {
                    let mut locked = PidFile::lock(path).map_err(|error| match error {
                        PidFileError::Running => Failure::Running,
                        PidFileError::Io(error) => Failure::System(error),
                    })?;
                    let pid = getpid().as_raw();
                    locked.write(pid)?;
                    *file = Some(locked);
                    log::info!(target: ident::DAEMON, "Starting {name} child process, pid={pid}");
                }
                (false, true) => {
                    if let Some(file) = file.take() {
                        file.remove();
                    }
                }
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }

    /// Runs until the node has ended; returns the exit status.
    fn run(&mut self) -> i32 {
        let mut watchdog = Watchdog::from_environment(clock::now());
        loop {
            let patience = if self.reload.is_some() || self.reports.wants_turn() {
                Some(Duration::ZERO)
            } else {
                self.stop_by
                    .map(|by| by.saturating_since(self.event_loop.now()))
            };
            let ping = watchdog
                .as_mut()
                .map(|watchdog| watchdog.ping(clock::now()));
            let patience = match (patience, ping) {
                (Some(patience), Some(ping)) => Some(patience.min(ping)),
                (patience, ping) => patience.or(ping),
            };
            let turn = match self.event_loop.turn(patience) {
                Ok(turn) => turn,
                Err(error) => {
                    log::error!(target: ident::DAEMON, "waiting for events: {error}");
                    return 3;
                }
            };
            for signal in turn.signals {
                self.signal(signal);
            }
            if let Some(status) = self.event_loop.drivers.exit {
                return status;
            }
            if self.stop_by.is_some_and(|by| by <= self.event_loop.now()) {
                log::error!(target: ident::DAEMON, "the stop takes too long, ending without it");
                return 0;
            }
            self.read_on();
            self.reports.step(&mut self.event_loop);
        }
    }

    /// The parts of the daemon that run.
    const fn runs(&self) -> Runs {
        Runs {
            vrrp: self.vrrp_pid_file.is_some(),
            check: self.check_pid_file.is_some(),
            bfd: false,
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Stop if self.stop_by.is_none() => {
                self.stop_by = Some(self.event_loop.now() + STOP_PATIENCE);
                self.reload = None;
                self.event_loop.drivers.leave = self.options.leave;
                if self.options.leave.ipvs {
                    self.event_loop.node.leave_services();
                }
                self.event_loop.handle(Event::Stop);
            }
            Signal::Stop => {}
            Signal::Reload if self.stop_by.is_some() => {}
            Signal::Reload if self.reload.is_some() => {
                log::info!(target: ident::DAEMON, "Reload already in progress, request queued");
                self.again = true;
            }
            Signal::Reload => self.start_reload(),
            Signal::Data => self.reports.data(&self.event_loop.node, self.runs()),
            Signal::Stats { clear } => {
                if self.runs().vrrp {
                    self.reports.stats(&self.event_loop.node, clear);
                }
            }
            Signal::Json => {
                if self.runs().vrrp {
                    self.reports.json(&self.event_loop.node);
                }
            }
            Signal::Threads => log::info!(
                target: ident::DAEMON,
                "signal TDUMP: there are no threads to tell of; ignored"
            ),
        }
    }

    fn start_reload(&mut self) {
        for name in self.idents() {
            log::info!(target: name, "Reloading");
        }
        self.reload = Some(Reload {
            loader: Loader::new(&self.options.config, self.options.load.clone()),
            since: clock::now(),
        });
    }

    /// One slice of a reload, and its end.
    fn read_on(&mut self) {
        let Some(reload) = &mut self.reload else {
            return;
        };
        if reload.loader.step(&HostFiles, &Facts, SLICE) == Progress::More {
            return;
        }
        if let Some(Reload { loader, since }) = self.reload.take() {
            self.finish_reload(loader.finish(), since);
        }
        if std::mem::take(&mut self.again) {
            self.start_reload();
        }
    }

    fn finish_reload(&mut self, loaded: Loaded, since: Instant) {
        report(&loaded.diagnostics);
        if let Some(finding) = loaded.diagnostics.blocks_reload() {
            log::error!(
                target: ident::DAEMON,
                "New config failed validation, the running configuration stays: {}",
                in_full(finding)
            );
            return;
        }
        let config = limit(loaded.config, self.options);
        let plan = diff::plan(self.event_loop.node.config(), &config);
        if plan.is_empty() {
            log::info!(target: ident::DAEMON, "Reload: configuration unchanged");
            // Nothing is touched, but who reloads may have removed the cause of a fault.
            self.apply(plan, config);
            return;
        }
        if let Err(failure) = self.pid_files(&config) {
            log::error!(target: ident::DAEMON, "{failure}");
        }
        for (group, field) in &plan.restart {
            log::warn!(
                target: ident::DAEMON,
                "Reload: the new {group} setting '{field}' holds only from the next start; restart \
                 keepalived for it"
            );
        }
        self.apply(plan, config);
        let took = clock::now().saturating_since(since);
        log::info!(target: ident::DAEMON, "Reload finished in {} usec", took.as_micros());
    }

    /// The parts of the daemon that run, as syslog knows them.
    fn idents(&self) -> Vec<&'static str> {
        let parts = [
            (self.check_pid_file.is_some(), ident::CHECK),
            (self.vrrp_pid_file.is_some(), ident::VRRP),
        ];
        parts
            .into_iter()
            .filter_map(|(runs, name)| runs.then_some(name))
            .collect()
    }

    /// Says goodbye.
    fn end(mut self) {
        self.event_loop.drivers.forget();
        for name in self.idents() {
            // 2.x tells the usage with -D only, 1.3.5 not at all.
            let usage = (log::max_level() >= LevelFilter::Debug)
                .then(|| getrusage(UsageWho::RUSAGE_SELF).ok())
                .flatten();
            match (self.options.log_style, usage) {
                (LogStyle::Current, Some(usage)) => log::info!(
                    target: name,
                    "Stopped - used {} user time, {} system time",
                    user_time(&usage),
                    system_time(&usage)
                ),
                (LogStyle::V1_3, _) | (LogStyle::Current, None) => {
                    log::info!(target: name, "Stopped");
                }
            }
        }
        let files = [self.check_pid_file.take(), self.vrrp_pid_file.take()];
        files.into_iter().flatten().for_each(PidFile::remove);
    }
}

/// Leaves out what `-P` and `-C` leave out.
fn limit(mut config: Config, options: &WorkerOptions) -> Config {
    if !options.vrrp {
        config.vrrp_instances.clear();
    }
    if !options.check {
        config.virtual_servers.clear();
    }
    config
}

/// A finding with the places that its notes name, in one line.
fn in_full(finding: &Diagnostic) -> String {
    let mut text = finding.to_string();
    for (note, place) in &finding.notes {
        text.push_str("; ");
        if let Some(place) = place {
            text.push_str(&format!("({}: Line {}) ", place.file, place.line));
        }
        text.push_str(note);
    }
    text
}

fn report(diagnostics: &Diagnostics) {
    for diagnostic in diagnostics {
        log::info!(target: ident::DAEMON, "{diagnostic}");
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

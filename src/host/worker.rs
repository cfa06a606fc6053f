//! The process that does the work: configuration, node, loop, until it is told to end.
//!
//! Owns: the running reload, the pid files of VRRP and the checkers, and what a signal does.
//! Never does: outlive its supervisor. Driven by: `supervisor`, once for each life.

use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal as Unix};
use nix::unistd::{Pid, getpid, getppid};

use super::address_log::AddressLog;
use super::event_loop::EventLoop;
use super::exec::Leave;
use super::fetch::Fetched;
use super::ground;
use super::hand_over::{self, Predecessor, Waiting, Wish};
use super::ledger::Ledger;
use super::local_reports::LocalReports;
use super::namespace::Namespace;
use super::pidfile::{PidFile, PidFileError};
use super::process;
use super::protocol_name::ProtocolName;
use super::reading::{self, Known, Reading};
use super::reloading::{Archive, Marker, Schedule};
use super::reports::{Reports, Runs, UMASK};
use super::service_manager::Watchdog;
use super::signals::Signal;
use super::supervisor::{system_time, user_time};
use super::terms::{Channel, Go, Terms, Word};
use super::{clock, console, logger, sys};
use crate::base::{Instant, ident};
use crate::conf::model::plan::Plan;
use crate::conf::model::{Config, LogStyle, OnOff};
use crate::conf::{LoadOptions, Loaded, Progress, diff, render, source};
use crate::node::{Estate, Options};
use crate::ops::Event;
use crate::ops::world::STOP_PATIENCE;

mod reload;

use reload::Reload;

/// Lines of configuration that are read, or servers that are taken on, between two turns.
const SLICE: usize = 200;

/// After a start or a reload: elections and both bursts of announcements are over then.
const SETTLED: Duration = Duration::from_secs(15);

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
    /// Not `-B`: BFD runs.
    pub bfd: bool,
    /// `--all`: what is not configured counts as running, too.
    pub all: bool,
    /// `-r`, if it is given.
    pub vrrp_pid_file: Option<PathBuf>,
    /// `-c`, if it is given.
    pub check_pid_file: Option<PathBuf>,
    /// `-b`, if it is given.
    pub bfd_pid_file: Option<PathBuf>,
    /// `-s`
    pub namespace: Option<String>,
    /// `-a`: each change of an address is told.
    pub addresses: bool,
    /// `--hand-over`: the next daemon goes on with the work of this one.
    pub hand_over: bool,
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

/// Where the pid files of the parts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) vrrp: PathBuf,
    pub(super) check: PathBuf,
    pub(super) bfd: PathBuf,
}

impl Places {
    /// As the command line says, else as follows from the configuration.
    pub(super) fn new(terms: &Terms, options: &WorkerOptions) -> Self {
        let run = super::run_directory();
        let place = |given: &Option<PathBuf>, name| {
            let given = given.clone();
            given.unwrap_or_else(|| terms.pid_file(&run, name))
        };
        Self {
            vrrp: place(&options.vrrp_pid_file, "vrrp"),
            check: place(&options.check_pid_file, "checkers"),
            bfd: place(&options.bfd_pid_file, "bfd"),
        }
    }

    /// Each of them.
    pub(super) fn all(&self) -> [&Path; 3] {
        [&self.vrrp, &self.check, &self.bfd]
    }
}

/// What ties a worker to those that started it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) parent: Pid,
    pub(super) channel: Channel,
    /// Whoever waits in the foreground for the start of the daemon.
    pub(super) ready: Option<PipeWriter>,
}

/// Does the work and returns the exit status. `ledger` is for the case that none has a name.
pub(super) fn run(options: &WorkerOptions, ledger: Ledger, link: Link) -> i32 {
    let Link {
        parent,
        channel,
        ready,
    } = link;
    logger::set_pids(parent.as_raw(), getpid().as_raw());
    sys::dispositions::default_crashes();
    // The other half of this is the supervisor's: it cleans up after a worker that is killed.
    let orphan = nix::sys::prctl::set_pdeathsig(Unix::SIGTERM).is_err() || getppid() != parent;
    if orphan {
        return 1;
    }
    let started = Worker::start(options, ledger, parent, channel);
    let mut worker = match started {
        Ok(worker) => worker,
        Err(Failure::Unwanted) => return 0,
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
    /// The supervisor has changed its mind.
    #[error("the supervisor wants no worker")]
    Unwanted,
    /// The network namespace cannot be entered.
    #[error("Unable to set network namespace {0} - exiting ({1})")]
    Namespace(String, std::io::Error),
    /// There is VRRP to do, and no right to its packets.
    #[error(
        "VRRP needs packets of its own protocol, which this process may not send (CAP_NET_RAW): run it \
         as root, or give it the capabilities NET_ADMIN and NET_RAW"
    )]
    Unprivileged,
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
            Self::Running | Self::Namespace(..) => 1,
            Self::Unwanted => 0,
            Self::Unprivileged => 4,
            Self::System(error) if error.kind() == std::io::ErrorKind::PermissionDenied => 4,
            Self::System(_) => 1,
        }
    }
}

struct Worker<'a> {
    options: &'a WorkerOptions,
    event_loop: EventLoop,
    reload: Option<Reload>,
    /// The reading that the running configuration comes from.
    known: Known,
    /// Another reload was asked for while one is under way.
    again: bool,
    stop_by: Option<Instant>,
    channel: Channel,
    terms: Terms,
    places: Places,
    vrrp_pid_file: Option<PidFile>,
    check_pid_file: Option<PidFile>,
    bfd_pid_file: Option<PidFile>,
    protocol_name: Option<ProtocolName>,
    reports: Reports,
    process: process::State,
    schedule: Schedule,
    /// `disable_local_igmp`
    reports_kept_back: LocalReports,
    archive: Archive,
    go: Go,
    /// When what a start or a reload has needed is given back.
    tidy_at: Option<Instant>,
    /// Told to stop, it waits for a successor.
    waiting: Option<Waiting>,
}

/// Enters the namespace of the command line, or that which the configuration names, which then is
/// read again: what it refers to is to be found there.
fn load(options: &WorkerOptions) -> Result<(Loaded, Known), Failure> {
    let enter = |name: &str| {
        let entered = Namespace::named(name).and_then(|namespace| namespace.enter());
        entered.map_err(|error| Failure::Namespace(name.to_owned(), error))
    };
    let read = || {
        let files = Fetched::default();
        let mut reading = Reading::new(&options.config, options.load.clone(), files);
        while reading.step(SLICE) == Progress::More {}
        reading.finish()
    };
    if let Some(name) = &options.namespace {
        enter(name)?;
        return Ok(read());
    }
    let read_here = read();
    match &read_here.0.config.global.process.net_namespace {
        None => Ok(read_here),
        Some(name) => {
            enter(name)?;
            Ok(read())
        }
    }
}

impl<'a> Worker<'a> {
    fn start(
        options: &'a WorkerOptions,
        spare: Ledger,
        parent: Pid,
        mut channel: Channel,
    ) -> Result<Self, Failure> {
        let (mut loaded, known) = load(options)?;
        let mut archive = Archive::of(parent);
        archive.keep(&mut loaded);
        for file in &loaded.config.files {
            log::info!(target: ident::DAEMON, "Opening file '{}'.", file.display());
        }
        reading::report(&loaded.diagnostics);
        if let Some(status) = loaded.diagnostics.blocks_start() {
            if !options.console {
                for diagnostic in &loaded.diagnostics {
                    console::say(&format!("{diagnostic}\n{}", render(diagnostic, false)));
                }
            }
            return Err(Failure::Config(status));
        }
        let config = limit(loaded.config, options);
        if !config.vrrp_instances.is_empty() && !ground::may_speak_raw() {
            return Err(Failure::Unprivileged);
        }
        let terms = Terms::of(&config, options.namespace.as_deref());
        channel.say(&Word::Terms(Box::new(terms.clone())));
        let Some(Word::Go(go)) = channel.hear() else {
            return Err(Failure::Unwanted);
        };
        logger::set_suffix(terms.suffix());
        let mut predecessor = go.follows.then(|| Predecessor::find(&go.meeting)).flatten();
        let estate = predecessor.as_mut().map(Predecessor::estate).transpose();
        let estate = estate.inspect_err(|error| {
            log::warn!(target: ident::DAEMON, "the daemon before this one does not tell its state: {error}");
        });
        let named = go.ledger.as_deref().and_then(Ledger::named);
        let ledger = named.unwrap_or(spare);
        let node = Options {
            seed: options.load.seed ^ u64::from(getpid().as_raw().cast_unsigned()),
            log_style: options.log_style,
        };
        let addresses = AddressLog::new(options.addresses);
        let event_loop = EventLoop::new(node, ledger, &terms.namespace_ipvs, addresses)?;
        // Signals that came since the fork were held back until somebody listens.
        SigSet::all()
            .thread_unblock()
            .map_err(std::io::Error::from)?;
        let mut this = Self {
            options,
            event_loop,
            reload: None,
            known,
            again: false,
            stop_by: None,
            channel,
            places: Places::new(&terms, options),
            vrrp_pid_file: None,
            check_pid_file: None,
            bfd_pid_file: None,
            protocol_name: None,
            reports: Reports::new(parent, options.umask, terms.suffix()),
            terms,
            process: process::State::default(),
            schedule: Schedule::default(),
            reports_kept_back: LocalReports::default(),
            archive,
            go,
            tidy_at: None,
            waiting: None,
        };
        let plan = diff::plan(&Config::default(), &config);
        match (predecessor, estate) {
            (Some(predecessor), Ok(Some(estate))) => {
                this.follow(predecessor, estate, plan, config);
            }
            _ => {
                this.pid_files(&config)?;
                this.take_on(&config);
                this.apply(plan, config);
            }
        }
        let runs = this.runs();
        if runs.vrrp || runs.check || runs.bfd {
            log::info!(target: ident::DAEMON, "Startup complete");
        } else {
            log::info!(target: ident::DAEMON, "Warning - keepalived has no configuration to run");
        }
        if options.dump {
            this.reports.log(this.runs());
        }
        this.channel.say(&Word::Ready);
        this.tidy();
        Ok(this)
    }

    /// Goes on with the work of another worker, which ends when this one has begun.
    fn follow(&mut self, predecessor: Predecessor, estate: Estate, plan: Plan, config: Config) {
        log::info!(
            target: ident::DAEMON,
            "Going on with the work of the daemon before this one ({} masters)",
            estate.masters.len()
        );
        self.event_loop.drivers.adopt();
        self.event_loop.node.inherit(estate);
        self.event_loop.take_on(&config);
        let copy = config.clone();
        self.apply(plan, config);
        predecessor.done();
        let EventLoop { drivers, node, .. } = &mut self.event_loop;
        drivers.drop_unclaimed(&self.terms, |name| node.wants_service(name));
        self.lock_after(&copy);
        self.take_on(&copy);
    }

    /// The pid files were the other's until now, and its end is seen before the kernel has unlocked
    /// them all: the loop runs on meanwhile, as this is the master of what it took over.
    fn lock_after(&mut self, config: &Config) {
        let until = self.event_loop.refresh() + hand_over::UNLOCK;
        while let Err(failure) = self.pid_files(config) {
            let late = self.event_loop.now() >= until || !matches!(failure, Failure::Running);
            if late || self.stop_by.is_some() || self.event_loop.drivers.exit.is_some() {
                log::error!(target: ident::DAEMON, "{failure}");
                return;
            }
            match self.event_loop.turn(Some(hand_over::LOOK / 4)) {
                Ok(turn) => turn
                    .signals
                    .into_iter()
                    .for_each(|signal| self.signal(signal)),
                Err(error) => {
                    log::error!(target: ident::DAEMON, "waiting for events: {error}");
                    return;
                }
            }
        }
    }

    fn apply(&mut self, plan: Plan, config: Config) {
        let now = self.event_loop.refresh();
        self.event_loop.drivers.programs.children.forget_names();
        self.event_loop
            .node
            .apply(now, plan, config, &mut self.event_loop.effects);
        self.event_loop.exec_all();
    }

    /// Tells the parent what it has to know of `config`, and changes what the kernel thinks of this
    /// process.
    fn take_on(&mut self, config: &Config) {
        let terms = Terms::of(config, self.options.namespace.as_deref());
        if terms != self.terms {
            self.terms = terms;
            self.channel.say(&Word::Terms(Box::new(self.terms.clone())));
        }
        if self.options.umask.is_none() {
            let mask = self.terms.umask.unwrap_or(UMASK);
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
        }
        self.event_loop.take_on(config);
        let runs = self.runs();
        let parts = process::Parts {
            vrrp: runs.vrrp,
            check: runs.check,
            bfd: runs.bfd,
        };
        if runs.vrrp != self.protocol_name.is_some() {
            self.protocol_name = if runs.vrrp {
                ProtocolName::tell()
            } else {
                None
            };
        }
        let wanted = process::Wanted::of(&config.global.process, parts);
        self.process.take_on(wanted);
        let quiet = runs.vrrp && config.global.interfaces.no_local_igmp;
        self.reports_kept_back.settle(quiet);
        let reload = &config.global.reload;
        self.schedule
            .take_on(reload.time_file.as_deref(), reload.repeat);
    }

    /// Only what is configured has a pid file, as with keepalived's processes, unless all are asked
    /// for.
    fn pid_files(&mut self, config: &Config) -> Result<(), Failure> {
        let options = self.options;
        let all = options.all;
        let wanted = [
            (
                options.check && (all || !config.virtual_servers.is_empty()),
                &self.places.check,
                &mut self.check_pid_file,
                "Healthcheck",
            ),
            (
                options.vrrp && (all || !config.vrrp_instances.is_empty()),
                &self.places.vrrp,
                &mut self.vrrp_pid_file,
                "VRRP",
            ),
            (
                options.bfd && (all || !config.bfd_instances.is_empty()),
                &self.places.bfd,
                &mut self.bfd_pid_file,
                "BFD",
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
            let scheduled = self.schedule.patience(self.event_loop.now());
            let looks = self.waiting.is_some().then_some(hand_over::LOOK);
            let tidies = self
                .tidy_at
                .map(|at| at.saturating_since(self.event_loop.now()));
            let patience = [patience, ping, scheduled, looks, tidies];
            let patience = patience.into_iter().flatten().min();
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
            if let Some(late) = self.event_loop.take_late() {
                self.process.was_late(late);
            }
            self.attend();
            if self.schedule.due(self.event_loop.now()) {
                self.signal(Signal::Reload);
            }
            self.read_on();
            if self.tidy_at.is_some_and(|at| at <= self.event_loop.now()) {
                self.tidy();
            }
            self.reports.step(&mut self.event_loop);
        }
    }

    /// Gives back what a start or a reload has needed: now, and what it has led to when it has
    /// settled.
    fn tidy(&mut self) {
        self.event_loop.tidy();
        self.process.give_memory_back();
        self.tidy_at = match self.tidy_at {
            Some(at) if at <= self.event_loop.now() => None,
            Some(_) | None => Some(self.event_loop.now() + SETTLED),
        };
    }

    /// The parts of the daemon that run.
    const fn runs(&self) -> Runs {
        Runs {
            vrrp: self.vrrp_pid_file.is_some(),
            check: self.check_pid_file.is_some(),
            bfd: self.bfd_pid_file.is_some(),
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Stop if self.stop_by.is_some() => {}
            Signal::Stop if self.options.hand_over && self.waiting.is_none() => self.wait(),
            Signal::Stop => self.stop(),
            Signal::Reload if self.stop_by.is_some() || self.waiting.is_some() => {}
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

    /// Resigns, takes everything away and ends.
    fn stop(&mut self) {
        self.stop_by = Some(self.event_loop.now() + STOP_PATIENCE);
        self.reload = None;
        self.event_loop.drivers.leave = self.options.leave;
        if self.options.leave.ipvs {
            self.event_loop.node.leave_services();
        }
        self.event_loop.handle(Event::Stop);
    }

    /// Goes on until a successor does.
    fn wait(&mut self) {
        match Waiting::at(&self.go.meeting, self.event_loop.now()) {
            Ok(waiting) => {
                log::info!(
                    target: ident::DAEMON,
                    "Waiting {} seconds for the next daemon to go on with the work",
                    hand_over::PATIENCE.as_secs()
                );
                // The parent ends; this process is not to end with it.
                if let Err(error) = nix::sys::prctl::set_pdeathsig(None) {
                    log::warn!(target: ident::DAEMON, "cannot outlive the parent: {error}");
                }
                self.reload = None;
                self.waiting = Some(waiting);
                self.channel.say(&Word::Waiting);
            }
            Err(error) => {
                log::error!(
                    target: ident::DAEMON,
                    "no successor can be waited for at {}: {error}",
                    self.go.meeting.display()
                );
                self.channel.say(&Word::Ready);
                self.stop();
            }
        }
    }

    /// Looks whether a successor has come, or will not.
    fn attend(&mut self) {
        let now = self.event_loop.now();
        let node = &self.event_loop.node;
        let Some(waiting) = self.waiting.as_mut().filter(|_| self.stop_by.is_none()) else {
            return;
        };
        match waiting.look(now, || node.estate()) {
            Some(Wish::Done) => {
                log::info!(target: ident::DAEMON, "The next daemon goes on with the work, ending");
                logger::flush_at_exit(Duration::from_millis(50));
                // Nothing is taken away, neither from the kernel nor from the run directory.
                self.waiting = None;
                std::process::exit(0);
            }
            Some(Wish::Stop) => self.stop(),
            None if waiting.until <= now => {
                log::info!(target: ident::DAEMON, "No other daemon has come to go on with the work, stopping");
                self.stop();
            }
            None => {}
        }
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
        self.reports_kept_back.end();
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
        let files = [self.check_pid_file, self.vrrp_pid_file, self.bfd_pid_file];
        files.into_iter().flatten().for_each(PidFile::remove);
        if let (Some(_), Some(ledger)) = (&self.waiting, &self.go.ledger) {
            // There is no parent any more to do it.
            drop(std::fs::remove_file(ledger));
        }
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
    if !options.bfd {
        config.bfd_instances.clear();
    }
    config
}

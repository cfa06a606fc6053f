//! A reload, from the signal to the last server that is taken on.
//!
//! Owns: where it stands. Each step is bounded, and between two of them the loop has its turn: files
//! are read, lines bound, services compared and taken on a slice at a time. Never does: judge what was
//! read (`reading`) or what differs (`conf::diff`). Driven by: the worker's loop.

use super::{
    Config, Duration, EventLoop, Instant, Known, Loaded, Marker, OnOff, PathBuf, Plan, Progress,
    Reading, SLICE, Worker, clock, ident, limit, reading, source,
};
use crate::conf::diff::Planning;
use crate::host::fetch::Fetched;
use crate::host::reloading::Keeping;
use crate::host::reports::Kept;

/// How long a step waits for what is being carried out.
const PATIENCE: Duration = Duration::from_millis(100);

/// A new configuration on its way.
pub(super) struct Reload {
    stage: Stage,
    since: Instant,
    /// `reload_file`
    _marker: Option<Marker>,
    /// When the last step was.
    stepped: Instant,
    /// The longest step so far, in the processor's time, and what it was: for the log.
    longest: (Duration, &'static str),
}

/// What comes next.
enum Stage {
    /// The files that were read the last time are read.
    Fetch(Box<Fetched>),
    /// They are understood.
    Read(Box<Reading>),
    /// What was read is kept (`config_save_dir`).
    Keep(Box<(Keeping, Loaded, Known)>),
    /// The same where nothing has changed.
    KeepAgain(Box<Keeping>),
    /// What they say is compared with what runs.
    Compare(Box<Planning>),
    /// Services are taken on.
    TakeOn,
}

impl Stage {
    const fn name(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "reading files",
            Self::Read(_) => "understanding them",
            Self::Keep(_) | Self::KeepAgain(_) => "keeping a copy",
            Self::Compare(_) => "comparing",
            Self::TakeOn => "taking services on",
        }
    }
}

impl Worker<'_> {
    pub(super) fn start_reload(&mut self) {
        for name in self.idents() {
            log::info!(target: name, "Reloading");
        }
        self.reload = Some(Reload {
            stage: Stage::Fetch(Box::new(self.known.files())),
            since: clock::now(),
            _marker: self.marker().and_then(Marker::new),
            stepped: clock::now(),
            longest: (Duration::ZERO, ""),
        });
    }

    /// Where the file stands that exists during a reload, if there is to be one.
    fn marker(&self) -> Option<PathBuf> {
        match &self.event_loop.node.config().global.reload.file {
            OnOff::Off => None,
            OnOff::On => {
                let run = self.terms.directory(&crate::host::run_directory());
                Some(run.join("keepalived.reload"))
            }
            OnOff::Named(path) => Some(source::to_path(path)),
        }
    }

    /// One slice of a reload, and its end.
    pub(super) fn read_on(&mut self) {
        let now = self.event_loop.now();
        let Some(mut reload) = self.reload.take() else {
            return;
        };
        // What waits goes first, unless there is no end of it.
        if self.event_loop.is_behind() && now.saturating_since(reload.stepped) < PATIENCE {
            self.reload = Some(reload);
            return;
        }
        reload.stepped = now;
        let takes_on = matches!(reload.stage, Stage::TakeOn);
        let (name, began) = (reload.stage.name(), clock::thread_time());
        let next = self.advance(reload.stage);
        let took = clock::thread_time().saturating_sub(began);
        if took > reload.longest.0 {
            reload.longest = (took, name);
        }
        if let Some(stage) = next {
            reload.stage = stage;
            self.reload = Some(reload);
            return;
        }
        if takes_on {
            let took = clock::now().saturating_since(reload.since).as_micros();
            log::info!(target: ident::DAEMON, "Reload finished in {took} usec");
        }
        log::trace!(
            target: ident::DAEMON,
            "The longest step of the reload took {} usec: {}",
            reload.longest.0.as_micros(),
            reload.longest.1
        );
        if std::mem::take(&mut self.again) {
            self.start_reload();
        }
    }

    /// The next step; `None` if that was the last one.
    fn advance(&mut self, stage: Stage) -> Option<Stage> {
        match stage {
            Stage::Fetch(mut files) => {
                if files.step() {
                    return Some(Stage::Fetch(files));
                }
                if self.known.holds(&files) {
                    if reading::refuses(&self.known.diagnostics, self.tests_reloads()) {
                        return None;
                    }
                    if let Some(keeping) = self.archive.begin_again() {
                        return Some(Stage::KeepAgain(Box::new(keeping)));
                    }
                    self.keep_state(Kept::Before);
                    self.unchanged(None);
                    return None;
                }
                let options = self.options;
                let reading = Reading::new(&options.config, options.load.clone(), *files);
                Some(Stage::Read(Box::new(reading)))
            }
            Stage::Read(mut reading) => {
                if reading.step(SLICE) == Progress::More {
                    return Some(Stage::Read(reading));
                }
                let (mut loaded, known) = reading.finish();
                match self.archive.begin(&mut loaded) {
                    Some(keeping) => Some(Stage::Keep(Box::new((keeping, loaded, known)))),
                    None => self.accept(loaded, known),
                }
            }
            Stage::Keep(mut kept) => {
                if self.archive.step(&mut kept.0) {
                    return Some(Stage::Keep(kept));
                }
                let (_, loaded, known) = *kept;
                self.accept(loaded, known)
            }
            Stage::KeepAgain(mut keeping) => {
                if self.archive.step(&mut keeping) {
                    return Some(Stage::KeepAgain(keeping));
                }
                self.keep_state(Kept::Before);
                self.unchanged(None);
                None
            }
            Stage::Compare(planning) if self.reports.holds() => Some(Stage::Compare(planning)),
            Stage::Compare(mut planning) => {
                let running = self.event_loop.node.config();
                if planning.step(running, SLICE).1 {
                    return Some(Stage::Compare(planning));
                }
                let (plan, config) = planning.finish(running);
                self.begin(plan, config)
            }
            Stage::TakeOn => {
                let now = self.event_loop.refresh();
                let EventLoop { node, effects, .. } = &mut self.event_loop;
                let more = node.go_on(now, SLICE, effects);
                self.event_loop.exec();
                if more {
                    return Some(Stage::TakeOn);
                }
                self.keep_state(Kept::After);
                None
            }
        }
    }

    /// Keeps the state beside the last configuration, if that was kept.
    fn keep_state(&mut self, when: Kept) {
        let runs = self.runs();
        if let Some(kept) = self.archive.last() {
            self.reports.keep(&self.event_loop.node, runs, kept, when);
        }
    }

    /// `reload_check_config`
    fn tests_reloads(&self) -> bool {
        self.event_loop.node.config().global.reload.check != OnOff::Off
    }

    /// Nothing is touched, but who reloads may have removed the cause of a fault. Without `read` not
    /// even the text has changed.
    fn unchanged(&mut self, read: Option<(Plan, Config)>) {
        log::info!(target: ident::DAEMON, "Reload: configuration unchanged");
        self.event_loop.read_certificates();
        if let Some((plan, config)) = read {
            self.apply(plan, config);
            self.keep_state(Kept::After);
            return;
        }
        let now = self.event_loop.refresh();
        let EventLoop {
            drivers,
            node,
            effects,
            ..
        } = &mut self.event_loop;
        drivers.programs.children.forget_names();
        node.apply_again(now, effects);
        self.event_loop.exec();
        self.keep_state(Kept::After);
    }

    /// Goes on with what was read, if it is to run.
    fn accept(&mut self, loaded: Loaded, known: Known) -> Option<Stage> {
        if reading::refuses(&loaded.diagnostics, self.tests_reloads()) {
            return None;
        }
        self.known = known;
        self.keep_state(Kept::Before);
        let config = limit(loaded.config, self.options);
        Some(Stage::Compare(Box::new(Planning::new(config))))
    }

    /// Takes all on but services.
    fn begin(&mut self, plan: Plan, config: Config) -> Option<Stage> {
        if plan.is_empty() {
            self.unchanged(Some((plan, config)));
            return None;
        }
        if let Err(failure) = self.pid_files(&config) {
            log::error!(target: ident::DAEMON, "{failure}");
        }
        self.take_on(&config);
        for (group, field) in &plan.restart {
            log::warn!(
                target: ident::DAEMON,
                "Reload: the new {group} setting '{field}' holds only from the next start; restart \
                 keepalived for it"
            );
        }
        let now = self.event_loop.refresh();
        let EventLoop {
            drivers,
            node,
            effects,
            ..
        } = &mut self.event_loop;
        drivers.programs.children.forget_names();
        node.begin(now, plan, config, effects);
        self.event_loop.exec();
        Some(Stage::TakeOn)
    }
}

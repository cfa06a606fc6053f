//! One `vrrp_script`: runs, results, rise and fall.
//!
//! Owns: when it runs next, how long it may, and what its results come to. Never does: run two of
//! one script at once. Driven by: `domain`, which hands it its timers and the end of its child.

use crate::base::ident::VRRP;
use crate::base::{Duration, Instant};
use crate::conf::model::LogStyle;
use crate::conf::model::options::TrackScript;
use crate::ops::ChildEnd;

use super::Verdict;

/// From TERM to KILL.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What a script's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// There is none.
    Idle,
    /// It runs.
    Running(u64),
    /// It ran for too long and was asked to end.
    Terminating(u64),
    /// It did not, and was killed.
    Killing(u64),
    /// It was killed and is still there: the kernel holds it.
    Stuck(u64),
}

impl Run {
    /// The number of the child.
    pub(super) const fn child(self) -> Option<u64> {
        match self {
            Self::Idle => None,
            Self::Running(number)
            | Self::Terminating(number)
            | Self::Killing(number)
            | Self::Stuck(number) => Some(number),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running(_) => "running",
            Self::Terminating(_) => "being timed out",
            Self::Killing(_) => "being killed",
            Self::Stuck(_) => "stuck in the kernel",
        }
    }
}

/// What has to be done for a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// Start it.
    Start,
    /// Ask it to end.
    Terminate(u64),
    /// Kill it.
    Kill(u64),
}

/// A script with its state.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) config: TrackScript,
    pub(super) run: Run,
    pub(super) verdict: Verdict,
    /// Results in a row that speak against the verdict.
    pub(super) against: u32,
    /// The status that it returned last; 0 before the first.
    returned: i32,
    /// When it runs next.
    pub(super) due: Instant,
    /// When it has run for too long.
    pub(super) limit: Option<Instant>,
}

/// One result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Result {
    Success,
    Status(u8),
    Signal(i32),
    TimedOut,
    NotStarted(i32),
}

impl Script {
    /// A script that runs at once.
    pub(super) const fn new(now: Instant, config: TrackScript) -> Self {
        Self {
            config,
            run: Run::Idle,
            verdict: Verdict::Unknown,
            against: 0,
            returned: 0,
            due: now,
            limit: None,
        }
    }

    /// When time matters next.
    pub(super) fn deadline(&self) -> Instant {
        self.limit.map_or(self.due, |limit| limit.min(self.due))
    }

    /// Takes a new configuration of the same command over: verdict and run stay.
    pub(super) fn reconfigure(&mut self, now: Instant, config: TrackScript) {
        let sooner = now + config.interval;
        self.due = self.due.min(sooner);
        self.config = config;
        self.against = 0;
    }

    fn timeout(&self) -> Duration {
        self.config.timeout.unwrap_or(self.config.interval)
    }

    /// What is due at `now`.
    pub(super) fn tick(&mut self, now: Instant, style: LogStyle) -> Step {
        if self.limit.is_some_and(|limit| limit <= now) {
            return self.overdue(now, style);
        }
        if self.due > now {
            return Step::Nothing;
        }
        // Counted from when it was due, so that late wake-ups do not add up.
        self.due += self.config.interval;
        if self.due <= now {
            self.due = now + self.config.interval;
        }
        if self.run == Run::Idle {
            self.limit = Some(now + self.timeout());
            return Step::Start;
        }
        log::info!(
            target: VRRP,
            "Track script {} is {}, expect idle - skipping run",
            self.config.name,
            self.run.name()
        );
        Step::Nothing
    }

    fn overdue(&mut self, now: Instant, style: LogStyle) -> Step {
        match self.run {
            Run::Running(number) => {
                self.run = Run::Terminating(number);
                self.limit = Some(now + GRACE);
                Step::Terminate(number)
            }
            Run::Terminating(number) => {
                self.run = Run::Killing(number);
                self.limit = Some(now + GRACE);
                Step::Kill(number)
            }
            Run::Killing(number) => {
                log::warn!(
                    target: VRRP,
                    "Track script {} does not end although it was killed (it waits in the kernel, \
                     for a disk or a network file system?) - it counts as failed",
                    self.config.name
                );
                self.run = Run::Stuck(number);
                self.limit = None;
                self.count(Result::TimedOut, style);
                Step::Nothing
            }
            Run::Idle | Run::Stuck(_) => {
                self.limit = None;
                Step::Nothing
            }
        }
    }

    /// Its process ended.
    pub(super) fn ended(&mut self, end: ChildEnd, style: LogStyle) {
        let run = std::mem::replace(&mut self.run, Run::Idle);
        self.limit = None;
        let result = match (run, end) {
            // Its failure was counted when it got stuck.
            (Run::Stuck(_), _) => return,
            (Run::Terminating(_) | Run::Killing(_), _) => Result::TimedOut,
            (Run::Idle | Run::Running(_), ChildEnd::Exited(0)) => Result::Success,
            (Run::Idle | Run::Running(_), ChildEnd::Exited(status)) => Result::Status(status),
            (Run::Idle | Run::Running(_), ChildEnd::Killed(signal)) => Result::Signal(signal),
            (Run::Idle | Run::Running(_), ChildEnd::NotStarted(errno)) => Result::NotStarted(errno),
        };
        if let ChildEnd::Exited(status) = end {
            let status = i32::from(status);
            if std::mem::replace(&mut self.returned, status) != status && style == LogStyle::Current
            {
                let name = &self.config.name;
                log::debug!(target: VRRP, "Script `{name}` now returning {status}");
            }
        }
        self.count(result, style);
    }

    /// The first result decides; later `rise` or `fall` in a row are needed.
    fn count(&mut self, result: Result, style: LogStyle) {
        let good = result == Result::Success;
        let needed = match self.verdict {
            Verdict::Unknown => 1,
            Verdict::Up if !good => self.config.fall,
            Verdict::Down if good => self.config.rise,
            Verdict::Up | Verdict::Down | Verdict::Value(_) => {
                self.against = 0;
                return;
            }
        };
        self.against += 1;
        if self.against < needed {
            return;
        }
        self.against = 0;
        self.verdict = if good { Verdict::Up } else { Verdict::Down };
        let name = &self.config.name;
        match result {
            Result::Success => log::info!(target: VRRP, "VRRP_Script({name}) succeeded"),
            Result::Status(status) if style == LogStyle::Current => {
                log::info!(target: VRRP, "VRRP_Script({name}) failed (exited with status {status})");
            }
            Result::Signal(signal) if style == LogStyle::Current => {
                log::info!(target: VRRP, "VRRP_Script({name}) failed (due to signal {signal})");
            }
            Result::Status(_) | Result::Signal(_) => {
                log::info!(target: VRRP, "VRRP_Script({name}) failed");
            }
            Result::TimedOut if style == LogStyle::Current => {
                log::info!(target: VRRP, "VRRP_Script({name}) timed_out");
            }
            Result::TimedOut => log::info!(target: VRRP, "VRRP_Script({name}) timed out"),
            Result::NotStarted(errno) => log::error!(
                target: VRRP,
                "VRRP_Script({name}) failed (could not be started: error {errno}; limits on \
                 processes or memory?)"
            ),
        }
    }

    /// Says what a reload leaves as it is.
    pub(super) fn say_kept(&self) {
        let how = match self.verdict {
            Verdict::Up => "successful",
            Verdict::Down => "unsuccessful",
            Verdict::Unknown | Verdict::Value(_) => return,
        };
        log::info!(
            target: VRRP,
            "VRRP_Script({}) considered {how} on reload",
            self.config.name
        );
    }
}

//! Schedules checks, routes their results, and says what IPVS should look like.
//!
//! Owns: every service, checker and timer. Never does: decide what an attempt means (`probe`), when
//! a check is down (`checker`) or how configurations differ (`reload`). Driven by: `node`.
//!
//! A checker has one timer: for its next attempt, or for the deadline of the one under way; so
//! there is at most one attempt under way for each. Many attempts that are due at once are started
//! a few at a time, so that adverts get their turn between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use slab::Slab;

use super::bfd::TrackedSession;
use super::checker::{Checker, News, Policy};
use super::course::{Course, Passed};
use super::file::TrackedFile;
use super::marks;
use super::messages::{self, Asked, Subject};
use super::notice;
use super::probe::{Attempt, Detail, Outcome, Setting, Verdict, http_of, misc};
use super::reload::TakingOn;
use super::service::{CheckerIndex, Service, ServiceIndex};
use super::view::ProgramRun;
use super::weight::Shift;
use super::{Action, Event};
use crate::base::{Duration, IfIndex, Instant, Rng, TimerQueue};
use crate::conf::model::{CheckRef, LogStyle, ProbeKind, RealServerKey, ServiceKey};
use crate::ops::{ChildEnd, ChildSignal, Command, ProbeCmd, ProbeId, ProbeIo, ServiceName};

/// How many attempts are started before the loop gets its turn.
pub const STARTS_PER_TURN: u32 = 64;
/// How long the loop has its turn when more attempts are due.
const BREATH: Duration = Duration::from_millis(1);
/// The first attempt comes this long after the start, plus a random part of `warmup`.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// A step of an attempt may take `connect_timeout`, all of them so many times that. keepalived waits
/// for ever for a server that says a byte now and then.
pub(super) const STEPS: u32 = 10;
/// A shortage of this host is said this often at most.
const SHORTAGE_PAUSE: Duration = Duration::from_secs(60);
/// As many servers are named one by one at the end; of more a single line tells. A log daemon
/// takes lines more slowly than they are made here, and would lose others with them.
pub(super) const NAMED_AT_THE_END: usize = 1_000;
/// Bits of a probe's number that are the place of its checker; the rest never repeats.
const INDEX_BITS: u32 = 24;

/// All virtual servers with their checks.
#[derive(Debug)]
pub struct Domain {
    pub(super) style: LogStyle,
    rng: Rng,
    pub(super) services: Slab<Service>,
    /// Where each service is.
    pub(super) places: BTreeMap<ServiceKey, ServiceIndex>,
    /// Which service has a name in the kernel.
    pub(super) owners: BTreeMap<ServiceName, ServiceIndex>,
    pub(super) checkers: Slab<Entry>,
    timers: TimerQueue<CheckerIndex>,
    probes_started: u64,
    /// More attempts are due, but not before this.
    not_before: Option<Instant>,
    shortage: Shortage,
    /// Addresses of this host, for `ha_suspend`.
    pub(super) local: BTreeSet<(IpAddr, IfIndex)>,
    /// `rs_init_notifies`
    pub(super) notify_initial: bool,
    /// `checker_log_all_failures`
    pub(super) log_all_failures: bool,
    /// The mark that the next group gets, if they get any.
    pub(super) next_mark: Option<u32>,
    /// The first configuration has been carried out.
    pub(super) started: bool,
    /// The servers of the end are not named one by one.
    pub(super) ends_quietly: bool,
    /// Commands of an attempt on their way out; kept to reuse the memory.
    commands: Vec<ProbeCmd>,
    /// Servers that begin as down, by their services' and their own names.
    pub(super) down_before: BTreeSet<(String, String)>,
    /// The files that `FILE_CHECK`s go by.
    pub(super) files: BTreeMap<String, TrackedFile>,
    /// The configuration that is being taken on.
    pub(super) taking_on: Option<TakingOn>,
    /// Checks whose servers could not be reached at their last attempt.
    pub(super) unreachable: BTreeSet<CheckerIndex>,
    /// The last run of each check's program.
    pub(super) programs: BTreeMap<CheckerIndex, ProgramRun>,
    /// The BFD sessions that `BFD_CHECK`s go by.
    pub(super) sessions: BTreeMap<String, TrackedSession>,
}

/// A checker and where it belongs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: ServiceIndex,
    /// Place of the server in the service.
    pub(super) server: usize,
    /// Place of the check in the server.
    pub(super) check: usize,
    pub(super) checker: Checker,
    /// Where it is among the resources of its check.
    pub(super) course: Course,
    /// What it makes of its server's weight.
    pub(super) shift: Shift,
    /// The first number of its file is worth a word.
    pub(super) aloud: bool,
    pub(super) running: Option<(ProbeId, Attempt)>,
}

impl Entry {
    /// It looks at a file or a session, which takes no time and needs no timer.
    const fn watches(&self) -> bool {
        matches!(self.running, Some((_, Attempt::File(_) | Attempt::Bfd(_))))
    }
}

/// Keeps the log from being filled by what lies in this host.
#[derive(Debug, Default)]
struct Shortage {
    silent_until: Option<Instant>,
    skipped: u64,
}

/// The state of all services, for reports and the simulator.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(pub(super) &'a Domain);

/// The state of one real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    /// Its service.
    pub service: ServiceKey,
    /// Itself.
    pub server: RealServerKey,
    /// All its checks are up: it is in IPVS.
    pub alive: bool,
    /// Its weight.
    pub weight: u32,
}

impl Domain {
    /// A domain without virtual servers; `seed` spreads the first checks.
    #[must_use]
    pub fn new(style: LogStyle, seed: u64) -> Self {
        Self {
            style,
            rng: Rng::new(seed),
            services: Slab::new(),
            places: BTreeMap::new(),
            owners: BTreeMap::new(),
            checkers: Slab::new(),
            timers: TimerQueue::default(),
            probes_started: 0,
            not_before: None,
            shortage: Shortage::default(),
            local: BTreeSet::new(),
            notify_initial: false,
            log_all_failures: false,
            next_mark: None,
            started: false,
            ends_quietly: false,
            commands: Vec::new(),
            down_before: BTreeSet::new(),
            files: BTreeMap::new(),
            taking_on: None,
            unreachable: BTreeSet::new(),
            programs: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Probe(id, what) => self.probe_io(now, id, what, out),
            Event::Child(number, end) => self.child(now, ProbeId(number), end, out),
            Event::File(name, value) => self.file(name, value, out),
            Event::Session(name, up) => self.session(name, up, out),
            Event::Address(index, address, here) => {
                self.address(now, (address, index), here, out);
            }
            Event::Stop => self.stop(out),
        }
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.not_before.is_some_and(|at| at > now) {
            return;
        }
        self.not_before = None;
        let mut started = 0;
        while let Some((index, _)) = self.timers.pop_due(now) {
            let running = self.checkers.get_mut(index).and_then(|e| e.running.take());
            if let Some((id, Attempt::Misc(phase))) = running {
                self.misc_late(now, index, (id, phase), out);
                continue;
            }
            if let Some((id, attempt)) = running {
                out.push(Action::Probe(id, ProbeCmd::Close));
                if let Some((_, check, _)) = self.checker_and_check(index) {
                    let verdict = attempt.deadline(check);
                    self.settle(now, index, verdict, out);
                }
                continue;
            }
            self.start(now, index, out);
            started += 1;
            if started == STARTS_PER_TURN {
                let more = self.timers.next_deadline().is_some_and(|at| at <= now);
                self.not_before = more.then(|| now + BREATH);
                break;
            }
        }
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline().max(self.not_before)
    }

    /// The state of all services.
    #[must_use]
    pub const fn view(&self) -> View<'_> {
        View(self)
    }

    /// Before the first start: these servers (of these services) were down for a process that is
    /// about to end; their checks begin with that.
    pub fn inherit(&mut self, down: impl IntoIterator<Item = (String, String)>) {
        self.down_before.extend(down);
    }

    /// Puts a new checker into the table and schedules its first attempt; `down`: it was down
    /// before, for another process.
    pub(super) fn add_checker(
        &mut self,
        now: Instant,
        service: ServiceIndex,
        check: CheckRef<'_>,
        down: bool,
    ) -> CheckerIndex {
        let index = self.checkers.insert(Entry {
            service,
            server: 0,
            check: 0,
            checker: Checker::new(check.connect.alpha || down, self.started),
            course: Course::default(),
            shift: Shift::default(),
            aloud: false,
            running: None,
        });
        self.schedule_first(now, index, check);
        index
    }

    /// Schedules an attempt as at the start, unless one is due before or the check rests.
    pub(super) fn schedule_first(
        &mut self,
        now: Instant,
        index: CheckerIndex,
        check: CheckRef<'_>,
    ) {
        let owner = self.checkers.get(index).map(|entry| entry.service);
        let service = owner.and_then(|service| self.services.get(service));
        if service.is_some_and(|service| service.suspended) {
            return;
        }
        let first = match check.kind {
            // To look at a file costs nothing. If others do already, this is a reload.
            Some(ProbeKind::File(probe)) => {
                let aloud = self.is_read(probe);
                if let Some(entry) = self.checkers.get_mut(index) {
                    entry.aloud = aloud;
                }
                now
            }
            Some(ProbeKind::Bfd(_)) => now,
            _ => now + FIRST_AFTER + self.rng.duration_below(check.connect.warmup),
        };
        let at = self.timers.get(index).map_or(first, |due| due.min(first));
        self.timers.set(index, at);
    }

    /// A check with other options begins with the first of its resources.
    pub(super) fn restart(&mut self, index: CheckerIndex) {
        if let Some(entry) = self.checkers.get_mut(index) {
            entry.course.restart();
        }
    }

    /// Takes a checker out of the table.
    pub(super) fn remove_checker(&mut self, index: CheckerIndex, out: &mut Vec<Action>) {
        self.give_up(index, out);
        self.timers.cancel(index);
        self.checkers.try_remove(index);
        self.programs.remove(&index);
        self.unreachable.remove(&index);
    }

    /// Lets a checker rest until it is scheduled again.
    pub(super) fn put_to_rest(&mut self, index: CheckerIndex, out: &mut Vec<Action>) {
        self.give_up(index, out);
        self.timers.cancel(index);
    }

    /// Gives the attempt under way up, if there is one, with its deadline.
    pub(super) fn give_up(&mut self, index: CheckerIndex, out: &mut Vec<Action>) {
        if let Some(entry) = self.checkers.get_mut(index)
            && let Some((id, attempt)) = entry.running.take()
        {
            match attempt {
                Attempt::Misc(_) => out.push(Action::Kill(id.0, ChildSignal::Term)),
                Attempt::File(name) => self.leave_file(index, &name),
                Attempt::Bfd(name) => self.leave_session(index, &name),
                Attempt::Tcp
                | Attempt::Http(_)
                | Attempt::Smtp(_)
                | Attempt::Dns(_)
                | Attempt::Udp
                | Attempt::Ping(_) => out.push(Action::Probe(id, ProbeCmd::Close)),
            }
            self.timers.cancel(index);
        }
    }

    fn start(&mut self, now: Instant, index: CheckerIndex, out: &mut Vec<Action>) {
        self.probes_started += 1;
        let id = probe_id(self.probes_started, index);
        let nonce = self.rng.next_u64();
        let mut commands = std::mem::take(&mut self.commands);
        let Some((entry, check, virtual_host)) = self.checker_and_check(index) else {
            return;
        };
        if let Some(ProbeKind::File(probe)) = check.kind {
            // It ends when the check does.
            let name = probe.track_file.clone().unwrap_or_default();
            entry.running = Some((id, Attempt::File(name.clone())));
            self.commands = commands;
            return self.follow_file(index, &name, out);
        }
        if let Some(ProbeKind::Bfd(probe)) = check.kind {
            let name = probe.name.clone().unwrap_or_default();
            entry.running = Some((id, Attempt::Bfd(name.clone())));
            self.commands = commands;
            return self.follow_session(index, &name, out);
        }
        if let Some(ProbeKind::Misc(probe)) = check.kind {
            let timeout = probe.timeout.unwrap_or(check.connect.delay_loop);
            let command = misc::command(probe);
            self.commands = commands;
            self.start_misc(now, (index, id), command, timeout, out);
            return;
        }
        let timeout = check.connect.connect_timeout;
        let setting = Setting {
            virtual_host,
            place: entry.course.place(),
            nonce,
            until: now + STEPS * timeout,
        };
        let attempt = Attempt::start(check, setting, &mut commands);
        let deadline = now + timeout;
        entry.running = Some((id, attempt));
        self.timers.set(index, deadline);
        out.extend(commands.drain(..).map(|command| Action::Probe(id, command)));
        self.commands = commands;
    }

    fn start_misc(
        &mut self,
        now: Instant,
        (index, id): (CheckerIndex, ProbeId),
        command: Option<Command>,
        timeout: Duration,
        out: &mut Vec<Action>,
    ) {
        // The binder lets no check without a command through.
        let (Some(command), Some(entry)) = (command, self.checkers.get_mut(index)) else {
            self.timers.set(index, now + timeout);
            return;
        };
        entry.running = Some((id, Attempt::Misc(misc::Phase::Running)));
        let before = self.programs.get(&index);
        let status = before.map_or(0, |run| run.status);
        self.programs
            .insert(index, ProgramRun { began: now, status });
        self.timers.set(index, now + timeout);
        out.push(Action::Spawn(id.0, command));
    }

    /// A program has not ended in time.
    fn misc_late(
        &mut self,
        now: Instant,
        index: CheckerIndex,
        (id, phase): (ProbeId, misc::Phase),
        out: &mut Vec<Action>,
    ) {
        match (misc::late(phase), self.checkers.get_mut(index)) {
            (Some((signal, next)), Some(entry)) => {
                entry.running = Some((id, Attempt::Misc(next)));
                self.timers.set(index, now + misc::GRACE);
                out.push(Action::Kill(id.0, signal));
            }
            (None, _) | (_, None) => self.settle(now, index, misc::timed_out(), out),
        }
    }

    fn child(&mut self, now: Instant, id: ProbeId, end: ChildEnd, out: &mut Vec<Action>) {
        let Some(index) = index_of(id) else {
            return;
        };
        let Some((entry, check, _)) = self.checker_and_check(index) else {
            return;
        };
        let (Some((running, Attempt::Misc(phase))), Some(ProbeKind::Misc(probe))) =
            (&entry.running, check.kind)
        else {
            return;
        };
        if *running == id {
            let verdict = misc::judge(probe, *phase, end);
            entry.running = None;
            if let (ChildEnd::Exited(status), Some(run)) = (end, self.programs.get_mut(&index)) {
                run.status = status;
            }
            self.settle(now, index, verdict, out);
        }
    }

    /// A checker with its configuration, and the name of the host that its server stands for.
    pub(super) fn checker_and_check(
        &mut self,
        index: CheckerIndex,
    ) -> Option<(&mut Entry, CheckRef<'_>, Option<&str>)> {
        let entry = self.checkers.get_mut(index)?;
        let service = self.services.get(entry.service)?;
        let server = service.servers.get(entry.server)?;
        let check = server.config.check(entry.check)?;
        let own = server.config.policy.as_deref();
        let host = own.and_then(|policy| policy.virtual_host.as_deref());
        Some((entry, check, host.or_else(|| service.virtual_host())))
    }

    fn probe_io(&mut self, now: Instant, id: ProbeId, what: ProbeIo<'_>, out: &mut Vec<Action>) {
        let Some(index) = index_of(id) else {
            return;
        };
        let mut commands = std::mem::take(&mut self.commands);
        let Some((entry, check, _)) = self.checker_and_check(index) else {
            return;
        };
        // What comes late is of an attempt that was given up.
        let Some((_, attempt)) = entry.running.as_mut().filter(|(running, _)| *running == id)
        else {
            return;
        };
        let verdict = attempt.on(check, what, &mut commands);
        // Each step of a dialogue may take the time anew, as with keepalived.
        let step = now + check.connect.connect_timeout;
        let deadline = attempt.until().map(|until| step.min(until));
        if verdict.is_some() {
            entry.running = None;
            if !matches!(what, ProbeIo::Failed(_)) {
                commands.push(ProbeCmd::Close);
            }
        }
        out.extend(commands.drain(..).map(|command| Action::Probe(id, command)));
        self.commands = commands;
        match verdict {
            Some(verdict) => self.settle(now, index, verdict, out),
            None => {
                if let Some(deadline) = deadline {
                    self.timers.set(index, deadline);
                }
            }
        }
    }

    /// Takes the outcome of an attempt: schedules the next and passes the news on.
    fn settle(
        &mut self,
        now: Instant,
        index: CheckerIndex,
        verdict: Verdict,
        out: &mut Vec<Action>,
    ) {
        let (style, log_all) = (self.style, self.log_all_failures);
        let Some((entry, check, _)) = self.checker_and_check(index) else {
            return;
        };
        let (service, place) = (entry.service, entry.server);
        let outcome = verdict.outcome;
        let asked = Asked {
            place: entry.course.place(),
            was_up: entry.checker.is_up(),
            has_run: entry.checker.has_run(),
            log_all: log_all || check.connect.log_all_failures,
        };
        let passed = match (http_of(check), outcome) {
            (Some(http), Outcome::Success) => {
                entry.course.passed(http, asked.was_up, asked.has_run)
            }
            (Some(_), Outcome::Failure | Outcome::Timeout) => {
                entry.course.failed();
                Passed::Whole
            }
            (Some(_), Outcome::Unknown(_)) | (None, _) => Passed::Whole,
        };
        let (settled, at_once) = match passed {
            Passed::Whole => (
                Some(entry.checker.settle(outcome, Policy::from(check))),
                false,
            ),
            Passed::Part { at_once } => {
                entry.checker.forgive();
                (None, at_once)
            }
        };
        let after = settled.map_or(check.connect.delay_loop, |settled| settled.after);
        let after = if at_once { Duration::ZERO } else { after };
        let news = settled.map_or(News::Nothing, |settled| settled.news);
        if let Some(shift) = Shift::of(check, &verdict) {
            self.shift(index, shift, out);
        }
        let Some(owner) = self.services.get(service) else {
            return;
        };
        let Some(server) = owner.servers.get(place) else {
            return;
        };
        let subject = Subject {
            style,
            service: owner.key(),
            server: server.key(),
        };
        let number = self.checkers.get(index).map(|entry| entry.check);
        let mut text = None;
        if let Some(check) = number.and_then(|number| server.config.check(number)) {
            messages::attempt(subject, check, &verdict, asked, news);
            text = messages::mailed(server.key(), check, &verdict, news);
            // What an earlier process has left down was told by it.
            if matches!(news, News::StaysDown { .. }) && check.connect.alpha {
                out.push(notice::server(owner, &server.config, false));
            }
        }
        let was_alive = server.is_alive();
        if let Outcome::Unknown(errno) = outcome {
            let check = number.and_then(|number| server.config.check(number));
            self.shortage.say(now, (subject, check), errno);
            self.timers.set(index, now + after);
            return;
        }
        self.note_way(index, verdict);
        // One that had to be ended leaves room for others first.
        let at = if outcome == Outcome::Timeout {
            now + after
        } else {
            self.next_at(now, index, after)
        };
        self.timers.set(index, at);
        self.pass_on(news, (service, place), out);
        if matches!(news, News::Down { .. }) {
            self.unshift(index);
        }
        if let Some((up, text)) = text
            && let Some(service) = self.services.get(service)
            && let Some(server) = service.servers.get(place)
        {
            let turned = server.is_alive() != was_alive;
            out.push(notice::check(service, server, (up, turned), text));
        }
    }

    /// Keeps whether there was a way to the server.
    fn note_way(&mut self, index: CheckerIndex, verdict: Verdict) {
        if verdict.detail == Detail::Unreachable {
            self.unreachable.insert(index);
        } else if !self.unreachable.is_empty() {
            self.unreachable.remove(&index);
        }
    }

    /// When the next attempt is due, `after` an outcome. Programs begin every `delay_loop`, however
    /// long they take; anything else is paused between.
    fn next_at(&mut self, now: Instant, index: CheckerIndex, after: Duration) -> Instant {
        let began = self.programs.get(&index).map(|run| run.began);
        let period = self.checker_and_check(index);
        let period = period.map(|(_, check, _)| check.connect.delay_loop);
        match began.filter(|_| Some(after) == period) {
            Some(began) => (began + after).max(now),
            None => now + after,
        }
    }

    /// What the news of a check mean for its server and service.
    pub(super) fn pass_on(
        &mut self,
        news: News,
        (service, place): (ServiceIndex, usize),
        out: &mut Vec<Action>,
    ) {
        let style = self.style;
        let Some(service) = self.services.get_mut(service) else {
            return;
        };
        let Some(server) = service.servers.get_mut(place) else {
            return;
        };
        match news {
            News::Nothing | News::Confirmed | News::StaysDown { .. } | News::Wavers => return,
            News::Up => {
                server.failing = server.failing.saturating_sub(1);
                if !server.is_alive() {
                    return;
                }
            }
            News::Down { .. } => {
                server.failing += 1;
                if server.failing > 1 {
                    return;
                }
            }
        }
        service.turned(style, place, out);
    }

    fn stop(&mut self, out: &mut Vec<Action>) {
        self.taking_on = None;
        let checkers: Vec<CheckerIndex> = self.checkers.iter().map(|(index, _)| index).collect();
        for index in checkers {
            self.give_up(index, out);
        }
        self.checkers.clear();
        self.timers = TimerQueue::default();
        self.not_before = None;
        let services = std::mem::take(&mut self.services);
        self.places.clear();
        self.owners.clear();
        let mut in_order: Vec<&Service> = services.iter().map(|(_, service)| service).collect();
        in_order.sort_by_key(|service| service.place);
        let servers = in_order.iter().map(|service| service.servers.len()).sum();
        let named = !self.ends_quietly && servers <= NAMED_AT_THE_END;
        if !self.ends_quietly && !named {
            messages::all_shutting_down(in_order.len(), servers);
        }
        for service in in_order {
            for server in service.servers.iter().filter(|_| named) {
                let subject = Subject {
                    style: self.style,
                    service: service.key(),
                    server: server.key(),
                };
                let alive = server.is_alive();
                messages::shutting_down(subject, alive, !alive && server.is_inhibited());
            }
            if service.config.policy.omega {
                notice::omega(service, out);
            }
            out.extend(service.names.iter().map(|name| Action::Unwant(*name)));
            marks::take_back(service, out);
        }
    }

    /// What has to hold between events.
    pub(super) fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let (mut seen, mut resting) = (0, 0);
        for (own, service) in &self.services {
            for (place, server) in service.servers.iter().enumerate() {
                debug_assert_eq!(server.checkers.len(), server.config.checks().count());
                let mut failing = 0;
                for (check, &index) in server.checkers.iter().enumerate() {
                    let Some(entry) = self.checkers.get(index) else {
                        debug_assert!(false, "a checker that is not in the table");
                        continue;
                    };
                    debug_assert_eq!(
                        (entry.service, entry.server, entry.check),
                        (own, place, check)
                    );
                    debug_assert_eq!(
                        self.timers.get(index).is_none(),
                        service.suspended || entry.watches(),
                        "a checker that sleeps, or one that does not rest"
                    );
                    resting += usize::from(service.suspended || entry.watches());
                    failing += usize::from(!entry.checker.is_up());
                    seen += 1;
                }
                debug_assert_eq!(failing, server.failing);
            }
        }
        debug_assert_eq!(seen, self.checkers.len(), "a checker that nobody has");
        let running = seen - resting;
        debug_assert_eq!(running, self.timers.len(), "a timer that nobody has");
    }
}

impl Shortage {
    fn say(
        &mut self,
        now: Instant,
        (subject, check): (Subject<'_>, Option<CheckRef<'_>>),
        errno: i32,
    ) {
        if self.silent_until.is_some_and(|until| now < until) {
            self.skipped += 1;
            return;
        }
        let check = check.map(|check| check.connect);
        let skipped = std::mem::take(&mut self.skipped);
        messages::local_failure(subject, check, errno, skipped);
        self.silent_until = Some(now + SHORTAGE_PAUSE);
    }
}

impl View<'_> {
    /// Every real server, service by service.
    pub fn servers(self) -> impl Iterator<Item = ServerView> {
        self.0.services.iter().flat_map(|(_, service)| {
            service.servers.iter().map(|server| ServerView {
                service: service.key().clone(),
                server: server.key(),
                alive: server.is_alive(),
                weight: server.weight,
            })
        })
    }

    /// Attempts that are under way.
    pub fn probes(self) -> impl Iterator<Item = ProbeId> {
        self.0
            .checkers
            .iter()
            .filter_map(|(_, entry)| entry.running.as_ref().map(|(id, _)| *id))
    }
}

/// The number of the `serial`th attempt, made for the checker at `index`: its answers find the
/// checker without a search, and no number is ever used twice.
fn probe_id(serial: u64, index: CheckerIndex) -> ProbeId {
    debug_assert!(index < 1 << INDEX_BITS, "more than 16 million checkers");
    ProbeId((serial << INDEX_BITS) | u64::try_from(index).unwrap_or(0))
}

/// The place of the checker that an attempt was made for.
fn index_of(ProbeId(id): ProbeId) -> Option<CheckerIndex> {
    usize::try_from(id & ((1 << INDEX_BITS) - 1)).ok()
}

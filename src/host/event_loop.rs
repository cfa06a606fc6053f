//! One thread, one poll: readiness and time in, effects out.
//!
//! Owns: the node, the drivers, and the order of things in a turn. Never does: judge what
//! arrives. Driven by: `worker`, which calls [`EventLoop::turn`] until there is an exit status.
//!
//! A turn: wait; read the clock once; signals, links, adverts, checks, then sources that had more
//! than their share last time; then timers; then one slice of deferred work. Sockets come before
//! timers, as a queued advert has to beat a master down timer that expired while we did not run.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::address_log::AddressLog;
use super::clock::{self, Timer};
use super::conn::{Progress, Readiness};
use super::exec::{Answer, Drivers};
use super::gather::{Gather, Hearing};
use super::lanes::{self, Lanes};
use super::ledger::Ledger;
use super::logger;
use super::netlink::{Change, Drained, Monitor};
use super::raw_socket::SLOT;
use super::signals::{Signal, Signals};
use super::sources::Source;
use super::sys::BATCH;
use super::terms;
use crate::base::{Instant, ident};
use crate::conf::model::Config;
use crate::node::{Node, Options};
use crate::ops::{
    ChildId, Datagram, Effect, Event, LinkChange, ProbeId, ProbeIo, RoutingNews, RxMeta, SocketId,
};

/// Events that one wait may bring. Were it less than there are, timers could get ahead of an
/// advert that was not among them.
const EVENTS: usize = 1024;

/// Effects, answers and changes that there is always room for.
const KEPT: usize = 64;

/// Rounds of effects and their answers in one turn, before the next turn goes on with them.
const ROUNDS: usize = 64;

/// Turns in a row with a deadline that is past already, before the loop takes a rest.
const RUNAWAY: u32 = 20;

/// That rest.
const REST: Duration = Duration::from_millis(10);

/// A timer that fires later than this had no chance to: the process did not run.
const LATE: Duration = Duration::from_millis(20);

/// Lateness that keepalived's operators read of in the log.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Shares of [`BATCH`] packets that a socket gets when we are late.
const SHARES: usize = 64;

/// In a flood that is read as fast as it comes, timers are late by a share of it each. What is
/// later than this stood still besides, and has to read all that came meanwhile.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// Datagrams that a socket may bring in a turn, and the room for one.
const DATAGRAMS: usize = 64;
const DATAGRAM: usize = 2048;

/// What a probe's connection may say in a turn: so many parts of so many bytes.
const READS: usize = 8;
const READ: usize = 16 * 1024;

/// A source with what epoll says of it.
type Ready = (Source, Readiness);

/// The loop.
#[derive(Debug)]
pub(super) struct EventLoop {
    poll: Poll,
    events: Events,
    ready: Vec<Ready>,
    /// Sources that had more than their share of a turn.
    still: Vec<Ready>,
    /// Adverts come faster than they are read: every share was full since we were last late.
    flooded: bool,
    timer: Timer,
    monitor: Monitor,
    signals: Signals,
    pub(super) drivers: Drivers,
    pub(super) node: Node,
    pub(super) effects: Vec<Effect>,
    lanes: Lanes,
    answers: Vec<Answer>,
    changes: Vec<Change>,
    now: Instant,
    guard: Guard,
    gather: Gather,
    /// How late the last late timer was, until somebody asks.
    late: Option<Duration>,
    addresses: AddressLog,
}

/// What a turn leaves to its caller.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Signals that arrived.
    pub(super) signals: Vec<Signal>,
}

/// Notices a node whose next deadline never lies in the future.
#[derive(Debug, Default)]
struct Guard {
    turns: u32,
    since: Instant,
    told: bool,
}

impl Guard {
    /// Whether to rest after a turn at `now` that left `deadline`.
    fn rest(&mut self, now: Instant, deadline: Option<Instant>) -> bool {
        if deadline.is_none_or(|deadline| deadline > now) {
            self.turns = 0;
            return false;
        }
        if self.turns == 0 {
            self.since = now;
        }
        self.turns += 1;
        let busy = self.turns > RUNAWAY && now.saturating_since(self.since) < REST * self.turns;
        if busy && !self.told {
            self.told = true;
            log::error!(target: ident::DAEMON, "timers are due again as soon as they fired; slowing down");
        }
        busy
    }
}

impl EventLoop {
    /// A loop whose node knows of every link and address, and of no configuration yet.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn new(
        options: Options,
        ledger: Ledger,
        table: &terms::Ipvs,
        addresses: AddressLog,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut drivers = Drivers::new(poll.registry().try_clone()?, ledger, table)?;
        let timer = Timer::new()?;
        let monitor = Monitor::open()?;
        let mut signals = Signals::new(drivers.programs.children.need_signals())?;
        let register = |drivers: &mut Drivers, fd, source| {
            let token = drivers.sources.insert(source);
            drivers
                .registry
                .register(&mut SourceFd(&fd), token, Interest::READABLE)
        };
        register(&mut drivers, timer.as_raw_fd(), Source::Timer)?;
        register(&mut drivers, monitor.as_raw_fd(), Source::Monitor)?;
        let token: Token = drivers.sources.insert(Source::Signals);
        drivers
            .registry
            .register(&mut signals, token, Interest::READABLE)?;
        let mut this = Self {
            poll,
            events: Events::with_capacity(EVENTS),
            ready: Vec::new(),
            still: Vec::new(),
            flooded: false,
            timer,
            monitor,
            signals,
            drivers,
            node: Node::new(options),
            effects: Vec::new(),
            lanes: Lanes::default(),
            answers: Vec::new(),
            changes: Vec::new(),
            now: clock::now(),
            guard: Guard::default(),
            gather: Gather::default(),
            late: None,
            addresses,
        };
        this.monitor
            .list(&mut this.drivers.buffer, &mut this.changes)?;
        this.tell_changes();
        Ok(this)
    }

    /// How late a timer was since the last call, if one was.
    pub(super) const fn take_late(&mut self) -> Option<Duration> {
        self.late.take()
    }

    /// The time of this turn.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// Reads the files of `SSL` anew: their contents may be what a reload is for.
    pub(super) fn read_certificates(&mut self) {
        self.drivers.probes.show(self.node.config().tls.as_ref());
    }

    /// Takes over what the configuration says of sockets.
    pub(super) fn take_on(&mut self, config: &Config) {
        self.drivers.take_on(config);
        // One socket serves both sides: the larger buffer holds.
        let buffers = config.global.buffers;
        let (vrrp, lvs) = (buffers.vrrp_monitor, buffers.lvs_monitor);
        let wanted = if vrrp.bytes < lvs.bytes { lvs } else { vrrp };
        self.monitor.set_buffer(wanted);
    }

    /// Reads the clock anew, where the caller did something that takes time.
    pub(super) fn refresh(&mut self) -> Instant {
        self.now = clock::now();
        self.node.set_wall_clock(self.now, clock::wall_micros());
        self.now
    }

    /// Gives memory back that a lot of work at once has needed.
    pub(super) fn tidy(&mut self) {
        self.node.tidy();
        self.effects.shrink_to(KEPT);
        self.answers.shrink_to(KEPT);
        self.changes.shrink_to(KEPT);
    }

    /// Hands an event to the node and carries out what it asks for.
    pub(super) fn handle(&mut self, event: Event<'_>) {
        self.node.handle(self.now, event, &mut self.effects);
        self.exec();
    }

    /// Waits for something to happen, at most as long as the caller's `patience`, and handles it.
    ///
    /// # Errors
    /// What makes it senseless to go on.
    pub(super) fn turn(&mut self, patience: Option<Duration>) -> io::Result<Turn> {
        self.wait(patience)?;
        logger::hold();
        self.now = clock::now();
        if self.node.wants_wall_clock() {
            self.node.set_wall_clock(self.now, clock::wall_micros());
        }
        let mut turn = Turn::default();
        self.collect();
        let full = self.ready.len() >= EVENTS;
        let mut ready = std::mem::take(&mut self.ready);
        for &(source, readiness) in &ready {
            self.ready(source, readiness, &mut turn)?;
        }
        ready.clear();
        self.ready = ready;
        self.flooded &= self.has_unread_adverts();
        if let Some(deadline) = self.node.next_deadline()
            && deadline <= self.now
        {
            let late = self.now.saturating_since(deadline);
            if late >= if self.flooded { STOOD_STILL } else { LATE } {
                self.late = Some(late);
                self.catch_up(late);
                self.flooded = self.has_unread_adverts();
            }
            // What did not fit may hold an advert: look again before any timer fires.
            if !full {
                self.node.handle_timeout(self.now, &mut self.effects);
            }
        }
        self.go_on();
        if let Some(processes) = self.drivers.programs.processes.go_on() {
            self.handle(Event::Processes(&processes));
        }
        if self.drivers.programs.take_unread() {
            self.still.push((Source::Processes, Readiness::default()));
        }
        Ok(turn)
    }

    /// Reads every advert that came while we did not run, before timers that expired meanwhile
    /// fire: a share of a turn for each socket is not enough then. A flood that never ends has no
    /// power over this: it gets a bounded number of shares, once; after that its adverts and the
    /// timers take turns, one share each.
    fn catch_up(&mut self, late: Duration) {
        if late >= WORTH_A_LINE {
            log::info!(
                target: ident::VRRP,
                "A thread timer expired {}.{:06} seconds ago",
                late.as_secs(),
                late.subsec_micros()
            );
        }
        for _ in 0..SHARES {
            let (sockets, others): (Vec<Ready>, Vec<Ready>) = std::mem::take(&mut self.still)
                .into_iter()
                .partition(|(source, _)| source.hears_neighbors());
            self.still = others;
            if sockets.is_empty() {
                return;
            }
            for (source, readiness) in sockets {
                match source {
                    Source::Vrrp(id) => self.receive(id, readiness),
                    Source::Datagrams(id) => self.receive_datagrams(id, readiness),
                    _ => {}
                }
            }
        }
    }

    fn has_unread_adverts(&self) -> bool {
        let mut still = self.still.iter();
        still.any(|(source, _)| source.hears_neighbors())
    }

    fn wait(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let deadline = self.node.next_deadline();
        let rest = self.guard.rest(self.now, deadline);
        let mut timeout = patience;
        let mut at_most = |limit: Duration| {
            timeout = Some(timeout.map_or(limit, |timeout| timeout.min(limit)));
        };
        let looking = self.drivers.programs.processes.is_looking();
        let waiting = self.is_behind();
        // Who takes very much over announces it first and tells of it then.
        if !waiting && let Some(again) = logger::flush() {
            at_most(again);
        }
        if looking || waiting || !self.still.is_empty() {
            at_most(Duration::ZERO);
        } else if rest {
            at_most(REST);
        } else if deadline.is_some_and(|deadline| deadline <= self.now) {
            at_most(Duration::ZERO);
        } else {
            self.timer.arm(self.now, deadline)?;
            if let Some(rest) = self.gather.patience(self.now) {
                at_most(rest);
            }
        }
        // Interrupted also means "woken after a stop": timers must not fire before the sockets have
        // been looked at, so there is no turn without an answer.
        loop {
            match self.poll.poll(&mut self.events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Sorts what is ready: see [`Source`].
    fn collect(&mut self) {
        self.ready.append(&mut self.still);
        let drivers = &self.drivers;
        let gathered = self.gather.due(self.now, self.node.next_deadline());
        let gathered = gathered.iter().map(|&id| Source::Vrrp(id));
        self.ready
            .extend(gathered.map(|source| (source, Readiness::default())));
        self.ready.extend(self.events.iter().filter_map(|event| {
            let source = drivers.sources.get(event.token().0)?;
            Some((source, Readiness::from(event)))
        }));
        if self.ready.len() > 1 {
            self.ready.sort_by_key(|&(source, _)| source);
            // What is left of the last turn and what is new of the same source: both hold.
            self.ready.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 = kept.1.and(next.1);
                }
                same
            });
        }
    }

    fn ready(&mut self, source: Source, readiness: Readiness, turn: &mut Turn) -> io::Result<()> {
        match source {
            Source::Signals => {
                turn.signals.extend(self.signals.pending());
                for id in self.drivers.programs.children.without_handle() {
                    self.child(id);
                }
            }
            Source::Monitor => {
                let drained = self
                    .monitor
                    .read(&mut self.drivers.buffer, &mut self.changes)?;
                if drained == Drained::Rest {
                    self.still.push((source, readiness));
                }
                self.tell_changes();
            }
            Source::Vrrp(id) => self.receive(id, readiness),
            Source::Datagrams(id) => self.receive_datagrams(id, readiness),
            Source::Probe(id) => self.probe(id, readiness),
            Source::Child(id) => self.child(id),
            Source::Files => {
                for (id, content) in self.drivers.changed_files() {
                    let content = content.as_deref();
                    self.handle(Event::File { id, content });
                }
            }
            Source::Fifo(id) => {
                if let Some(what) = self.drivers.fifo_ready(id) {
                    self.handle(Event::Fifo { id, what });
                }
            }
            Source::Names => {
                for (id, address) in self.drivers.names.answers() {
                    if let Err(failure) = self.drivers.dialled(id, address) {
                        let what = ProbeIo::Failed(failure);
                        self.handle(Event::Probe { id, what });
                    }
                }
            }
            Source::Searches => {
                for (id, found) in self.drivers.searches.answers() {
                    let what = ProbeIo::Searched(found);
                    self.handle(Event::Probe { id, what });
                }
            }
            Source::Processes => {
                let mut news = Vec::new();
                if self.drivers.process_news(&mut news) {
                    self.still.push((source, readiness));
                }
                for one in &news {
                    self.handle(Event::ProcessNews(one));
                }
            }
            Source::Timer => {}
        }
        Ok(())
    }

    fn tell_changes(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            self.addresses.note(&change);
            if let Change::Link(LinkChange {
                index, state: None, ..
            }) = &change
            {
                self.drivers.interface_gone(*index);
            }
            self.handle(match change {
                Change::Link(link) => Event::Link(link),
                Change::Address(address) => Event::Address(address),
                Change::RoutingGone(what, ref message) => {
                    Event::Routing(RoutingNews::Gone(what, message))
                }
                Change::RoutingUncertain => Event::Routing(RoutingNews::Uncertain),
            });
        }
    }

    fn receive(&mut self, id: SocketId, readiness: Readiness) {
        let Some(socket) = self.drivers.sockets.get_mut(&id) else {
            // It was closed; were it read by the clock, there is nothing left to read.
            self.gather.change(self.now, id, Hearing::Waiting);
            return;
        };
        let Some(interface) = socket.receives_on() else {
            return;
        };
        let mut lengths = [0; BATCH];
        let room = &mut self.drivers.buffer[..BATCH * SLOT];
        let count = match socket.receive(room, &mut lengths) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.still.push((Source::Vrrp(id), readiness));
                return;
            }
            Err(error) => {
                self.socket_failed(id, &error);
                return;
            }
        };
        if count == BATCH {
            self.still.push((Source::Vrrp(id), readiness));
        }
        let changes = socket.stream.heard(self.now, count);
        for (packet, &length) in room.chunks_exact(SLOT).zip(&lengths).take(count) {
            let bytes = &packet[..length];
            let event = Event::Packet {
                socket: id,
                meta: RxMeta { interface },
                bytes,
            };
            self.node.handle(self.now, event, &mut self.effects);
        }
        if let Some(hearing) = changes {
            self.hear(id, hearing);
        }
        self.exec();
    }

    /// Waits for adverts of a socket, or reads it by the clock.
    fn hear(&mut self, id: SocketId, hearing: Hearing) {
        self.gather.change(self.now, id, hearing);
        if let Err(error) = self.drivers.hear(id, hearing) {
            // Reading a socket too often does no harm.
            log::debug!(target: ident::VRRP, "waiting for adverts: {error}");
            self.gather.change(self.now, id, Hearing::Gathering);
        }
    }

    /// Hands on what arrived at a UDP socket, a bounded part of it in one turn.
    fn receive_datagrams(&mut self, id: SocketId, readiness: Readiness) {
        for _ in 0..DATAGRAMS {
            let Some(socket) = self.drivers.datagrams.get(&id) else {
                return;
            };
            let room = &mut self.drivers.buffer[..DATAGRAM];
            let received = match socket.receive(room) {
                Ok(Some(received)) => received,
                Ok(None) => {
                    self.exec();
                    return;
                }
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EIO);
                    self.drivers.close(id);
                    self.handle(Event::SocketFailed { socket: id, errno });
                    return;
                }
            };
            let event = Event::Datagram(Datagram {
                socket: id,
                from: received.from,
                ttl: received.ttl,
                bytes: &room[..received.length],
            });
            self.node.handle(self.now, event, &mut self.effects);
        }
        self.still.push((Source::Datagrams(id), readiness));
        self.exec();
    }

    /// The error that a raw socket reports is that of its link, which the monitor tells of as
    /// well; only a socket that is of no use any more has to be opened anew.
    fn socket_failed(&mut self, id: SocketId, error: &io::Error) {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        log::debug!(target: ident::VRRP, "receiving adverts: {error}");
        if !matches!(errno, libc::ENETDOWN | libc::ENOBUFS | libc::ENOMEM) {
            self.drivers.close(id);
            self.handle(Event::SocketFailed { socket: id, errno });
        }
    }

    /// Hands on what a probe's connection has to say, a bounded part of it in one turn.
    fn probe(&mut self, id: ProbeId, readiness: Readiness) {
        for _ in 0..READS {
            let room = &mut self.drivers.buffer[..READ];
            let what = match self.drivers.probes.advance(id, readiness, room) {
                Progress::Nothing => return,
                Progress::Connected => ProbeIo::Connected,
                Progress::Bytes(count) => ProbeIo::Bytes(&room[..count]),
                Progress::Closed => ProbeIo::Closed,
                Progress::CutOff => ProbeIo::CutOff,
                Progress::Failed(failure) => ProbeIo::Failed(failure),
            };
            let ended = matches!(what, ProbeIo::Failed(_));
            let event = Event::Probe { id, what };
            self.node.handle(self.now, event, &mut self.effects);
            if ended {
                self.drivers.end_probe(id);
            }
            self.exec();
            if ended {
                return;
            }
        }
        self.still.push((Source::Probe(id), readiness));
    }

    fn child(&mut self, id: ChildId) {
        if let Some(end) = self.drivers.child_end(id) {
            self.handle(Event::Child { id, end });
        }
    }

    /// Carries out what the node asked for. While something waits it waits behind that: a turn goes
    /// on with it once, however many events it has.
    pub(super) fn exec(&mut self) {
        if self.lanes.is_empty() {
            self.go_on();
        } else {
            self.lanes.take(&mut self.effects);
        }
    }

    /// Carries out what the node asked for, and what it asks for in answer to the outcome. Of very
    /// much only a part: the rest waits for the next turn.
    fn go_on(&mut self) {
        for _ in 0..ROUNDS {
            if self.effects.is_empty() && self.lanes.is_empty() {
                return;
            }
            if self.lanes.is_empty() && self.effects.len() <= lanes::CHUNK {
                let mut effects = std::mem::take(&mut self.effects);
                self.carry_out(&effects);
                effects.clear();
                // What answers have led to meanwhile.
                effects.append(&mut self.effects);
                effects.shrink_to(lanes::CHUNK);
                self.effects = effects;
                continue;
            }
            self.lanes.take(&mut self.effects);
            self.effects.shrink_to(lanes::CHUNK);
            let effects = self.lanes.next();
            self.carry_out(&effects);
            if !self.lanes.is_empty() {
                return;
            }
        }
        log::debug!(target: ident::DAEMON, "effects lead to ever more effects; going on in the next turn");
    }

    /// Whether something waits to be carried out.
    pub(super) fn is_behind(&self) -> bool {
        !self.effects.is_empty() || !self.lanes.is_empty()
    }

    /// Carries everything out, however long it takes.
    pub(super) fn exec_all(&mut self) {
        self.go_on();
        while !self.lanes.is_empty() {
            self.go_on();
        }
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        self.drivers.exec(effects, &mut self.answers);
        self.monitor.follow_routing(self.drivers.routing_port());
        for answer in self.answers.drain(..) {
            self.node
                .handle(self.now, answer.event(), &mut self.effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: turns a microsecond apart, each with a deadline that is due already. Output: no rest
    // for the first 20, then rests, until there is a deadline in the future.
    #[test]
    fn a_runaway_timer_is_slowed_down() {
        let mut guard = Guard::default();
        let rests = (0..30u64)
            .map(|micros| guard.rest(Instant::from_micros(micros), Some(Instant::ZERO)))
            .filter(|&rest| rest)
            .count();
        assert_eq!(rests, 10);
        let later = Instant::from_micros(100);
        assert!(!guard.rest(Instant::from_micros(31), Some(later)));
        assert!(!guard.rest(Instant::from_micros(32), Some(Instant::ZERO)));
    }

    // Input: 21 turns with due timers, each a whole rest after the other. Output: no rest; a busy
    // daemon is not a runaway.
    #[test]
    fn slow_turns_are_no_runaway() {
        let mut guard = Guard::default();
        for turn in 0..100u64 {
            let now = Instant::from_micros(turn * 11_000);
            assert!(!guard.rest(now, Some(Instant::ZERO)) || turn == 0);
        }
    }
}

//! One session: the state machine of RFC 5880 §6.8.
//!
//! Owns: its state and what both ends have said of their timing. Never does: choose between
//! sessions, or look at a packet before it was found to be this one's. Driven by: `domain`.

use std::net::SocketAddr;

use super::Action;
use super::messages;
use crate::base::time::micros;
use crate::base::{Duration, Instant, Rng, TimerQueue};
use crate::conf::model::BfdInstance;
use crate::ops::{Effect, Frame, SocketId};
use crate::wire::bfd::{Control, Diagnostic, State};

/// Identifies a session of this host; not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(pub(super) u32);

/// What is due for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The next packet.
    Transmit,
    /// Nothing was heard for the detection time.
    Detect,
    /// Its socket is tried again.
    Reopen,
}

/// What a session works with.
#[derive(Debug)]
pub(super) struct Cx<'a> {
    pub(super) now: Instant,
    pub(super) timers: &'a mut TimerQueue<(SessionId, Timer)>,
    pub(super) rng: &'a mut Rng,
    pub(super) out: &'a mut Vec<Action>,
}

/// What the neighbour has said (§6.8.1: `bfd.Remote…`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) state: State,
    /// 0: not known.
    pub(super) discriminator: u32,
    pub(super) diagnostic: Diagnostic,
    pub(super) min_tx: Duration,
    /// Zero: it takes no packets.
    pub(super) min_rx: Duration,
    /// 0: not known.
    pub(super) multiplier: u8,
    pub(super) demand: bool,
}

/// The neighbour's state and times, and those that follow from them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) state: State,
    pub(super) min_tx: Duration,
    pub(super) min_rx: Duration,
    pub(super) multiplier: u8,
    /// Between its packets.
    pub(super) interval: Duration,
    /// How long it waits for us.
    pub(super) detection: Duration,
}

impl Heard {
    const NOTHING: Self = Self {
        state: State::Down,
        min_tx: Duration::ZERO,
        min_rx: Duration::ZERO,
        multiplier: 0,
        interval: Duration::ZERO,
        detection: Duration::ZERO,
    };
}

impl Remote {
    /// Before anything was heard: the one interval that has to be assumed is a microsecond.
    const UNKNOWN: Self = Self {
        state: State::Down,
        discriminator: 0,
        diagnostic: Diagnostic::NONE,
        min_tx: Duration::ZERO,
        min_rx: Duration::from_micros(1),
        multiplier: 0,
        demand: false,
    };
}

/// Whether an answer to the current timing is asked for (§6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Poll {
    /// No.
    Idle,
    /// Yes.
    Running,
    /// Yes, and the timing has changed since: the answer to come is to the one before.
    Outdated,
}

/// Why a session leaves a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The neighbour's packet.
    Heard,
    /// The neighbour is held down by its administrator: nothing is wrong with the path, so nobody
    /// is told (RFC 5882 §4.2; keepalived does the same).
    AdminDown,
    /// The detection time is over.
    Expired,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) config: BfdInstance,
    pub(super) state: State,
    pub(super) discriminator: u32,
    pub(super) diagnostic: Diagnostic,
    pub(super) remote: Remote,
    /// What it had said when it fell silent last: for reports.
    pub(super) heard: Heard,
    poll: Poll,
    /// What is sent by: lags behind what packets say while an increase is not confirmed.
    tx_used: Duration,
    /// What the detection time is reckoned by: lags behind while a decrease is not confirmed.
    rx_used: Duration,
    /// So long may nothing be heard; zero: nothing was heard yet.
    pub(super) detection: Duration,
    pub(super) last_seen: Option<Instant>,
    last_sent: Option<Instant>,
    /// What the next packet's time was reckoned from.
    armed: Option<Duration>,
    pub(super) socket: Option<SocketId>,
    /// The port that it sends from.
    pub(super) port: u16,
    /// That there is no socket was told.
    pub(super) lacks_socket: bool,
    /// What those who wait for it were told last.
    pub(super) told: bool,
}

impl Session {
    pub(super) fn new(id: SessionId, discriminator: u32, config: BfdInstance) -> Self {
        Self {
            id,
            state: State::Down,
            discriminator,
            diagnostic: Diagnostic::NONE,
            remote: Remote::UNKNOWN,
            heard: Heard::NOTHING,
            poll: Poll::Idle,
            tx_used: config.idle_tx,
            rx_used: config.min_rx,
            detection: Duration::ZERO,
            last_seen: None,
            last_sent: None,
            armed: None,
            socket: None,
            port: 0,
            lacks_socket: false,
            told: false,
            config,
        }
    }

    /// What its packets say: §6.8.3 wants a second or more while the session is not up, which is
    /// the least `idle_tx`.
    pub(super) const fn desired_tx(&self) -> Duration {
        match self.state {
            State::Up => self.config.min_tx,
            State::AdminDown | State::Down | State::Init => self.config.idle_tx,
        }
    }

    pub(super) fn polls(&self) -> bool {
        self.poll != Poll::Idle
    }

    /// The time between packets, without its jitter.
    pub(super) fn local_interval(&self) -> Duration {
        self.tx_used.max(self.remote.min_rx)
    }

    /// The same of the neighbour.
    pub(super) fn remote_interval(&self) -> Duration {
        self.remote.min_tx.max(self.rx_used)
    }

    /// How long the neighbour waits for us (§6.8.4).
    pub(super) fn remote_detection(&self) -> Duration {
        self.local_interval() * u32::from(self.config.multiplier)
    }

    /// What the neighbour says, or said last; zeros if it never said anything.
    pub(super) fn heard(&self) -> Heard {
        let remote = &self.remote;
        if remote.discriminator == 0 {
            return self.heard;
        }
        Heard {
            state: remote.state,
            min_tx: remote.min_tx,
            min_rx: remote.min_rx,
            multiplier: remote.multiplier,
            interval: self.remote_interval(),
            detection: self.remote_detection(),
        }
    }

    /// The lowest TTL that a packet may have left (RFC 5881 §5, with `max_hops` for what routers on
    /// the way take of it). A path of several hops is only measured if `max_hops` says so.
    pub(super) fn least_ttl(&self) -> u8 {
        match self.config.max_hops {
            None => 0,
            Some(0) if self.config.multihop => 0,
            Some(hops) => self.config.ttl.saturating_sub(hops),
        }
    }

    /// The port of both ends that packets go to.
    pub(super) const fn service(&self) -> u16 {
        service_port(self.config.multihop)
    }

    /// It has a socket from now on.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        self.armed = None;
        self.pace(cx);
    }

    /// It sends nothing any more.
    pub(super) fn pause(&mut self, cx: &mut Cx<'_>) {
        self.armed = None;
        cx.timers.cancel((self.id, Timer::Transmit));
    }

    /// Tells what the state is, also if nothing has changed.
    pub(super) fn tell(&self, out: &mut Vec<Action>) {
        out.push(Action::State {
            name: self.config.name.clone(),
            audience: self.config.audience,
            up: self.told,
        });
    }

    /// A packet of this session (§6.8.6, from the session's selection on).
    pub(super) fn packet(&mut self, cx: &mut Cx<'_>, control: &Control) {
        let before = self.agreement();
        let us = |micros: u32| Duration::from_micros(micros.into());
        self.remote = Remote {
            state: control.state,
            discriminator: control.my_discriminator,
            diagnostic: control.diagnostic,
            min_tx: us(control.desired_min_tx),
            min_rx: us(control.required_min_rx),
            multiplier: control.multiplier,
            demand: control.demand,
        };
        self.last_seen = Some(cx.now);
        self.lacks_socket = false;
        if control.final_ {
            self.confirmed();
        }
        if self.state == State::AdminDown {
            return;
        }
        let next = transition(self.state, control.state);
        if let Some(next) = next {
            let cause = if control.state == State::AdminDown {
                Cause::AdminDown
            } else {
                Cause::Heard
            };
            self.enter(cx, next, cause);
        }
        self.settle_detection(control.poll);
        if self.agreement() != before {
            messages::parameters(self);
        }
        if self.detection != before.4 {
            messages::detection(self.detection, before.4);
        }
        cx.timers
            .set((self.id, Timer::Detect), cx.now + self.detection);
        if next.is_some() {
            self.announce(cx, control.poll);
        } else if control.poll {
            self.send(cx, true);
        }
        self.pace(cx);
    }

    /// What of the timing is worth a line when it changes.
    fn agreement(&self) -> (Duration, Duration, Duration, u8, Duration) {
        let remote = &self.remote;
        (
            self.local_interval(),
            remote.min_tx,
            remote.min_rx,
            remote.multiplier,
            self.detection,
        )
    }

    /// The neighbour has answered: what was asked for holds from now on (§6.8.3).
    fn confirmed(&mut self) {
        match self.poll {
            Poll::Idle => {}
            Poll::Outdated => self.poll = Poll::Running,
            Poll::Running => {
                self.poll = Poll::Idle;
                self.tx_used = self.desired_tx();
                self.rx_used = self.config.min_rx;
            }
        }
    }

    /// Reckons the detection time (§6.8.4). While the neighbour polls it may still send at its old
    /// pace (keepalived does), so a shorter one waits for the end of that.
    fn settle_detection(&mut self, polled: bool) {
        let new = self.remote_interval() * u32::from(self.remote.multiplier);
        if !(polled && self.state == State::Up && new < self.detection) {
            self.detection = new;
        }
    }

    fn enter(&mut self, cx: &mut Cx<'_>, to: State, cause: Cause) {
        self.state = to;
        self.diagnostic = match (to, cause) {
            (State::Down, Cause::Expired) => Diagnostic::EXPIRED,
            (State::Down, Cause::Heard | Cause::AdminDown) => Diagnostic::NEIGHBOR_DOWN,
            (State::AdminDown, _) => Diagnostic::ADMIN_DOWN,
            (State::Init | State::Up, _) => Diagnostic::NONE,
        };
        messages::entering(self);
        match to {
            State::Up => {
                // Less is no surprise for the neighbour; more has to be confirmed first.
                self.tx_used = self.tx_used.min(self.config.min_tx);
                self.start_poll();
            }
            State::AdminDown | State::Down | State::Init => {
                self.poll = Poll::Idle;
                self.tx_used = self.config.idle_tx;
                self.rx_used = self.config.min_rx;
            }
        }
        let up = match (to, cause) {
            (State::Up, _) => true,
            (State::Down, Cause::AdminDown) | (State::Init, _) => self.told,
            (State::Down | State::AdminDown, _) => false,
        };
        if up != self.told {
            self.told = up;
            self.tell(cx.out);
        }
    }

    fn start_poll(&mut self) {
        self.poll = match self.poll {
            Poll::Idle => Poll::Running,
            Poll::Running | Poll::Outdated => Poll::Outdated,
        };
        messages::polling(&self.config.name);
    }

    /// Something is due.
    pub(super) fn due(&mut self, cx: &mut Cx<'_>, timer: Timer, at: Instant) {
        match timer {
            Timer::Transmit => {
                self.armed = None;
                if self.interval().is_some() {
                    self.send(cx, false);
                }
                self.pace(cx);
            }
            Timer::Detect => self.silence(cx, at),
            Timer::Reopen => {}
        }
    }

    /// Nothing was heard for the detection time: the session is down, and its number there is no
    /// longer known (§6.8.1, §6.8.4).
    fn silence(&mut self, cx: &mut Cx<'_>, at: Instant) {
        self.heard = self.heard();
        match self.state {
            State::Init | State::Up => {
                let silent = self
                    .last_seen
                    .map_or(self.detection, |seen| cx.now.saturating_since(seen));
                messages::expired(&self.config.name, silent, cx.now.saturating_since(at));
                self.remote.discriminator = 0;
                self.enter(cx, State::Down, Cause::Expired);
                self.forget();
                self.announce(cx, false);
            }
            State::Down | State::AdminDown => self.forget(),
        }
        self.pace(cx);
    }

    /// What the neighbour has said counts no longer: it may have been another daemon.
    fn forget(&mut self) {
        let diagnostic = self.remote.diagnostic;
        self.remote = Remote {
            diagnostic,
            ..Remote::UNKNOWN
        };
    }

    /// Its configuration is another one; neighbour and source address are the same.
    pub(super) fn reconfigure(&mut self, cx: &mut Cx<'_>, config: BfdInstance) {
        let old = std::mem::replace(&mut self.config, config);
        let timing = |config: &BfdInstance| (config.min_tx, config.min_rx, config.multiplier);
        match self.state {
            State::Up if timing(&old) != timing(&self.config) => {
                self.tx_used = self.tx_used.min(self.config.min_tx);
                self.rx_used = self.rx_used.max(self.config.min_rx);
                self.start_poll();
                self.settle_detection(false);
            }
            State::Up => {}
            State::AdminDown | State::Down | State::Init => {
                self.tx_used = self.config.idle_tx;
                self.rx_used = self.config.min_rx;
            }
        }
        self.pace(cx);
        self.tell(cx.out);
    }

    /// The time between packets; `None`: none is to be sent (§6.8.7, §6.6).
    fn interval(&self) -> Option<Duration> {
        let remote = &self.remote;
        let waits = self.config.passive && remote.discriminator == 0;
        let both_up = self.state == State::Up && remote.state == State::Up;
        let unwanted = remote.demand && both_up && !self.polls();
        let sends = self.socket.is_some() && !waits && !remote.min_rx.is_zero() && !unwanted;
        sends.then(|| self.local_interval())
    }

    /// Arms the timer of the next packet anew if the pace has changed. Intervals are shortened by
    /// 10 to 25 percent (§6.8.7 for a multiplier of 1; keepalived does it always).
    fn pace(&mut self, cx: &mut Cx<'_>) {
        let interval = self.interval();
        let timer = (self.id, Timer::Transmit);
        if interval == self.armed && (interval.is_none() || cx.timers.get(timer).is_some()) {
            return;
        }
        self.armed = interval;
        let Some(interval) = interval else {
            cx.timers.cancel(timer);
            return;
        };
        let full = micros(interval);
        let jittered = Duration::from_micros(full - full / 10 - cx.rng.below(full * 15 / 100 + 1));
        let at = self.last_sent.map_or(cx.now, |sent| sent + jittered);
        cx.timers.set(timer, at.max(cx.now));
    }

    /// A packet between the others, because what they say has changed (§6.8.7).
    fn announce(&mut self, cx: &mut Cx<'_>, answers: bool) {
        if self.interval().is_some() {
            self.send(cx, answers);
            self.armed = None;
        }
    }

    /// Sends a packet; one that answers a poll does not ask itself (§6.5).
    fn send(&mut self, cx: &mut Cx<'_>, answers: bool) {
        let Some(socket) = self.socket else {
            return;
        };
        let us = |time| u32::try_from(micros(time)).unwrap_or(u32::MAX);
        let control = Control {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polls() && !answers,
            final_: answers,
            independent: false,
            authenticated: false,
            demand: false,
            multiplier: self.config.multiplier,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx: us(self.desired_tx()),
            required_min_rx: us(self.config.min_rx),
            required_min_echo: 0,
        };
        let frame = Frame::Datagram {
            to: SocketAddr::new(self.config.neighbor, self.service()),
            bytes: control.emit().to_vec(),
        };
        cx.out.push(Action::World(Effect::Send(socket, frame)));
        self.last_sent = Some(cx.now);
    }
}

/// The port of single-hop (RFC 5881 §4) and multihop sessions (RFC 5883 §5).
pub(super) const fn service_port(multihop: bool) -> u16 {
    if multihop { 4784 } else { 3784 }
}

/// The state that a session goes to when it hears of the neighbour's (§6.8.6); `None`: it stays.
pub(super) const fn transition(local: State, heard: State) -> Option<State> {
    match (local, heard) {
        (State::Down, State::Down) => Some(State::Init),
        (State::Down, State::Init) | (State::Init, State::Init | State::Up) => Some(State::Up),
        (State::Init, State::AdminDown) | (State::Up, State::AdminDown | State::Down) => {
            Some(State::Down)
        }
        (State::Down, State::AdminDown | State::Up)
        | (State::Init, State::Down)
        | (State::Up, State::Init | State::Up)
        | (State::AdminDown, State::AdminDown | State::Down | State::Init | State::Up) => None,
    }
}

//! All BFD sessions of this host.
//!
//! Owns: the sessions, their timers, the sockets that they share for receiving, and which session a
//! packet is for. Never does: judge what a packet says. Driven by: `node`; sockets are read before
//! timers fire, so that a queued packet beats an expired detection time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::messages::{self, Complaints, Refusal};
use super::session::{Cx, Session, SessionId, Timer, service_port};
use super::view::SessionView;
use super::{Action, Event};
use crate::base::{Duration, Family, Instant, Rng, TimerQueue};
use crate::conf::model::plan::Step;
use crate::conf::model::{BfdInstance, BfdKey};
use crate::ops::{Datagram, Effect, SocketId, SocketSpec};
use crate::wire::bfd::Control;

/// From a failure of a socket to the next attempt.
const RETRY: Duration = Duration::from_secs(1);
/// Ports that packets may come from (RFC 5881 §4).
const FIRST_PORT: u16 = 49152;
/// How many there are.
const PORTS: u64 = 65536 - 49152;

/// A socket that receives for every session of a family and port.
type Channel = (Family, u16);

/// All BFD sessions of this host.
#[derive(Debug)]
pub struct Domain {
    sessions: BTreeMap<SessionId, Session>,
    by_key: BTreeMap<BfdKey, SessionId>,
    by_discriminator: BTreeMap<u32, SessionId>,
    by_socket: BTreeMap<SocketId, SessionId>,
    timers: TimerQueue<(SessionId, Timer)>,
    listeners: BTreeMap<Channel, SocketId>,
    /// Listeners that failed, and when they are tried again.
    deaf: BTreeMap<Channel, Instant>,
    /// Those whose failure was told.
    told: BTreeSet<Channel>,
    complaints: Complaints,
    rng: Rng,
    next_session: u32,
    next_socket: u64,
    stopped: bool,
}

impl Domain {
    /// A domain without sessions. `seed` makes discriminators, ports and jitter.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            sessions: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_discriminator: BTreeMap::new(),
            by_socket: BTreeMap::new(),
            timers: TimerQueue::default(),
            listeners: BTreeMap::new(),
            deaf: BTreeMap::new(),
            told: BTreeSet::new(),
            complaints: Complaints::default(),
            rng: Rng::new(seed),
            next_session: 1,
            next_socket: 0,
            stopped: false,
        }
    }

    /// Takes a configuration over: sessions of the same neighbour, source and port keep their state.
    pub fn apply(&mut self, now: Instant, plan: Vec<Step<BfdInstance>>, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        for step in plan {
            match step {
                Step::Remove(config) => self.remove(&config.key(), out),
                Step::Update(config, _) => self.update(now, config, out),
                Step::Add(config) => self.add(now, config, out),
                Step::Keep(_) => {}
            }
        }
        self.settle_listeners(out);
    }

    fn add(&mut self, now: Instant, config: BfdInstance, out: &mut Vec<Action>) {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        let discriminator = self.fresh_discriminator();
        let session = Session::new(id, discriminator, config);
        session.tell(out);
        self.by_key.insert(session.config.key(), id);
        self.by_discriminator.insert(discriminator, id);
        let channel = channel(&session.config);
        self.sessions.insert(id, session);
        self.listen(channel, out);
        self.open(now, id, out);
    }

    fn remove(&mut self, key: &BfdKey, out: &mut Vec<Action>) {
        let Some(session) = self
            .by_key
            .remove(key)
            .and_then(|id| self.sessions.remove(&id))
        else {
            return;
        };
        self.by_discriminator.remove(&session.discriminator);
        for timer in [Timer::Transmit, Timer::Detect, Timer::Reopen] {
            self.timers.cancel((session.id, timer));
        }
        if let Some(socket) = session.socket {
            self.by_socket.remove(&socket);
            out.push(Action::World(Effect::Close(socket)));
        }
        self.complaints.forget(session.id.0);
    }

    fn update(&mut self, now: Instant, config: BfdInstance, out: &mut Vec<Action>) {
        let Some(&id) = self.by_key.get(&config.key()) else {
            return;
        };
        let mut reopens = false;
        self.drive(now, id, out, |session, cx| {
            reopens = session.config.ttl != config.ttl;
            session.reconfigure(cx, config);
        });
        if reopens {
            self.close(now, id, out);
            self.open(now, id, out);
        }
    }

    /// Lets something happen to a session.
    fn drive(
        &mut self,
        now: Instant,
        id: SessionId,
        out: &mut Vec<Action>,
        event: impl FnOnce(&mut Session, &mut Cx<'_>),
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let timers = &mut self.timers;
        let rng = &mut self.rng;
        event(
            session,
            &mut Cx {
                now,
                timers,
                rng,
                out,
            },
        );
    }

    /// A number of no other session, and not 0.
    fn fresh_discriminator(&mut self) -> u32 {
        loop {
            let number = u32::try_from(self.rng.below(1 << 32)).unwrap_or_default();
            if number != 0 && !self.by_discriminator.contains_key(&number) {
                return number;
            }
        }
    }

    fn fresh_socket(&mut self) -> SocketId {
        self.next_socket += 1;
        SocketId::of_bfd(self.next_socket)
    }

    /// Opens the socket that a session sends from. Whether the kernel refuses it is told at once, so
    /// the first packet goes out with it.
    fn open(&mut self, now: Instant, id: SessionId, out: &mut Vec<Action>) {
        let socket = self.fresh_socket();
        let port = self.fresh_port();
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let config = &session.config;
        let source = config
            .source
            .unwrap_or_else(|| unspecified(Family::of(config.neighbor)));
        let spec = SocketSpec::Datagram {
            bind: SocketAddr::new(source, port),
            ttl: Some(config.ttl),
            receives: false,
        };
        session.socket = Some(socket);
        session.port = port;
        self.by_socket.insert(socket, id);
        out.push(Action::World(Effect::Open(socket, spec)));
        self.drive(now, id, out, Session::begin);
        self.fire(now, out);
    }

    fn close(&mut self, now: Instant, id: SessionId, out: &mut Vec<Action>) {
        let socket = self
            .sessions
            .get_mut(&id)
            .and_then(|session| session.socket.take());
        if let Some(socket) = socket {
            self.by_socket.remove(&socket);
            out.push(Action::World(Effect::Close(socket)));
        }
        self.drive(now, id, out, Session::pause);
    }

    /// A port that no other session sends from, as far as there are so many.
    fn fresh_port(&mut self) -> u16 {
        let used: BTreeSet<u16> = self.sessions.values().map(|session| session.port).collect();
        let start = self.rng.below(PORTS);
        let port = |n: u64| {
            let offset = u16::try_from((start + n) % PORTS).unwrap_or_default();
            FIRST_PORT.saturating_add(offset)
        };
        let free = (0..PORTS).map(port).find(|port| !used.contains(port));
        free.unwrap_or(FIRST_PORT)
    }

    fn listen(&mut self, channel: Channel, out: &mut Vec<Action>) {
        if self.listeners.contains_key(&channel) || self.deaf.contains_key(&channel) {
            return;
        }
        let socket = self.fresh_socket();
        let spec = SocketSpec::Datagram {
            bind: SocketAddr::new(unspecified(channel.0), channel.1),
            ttl: None,
            receives: true,
        };
        self.listeners.insert(channel, socket);
        out.push(Action::World(Effect::Open(socket, spec)));
    }

    /// Closes what no session needs.
    fn settle_listeners(&mut self, out: &mut Vec<Action>) {
        let wanted: BTreeSet<Channel> = self
            .sessions
            .values()
            .map(|session| channel(&session.config))
            .collect();
        self.listeners.retain(|channel, socket| {
            let keep = wanted.contains(channel);
            if !keep {
                out.push(Action::World(Effect::Close(*socket)));
            }
            keep
        });
        self.deaf.retain(|channel, _| wanted.contains(channel));
        self.told.retain(|channel| wanted.contains(channel));
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        match event {
            Event::Datagram(datagram) => self.datagram(now, datagram, out),
            Event::SocketFailed(socket, errno) => self.socket_failed(now, socket, errno, out),
            Event::Stop => self.stop(out),
        }
    }

    /// Nothing is said to the neighbours, as with keepalived: its sessions do not count a neighbour
    /// that says AdminDown as lost, and whoever tracks it would never hear of the end.
    fn stop(&mut self, out: &mut Vec<Action>) {
        self.stopped = true;
        let sockets = self.by_socket.keys().chain(self.listeners.values());
        out.extend(sockets.map(|&socket| Action::World(Effect::Close(socket))));
        self.timers = TimerQueue::default();
        self.deaf.clear();
    }

    fn datagram(
        &mut self,
        now: Instant,
        Datagram {
            socket,
            from,
            ttl,
            bytes,
        }: Datagram<'_>,
        out: &mut Vec<Action>,
    ) {
        let mut listeners = self.listeners.iter();
        let Some((&(_, port), _)) = listeners.find(|&(_, &listener)| listener == socket) else {
            return;
        };
        // RFC 5881 §5: what has come too far is not even looked into.
        let sender = self.session_with(from.ip(), port);
        if let Some(session) = sender.and_then(|id| self.sessions.get(&id))
            && ttl < session.least_ttl()
        {
            let least = session.least_ttl();
            let why = Refusal::TooFar { ttl, least };
            self.complaints.refused(now, from, session.id.0, why);
            return;
        }
        let control = match Control::parse(bytes) {
            Ok(control) => control,
            Err(why) => {
                self.complaints.malformed(now, from, why);
                return;
            }
        };
        // §6.8.6: by its number if it has one; the address has to be right in any case.
        let discriminator = control.your_discriminator;
        let named = match discriminator {
            0 => sender,
            number => self.by_discriminator.get(&number).copied(),
        };
        let Some(id) = named.filter(|id| sender == Some(*id)) else {
            let why = Refusal::Unknown { discriminator };
            let sender = sender.map_or(0, |id| id.0);
            self.complaints.refused(now, from, sender, why);
            return;
        };
        if control.authenticated {
            self.complaints
                .refused(now, from, id.0, Refusal::Authenticated);
            return;
        }
        self.drive(now, id, out, |session, cx| session.packet(cx, &control));
        self.fire(now, out);
    }

    /// The session with that neighbour on that port; there is one, whatever its source.
    fn session_with(&self, neighbor: IpAddr, port: u16) -> Option<SessionId> {
        let first = BfdKey {
            neighbor,
            multihop: port == service_port(true),
            source: None,
        };
        let (key, &id) = self.by_key.range(&first..).next()?;
        (key.neighbor == first.neighbor && key.multihop == first.multihop).then_some(id)
    }

    fn socket_failed(&mut self, now: Instant, socket: SocketId, errno: i32, out: &mut Vec<Action>) {
        if let Some(id) = self.by_socket.remove(&socket) {
            let Some(session) = self.sessions.get_mut(&id) else {
                return;
            };
            session.socket = None;
            if !std::mem::replace(&mut session.lacks_socket, true) {
                messages::no_socket(&session.config.name, errno);
            }
            self.drive(now, id, out, Session::pause);
            self.timers.set((id, Timer::Reopen), now + RETRY);
            return;
        }
        let mut listeners = self.listeners.iter();
        let failed = listeners.find(|&(_, &listener)| listener == socket);
        if let Some((&channel, _)) = failed {
            self.listeners.remove(&channel);
            self.deaf.insert(channel, now + RETRY);
            if self.told.insert(channel) {
                messages::deaf(channel.1, errno);
            }
        }
    }

    /// Lets everything that is due at `now` happen; harmless if nothing is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        let due = self.deaf.iter().filter(|&(_, &at)| at <= now);
        let due: Vec<Channel> = due.map(|(&channel, _)| channel).collect();
        for channel in due {
            self.deaf.remove(&channel);
            self.listen(channel, out);
        }
        self.fire(now, out);
    }

    fn fire(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some(((id, timer), at)) = self.timers.pop_due(now) {
            match timer {
                Timer::Reopen => self.open(now, id, out),
                Timer::Transmit | Timer::Detect => {
                    self.drive(now, id, out, |session, cx| session.due(cx, timer, at));
                }
            }
        }
    }

    /// When `handle_timeout` is needed next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let retry = self.deaf.values().min().copied();
        retry.into_iter().chain(self.timers.next_deadline()).min()
    }

    /// A session as it stands.
    #[must_use]
    pub fn session(&self, key: &BfdKey) -> Option<SessionView> {
        let id = *self.by_key.get(key)?;
        let at = |timer| self.timers.get((id, timer));
        let (transmit, detect) = (at(Timer::Transmit), at(Timer::Detect));
        Some(SessionView::of(self.sessions.get(&id)?, transmit, detect))
    }

    /// The socket that sessions of that family and kind hear by.
    #[must_use]
    pub fn listener(&self, family: Family, multihop: bool) -> Option<SocketId> {
        self.listeners
            .get(&(family, service_port(multihop)))
            .copied()
    }
}

fn channel(config: &BfdInstance) -> Channel {
    (Family::of(config.neighbor), service_port(config.multihop))
}

const fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

//! All virtual routers of this host.
//!
//! Owns: the instances, their timers, the sockets that they share, and the way from an event to
//! the instances that it concerns. Never does: decide anything for an instance. Driven by:
//! `node`; sockets are read before timers fire, so that a queued advert beats an expired timer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::{Kind, untag};
use super::departed::Departed;
use super::instance::{Cx, Input, Instance, InstanceId, State, Timer};
use super::links::{AddressKey, Links};
use super::messages::{Note, assigned, note};
use super::{Action, Event, InterfaceFacts};
use crate::base::ident::VRRP;
use crate::base::{Duration, Family, IfIndex, Instant, TimerQueue};
use crate::conf::model::plan::Step;
use crate::conf::model::{InstanceKey, LogStyle, Vrid, VrrpInstance};
use crate::ops::{AddressChange, Effect, OpTag, RxMeta, SocketId, SocketSpec};
use crate::wire::ip::{self, parse_ipv4};
use crate::wire::vrrp::Header;

/// All virtual routers of this host.
#[derive(Debug)]
pub struct Domain {
    style: LogStyle,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) by_key: BTreeMap<InstanceKey, InstanceId>,
    /// For each interface name, who looks at it.
    watchers: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Who a received packet is for.
    by_vrid: BTreeMap<(IfIndex, Vrid), InstanceId>,
    pub(super) timers: TimerQueue<(InstanceId, Timer)>,
    links: Links,
    departed: Departed,
    sockets: Sockets,
    /// When a broken socket is opened anew, or a new one has proved itself.
    socket_timers: TimerQueue<SocketTimer>,
    next_instance: u32,
    stopped: bool,
}

/// The sockets that are open.
#[derive(Debug)]
struct Sockets {
    /// For gratuitous ARP; open while there are instances.
    link: SocketId,
    link_open: bool,
    by_interface: BTreeMap<IfIndex, Shared>,
    next: u64,
}

/// The VRRP socket of one interface.
#[derive(Debug)]
struct Shared {
    id: SocketId,
    users: BTreeSet<InstanceId>,
    /// The error that it broke with, until a new one has proved itself.
    broken: Option<i32>,
}

/// What is due for a socket that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SocketTimer {
    /// Open it anew.
    Reopen(IfIndex),
    /// It has not failed at once: its users may go on.
    Proved(IfIndex),
    /// Open the one for gratuitous ARP anew.
    ReopenLink,
}

/// From a failure to the next attempt.
const REOPEN_DELAY: Duration = Duration::from_secs(1);
/// A socket that cannot be opened fails within the turn that asked for it.
const PROOF: Duration = Duration::from_millis(100);

impl Sockets {
    fn fresh(&mut self) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        id
    }
}

fn vrrp_socket(interface: IfIndex) -> SocketSpec {
    SocketSpec::Vrrp {
        interface,
        family: Family::V4,
        group: IpAddr::V4(ip::VRRP_GROUP_V4),
    }
}

impl Domain {
    /// A domain without instances.
    #[must_use]
    pub fn new(style: LogStyle) -> Self {
        Self {
            style,
            instances: BTreeMap::new(),
            by_key: BTreeMap::new(),
            watchers: BTreeMap::new(),
            by_vrid: BTreeMap::new(),
            timers: TimerQueue::default(),
            links: Links::default(),
            departed: Departed::default(),
            sockets: Sockets {
                link: SocketId(0),
                link_open: false,
                by_interface: BTreeMap::new(),
                next: 1,
            },
            socket_timers: TimerQueue::default(),
            next_instance: 0,
            stopped: false,
        }
    }

    /// Carries out a reload, or the first start when everything is an [`Step::Add`].
    pub fn apply(&mut self, now: Instant, plan: Vec<Step<VrrpInstance>>, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        self.departed.forget_done();
        // Removals come first in a plan; all are claimed before any starts, so that an address
        // that moves from one instance to another is not taken for a leftover.
        let mut new = Vec::new();
        for step in plan {
            match step {
                Step::Remove(config) => self.remove(now, &config, out),
                Step::Update(config, _) => self.update(now, config, out),
                Step::Add(config) => new.extend(self.add(now, config, out)),
                Step::Keep(_) => {}
            }
        }
        for &id in &new {
            self.step(now, id, Input::Start, out);
        }
        self.settle_link_socket(out);
        self.end_truces(now, out);
        self.report_strays(now, &new, out);
    }

    /// Whoever reloads has often just removed the cause of a fight over addresses: instances that
    /// stay away because of one try again at once, not when their minute is over.
    fn end_truces(&mut self, now: Instant, out: &mut Vec<Action>) {
        let away = self.instances.values();
        let away = away.filter(|instance| instance.fight.given_up);
        let away: Vec<InstanceId> = away.map(|instance| instance.id).collect();
        for id in away {
            self.timers.cancel((id, Timer::Truce));
            self.step(now, id, Input::Timer(Timer::Truce, now), out);
        }
    }

    /// Addresses that carry keepalived's mark and are in no instance may be a crashed run's, whose
    /// configuration was edited since, or another keepalived's: people have to decide.
    fn report_strays(&mut self, now: Instant, new: &[InstanceId], out: &mut Vec<Action>) {
        let mut seen = BTreeSet::new();
        for &id in new {
            let Some((instance, cx)) = self.split(now, id, out) else {
                continue;
            };
            if let Some(on) = instance.link.filter(|&on| seen.insert(on)) {
                for address in cx.links.strays(on) {
                    let interface = instance.config.interface.as_str();
                    let stray = Note::Stray { address, interface };
                    note(cx.style, &instance.config.name, stray);
                }
            }
        }
    }

    fn add(
        &mut self,
        now: Instant,
        config: VrrpInstance,
        out: &mut Vec<Action>,
    ) -> Option<InstanceId> {
        let key = config.key();
        if self.by_key.contains_key(&key) {
            return None;
        }
        let id = InstanceId(self.next_instance);
        self.next_instance += 1;
        self.by_key.insert(key, id);
        self.instances.insert(id, Instance::new(id, config));
        self.watch(id);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.adopt_addresses(&mut cx);
            instance.check_room(&cx);
        }
        self.settle_link_socket(out);
        self.refresh(now, id, out);
        Some(id)
    }

    fn update(&mut self, now: Instant, config: VrrpInstance, out: &mut Vec<Action>) {
        let Some(&id) = self.by_key.get(&config.key()) else {
            return;
        };
        self.unwatch(id);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.reconfigure(&mut cx, config);
        }
        self.watch(id);
        self.refresh(now, id, out);
    }

    fn remove(&mut self, now: Instant, config: &VrrpInstance, out: &mut Vec<Action>) {
        let Some(id) = self.by_key.remove(&config.key()) else {
            return;
        };
        self.step(now, id, Input::Stop, out);
        self.unwatch(id);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.depart(&mut cx);
            let link = instance.link;
            self.detach(id, link, out);
        }
        self.instances.remove(&id);
    }

    /// The instance, and what it works with.
    fn split<'a>(
        &'a mut self,
        now: Instant,
        id: InstanceId,
        out: &'a mut Vec<Action>,
    ) -> Option<(&'a mut Instance, Cx<'a>)> {
        let instance = self.instances.get_mut(&id)?;
        let cx = Cx {
            now,
            style: self.style,
            timers: &mut self.timers,
            links: &mut self.links,
            departed: &mut self.departed,
            link_socket: self.sockets.link,
            out,
        };
        Some((instance, cx))
    }

    pub(super) fn step(
        &mut self,
        now: Instant,
        id: InstanceId,
        input: Input,
        out: &mut Vec<Action>,
    ) {
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.step(&mut cx, input);
            instance.check_invariants(cx.timers);
        }
    }

    fn watch(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get(&id) {
            for name in instance.interfaces() {
                let watchers = self.watchers.entry(name.to_owned()).or_default();
                watchers.insert(id);
            }
        }
    }

    fn unwatch(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get(&id) else {
            return;
        };
        for name in instance.interfaces() {
            if let Some(watchers) = self.watchers.get_mut(name) {
                watchers.remove(&id);
                if watchers.is_empty() {
                    self.watchers.remove(name);
                }
            }
        }
    }

    /// Looks at the interfaces of an instance anew: socket, addresses, fitness.
    fn refresh(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        let before = instance.link;
        instance.place_addresses(&mut cx);
        let fault = instance.look_up(&cx);
        let after = instance.link;
        if before != after {
            self.detach(id, before, out);
            self.attach(id, after, out);
        }
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        match (fault, instance.state) {
            (Some(reason), State::Backup | State::Master) => {
                instance.step(&mut cx, Input::Unable(reason));
            }
            (None, State::Fault) => instance.step(&mut cx, Input::Able),
            (Some(_), State::Init | State::Fault)
            | (None, State::Init | State::Backup | State::Master) => {}
        }
        instance.settle(&mut cx);
        instance.check_invariants(cx.timers);
    }

    /// Joins the socket on `link`, which is opened if this is the first there.
    fn attach(&mut self, id: InstanceId, link: Option<IfIndex>, out: &mut Vec<Action>) {
        let (Some(link), Some(instance)) = (link, self.instances.get_mut(&id)) else {
            return;
        };
        if instance.config.family != Family::V4 {
            return;
        }
        let next = &mut self.sockets.next;
        let entry = self.sockets.by_interface.entry(link);
        let shared = entry.or_insert_with(|| {
            let id = SocketId(*next);
            *next += 1;
            out.push(Action::World(Effect::Open(id, vrrp_socket(link))));
            if let (Some(facts), Some(source)) =
                (self.links.by_index(link), self.links.source(link))
            {
                assigned(source, &facts.name);
            }
            Shared {
                id,
                users: BTreeSet::new(),
                broken: None,
            }
        });
        shared.users.insert(id);
        instance.socket_error = shared.broken;
        instance.socket = shared.broken.is_none().then_some(shared.id);
        self.by_vrid.insert((link, instance.config.vrid), id);
    }

    /// Leaves the socket on `link`, which is closed after the last.
    fn detach(&mut self, id: InstanceId, link: Option<IfIndex>, out: &mut Vec<Action>) {
        let (Some(link), Some(instance)) = (link, self.instances.get_mut(&id)) else {
            return;
        };
        instance.socket = None;
        instance.socket_error = None;
        let slot = (link, instance.config.vrid);
        if self.by_vrid.get(&slot) == Some(&id) {
            self.by_vrid.remove(&slot);
        }
        let Some(shared) = self.sockets.by_interface.get_mut(&link) else {
            return;
        };
        shared.users.remove(&id);
        if shared.users.is_empty() {
            // One that broke is closed already, unless its successor is on trial.
            let on_trial = self
                .socket_timers
                .cancel(SocketTimer::Proved(link))
                .is_some();
            if shared.broken.is_none() || on_trial {
                out.push(Action::World(Effect::Close(shared.id)));
            }
            self.socket_timers.cancel(SocketTimer::Reopen(link));
            self.sockets.by_interface.remove(&link);
        }
    }

    fn settle_link_socket(&mut self, out: &mut Vec<Action>) {
        let wanted = !self.instances.is_empty();
        if wanted && !self.sockets.link_open {
            self.sockets.link = self.sockets.fresh();
            let open = Effect::Open(self.sockets.link, SocketSpec::Link);
            out.push(Action::World(open));
        } else if !wanted
            && self.sockets.link_open
            && self.socket_timers.cancel(SocketTimer::ReopenLink).is_none()
        {
            out.push(Action::World(Effect::Close(self.sockets.link)));
        }
        self.sockets.link_open = wanted;
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        if self.stopped && !matches!(event, Event::Refused(..)) {
            return;
        }
        match event {
            Event::Interface(facts) => self.interface(now, facts, out),
            Event::InterfaceGone(index) => {
                if let Some(name) = self.links.remove(index) {
                    self.refresh_watchers(now, &name, out);
                }
            }
            Event::Address(change) => self.address(now, &change, out),
            Event::Packet {
                socket,
                from: _,
                meta,
                bytes,
            } => self.packet(now, socket, meta, bytes, out),
            Event::SocketFailed(socket, errno) => self.socket_failed(now, socket, errno, out),
            Event::Refused(tag, errno) => self.refused(now, tag, errno, out),
            Event::Stop => self.stop(now, out),
        }
    }

    fn interface(&mut self, now: Instant, facts: InterfaceFacts, out: &mut Vec<Action>) {
        let name = facts.name.clone();
        if let Some(old) = self.links.set(facts) {
            self.refresh_watchers(now, &old, out);
        }
        self.refresh_watchers(now, &name, out);
    }

    fn refresh_watchers(&mut self, now: Instant, name: &str, out: &mut Vec<Action>) {
        let watchers = self.watchers.get(name).cloned().unwrap_or_default();
        for id in watchers {
            self.refresh(now, id, out);
        }
    }

    fn address(&mut self, now: Instant, change: &AddressChange, out: &mut Vec<Action>) {
        let before = self.links.source(change.index);
        self.links.address(change);
        if self.links.source(change.index) != before
            && let Some(facts) = self.links.by_index(change.index)
        {
            let name = facts.name.clone();
            self.refresh_watchers(now, &name, out);
        }
        let key = AddressKey {
            on: change.index,
            address: change.address,
            prefix_len: change.prefix_len,
        };
        if change.present || self.links.removal_was_ours(key, now) {
            return;
        }
        let claimants: Vec<InstanceId> = self.links.claimants(key).collect();
        for id in claimants {
            let instance = self.instances.get(&id);
            if let Some(index) = instance.and_then(|instance| instance.position(key)) {
                self.step(now, id, Input::AddressLost(index), out);
            }
        }
    }

    fn packet(
        &mut self,
        now: Instant,
        socket: SocketId,
        meta: RxMeta,
        bytes: &[u8],
        out: &mut Vec<Action>,
    ) {
        let on = meta.interface;
        let ours = self.sockets.by_interface.get(&on);
        if ours.is_none_or(|shared| shared.id != socket) {
            return;
        }
        let Ok((header, payload)) = parse_ipv4(bytes) else {
            return;
        };
        if header.protocol != ip::PROTOCOL_VRRP || header.destination != ip::VRRP_GROUP_V4 {
            return;
        }
        let Some(advert) = Header::read(payload) else {
            return;
        };
        let id = Vrid::new(advert.vrid).and_then(|vrid| self.by_vrid.get(&(on, vrid)).copied());
        let Some(id) = id else {
            self.links.set_stranger(on, advert.vrid, header.source);
            return;
        };
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        // Our own advert, brought back by a bridge or a mirror port.
        if Some(header.source) == instance.source {
            return;
        }
        if let Some(late) = instance.overslept_for(now) {
            instance.step(&mut cx, Input::Overslept(late));
        }
        let heard = instance.receive(&cx, header.source, header.ttl, &advert, payload);
        if let Some(heard) = heard {
            instance.step(&mut cx, Input::Advert(heard));
        }
        instance.check_invariants(cx.timers);
    }

    fn socket_failed(&mut self, now: Instant, socket: SocketId, errno: i32, out: &mut Vec<Action>) {
        if self.sockets.link_open && socket == self.sockets.link {
            log::error!(
                target: VRRP,
                "The socket for gratuitous ARP failed: error {errno} - trying again"
            );
            self.socket_timers
                .set(SocketTimer::ReopenLink, now + REOPEN_DELAY);
            return;
        }
        let mut shared = self.sockets.by_interface.iter_mut();
        let Some((&on, shared)) = shared.find(|(_, shared)| shared.id == socket) else {
            return; // Closed in the meantime.
        };
        shared.broken = Some(errno);
        self.socket_timers.cancel(SocketTimer::Proved(on));
        self.socket_timers
            .set(SocketTimer::Reopen(on), now + REOPEN_DELAY);
        self.tell_users(now, on, out);
    }

    /// Hands the state of the socket on `on` to the instances that use it.
    fn tell_users(&mut self, now: Instant, on: IfIndex, out: &mut Vec<Action>) {
        let Some(shared) = self.sockets.by_interface.get(&on) else {
            return;
        };
        let (socket, broken) = (shared.id, shared.broken);
        for id in shared.users.clone() {
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.socket_error = broken;
                instance.socket = broken.is_none().then_some(socket);
            }
            self.refresh(now, id, out);
        }
    }

    fn socket_timer(&mut self, now: Instant, timer: SocketTimer, out: &mut Vec<Action>) {
        match timer {
            SocketTimer::Reopen(on) => {
                let id = self.sockets.fresh();
                if let Some(shared) = self.sockets.by_interface.get_mut(&on) {
                    shared.id = id;
                    out.push(Action::World(Effect::Open(id, vrrp_socket(on))));
                    self.socket_timers.set(SocketTimer::Proved(on), now + PROOF);
                }
            }
            SocketTimer::Proved(on) => {
                if let Some(shared) = self.sockets.by_interface.get_mut(&on) {
                    shared.broken = None;
                }
                self.tell_users(now, on, out);
            }
            SocketTimer::ReopenLink => {
                self.sockets.link = self.sockets.fresh();
                let open = Effect::Open(self.sockets.link, SocketSpec::Link);
                out.push(Action::World(open));
            }
        }
    }

    fn refused(&mut self, now: Instant, tag: OpTag, errno: i32, out: &mut Vec<Action>) {
        let (id, slot, kind) = untag(tag);
        match self.split(now, id, out) {
            Some((instance, mut cx)) if instance.has_slot(slot) => {
                instance.refused(&mut cx, slot, kind, errno);
            }
            // An addition that was refused needs no more, now that the address is not wanted.
            Some(_) | None if kind == Kind::Add => {}
            Some(_) | None => {
                let links = &mut self.links;
                self.departed
                    .refused(now, self.style, (id, slot), errno, links);
            }
        }
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.stopped = true;
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            self.step(now, id, Input::Stop, out);
        }
        self.departed.retry(now, &mut self.links, out);
        self.socket_timers = TimerQueue::default();
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some((timer, _)) = self.socket_timers.pop_due(now) {
            self.socket_timer(now, timer, out);
        }
        if self.departed.next_deadline().is_some_and(|at| at <= now) {
            self.departed.retry(now, &mut self.links, out);
        }
        while let Some(((id, timer), due)) = self.timers.pop_due(now) {
            let Some((instance, mut cx)) = self.split(now, id, out) else {
                continue;
            };
            match instance.overslept_for(now) {
                Some(late) => instance.step(&mut cx, Input::Overslept(late)),
                None => instance.step(&mut cx, Input::Timer(timer, due)),
            }
            instance.check_invariants(cx.timers);
        }
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.timers.next_deadline(),
            self.socket_timers.next_deadline(),
            self.departed.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}

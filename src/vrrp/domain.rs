//! All virtual routers of this host.
//!
//! Owns: the instances, their timers, the sockets that they share, and the way from an event to
//! the instances that it concerns. Never does: decide anything for an instance. Driven by:
//! `node`; sockets are read before timers fire, so that a queued advert beats an expired timer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::untag;
use super::instance::{Cx, Input, Instance, InstanceId, State, Timer};
use super::links::Links;
use super::view::InstanceView;
use super::{Action, Event, InterfaceFacts};
use crate::base::{Family, IfIndex, Instant, TimerQueue};
use crate::conf::model::plan::Step;
use crate::conf::model::{InstanceKey, LogStyle, Vrid, VrrpInstance};
use crate::ops::{AddressChange, Effect, OpTag, RxMeta, SocketId, SocketSpec};
use crate::wire::ip::{self, parse_ipv4};
use crate::wire::vrrp::Header;

/// All virtual routers of this host.
#[derive(Debug)]
pub struct Domain {
    style: LogStyle,
    instances: BTreeMap<InstanceId, Instance>,
    by_key: BTreeMap<InstanceKey, InstanceId>,
    /// For each interface name, who looks at it.
    watchers: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Who a received packet is for.
    by_vrid: BTreeMap<(IfIndex, Vrid), InstanceId>,
    timers: TimerQueue<(InstanceId, Timer)>,
    links: Links,
    sockets: Sockets,
    next_instance: u32,
    stopped: bool,
}

/// The sockets that are open.
#[derive(Debug)]
struct Sockets {
    /// For gratuitous ARP; open while there are instances.
    link: SocketId,
    link_open: bool,
    by_interface: BTreeMap<IfIndex, (SocketId, BTreeSet<InstanceId>)>,
    next: u64,
}

impl Sockets {
    fn fresh(&mut self) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        id
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
            sockets: Sockets {
                link: SocketId(0),
                link_open: false,
                by_interface: BTreeMap::new(),
                next: 1,
            },
            next_instance: 0,
            stopped: false,
        }
    }

    /// Carries out a reload, or the first start when everything is an [`Step::Add`].
    pub fn apply(&mut self, now: Instant, plan: Vec<Step<VrrpInstance>>, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
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
        for id in new {
            self.step(now, id, Input::Start, out);
        }
        self.settle_link_socket(out);
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
        let mut instance = Instance::new(id, config);
        instance.adopt_addresses();
        self.instances.insert(id, instance);
        self.watch(id);
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
            instance.unclaim_addresses(&mut cx);
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
            link_socket: self.sockets.link,
            out,
        };
        Some((instance, cx))
    }

    fn step(&mut self, now: Instant, id: InstanceId, input: Input, out: &mut Vec<Action>) {
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
    }

    /// Joins the socket on `link`, which is opened if this is the first there.
    fn attach(&mut self, id: InstanceId, link: Option<IfIndex>, out: &mut Vec<Action>) {
        let (Some(link), Some(instance)) = (link, self.instances.get_mut(&id)) else {
            return;
        };
        if instance.config.family != Family::V4 {
            return;
        }
        let fresh = SocketId(self.sockets.next);
        let (socket, users) = self
            .sockets
            .by_interface
            .entry(link)
            .or_insert_with(|| (fresh, BTreeSet::new()));
        if *socket == fresh {
            self.sockets.next += 1;
            let spec = SocketSpec::Vrrp {
                interface: link,
                family: Family::V4,
                group: IpAddr::V4(ip::VRRP_GROUP_V4),
            };
            out.push(Action::World(Effect::Open(fresh, spec)));
        }
        users.insert(id);
        instance.socket = Some(*socket);
        self.by_vrid.insert((link, instance.config.vrid), id);
    }

    /// Leaves the socket on `link`, which is closed after the last.
    fn detach(&mut self, id: InstanceId, link: Option<IfIndex>, out: &mut Vec<Action>) {
        let (Some(link), Some(instance)) = (link, self.instances.get_mut(&id)) else {
            return;
        };
        instance.socket = None;
        let slot = (link, instance.config.vrid);
        if self.by_vrid.get(&slot) == Some(&id) {
            self.by_vrid.remove(&slot);
        }
        if let Some((socket, users)) = self.sockets.by_interface.get_mut(&link) {
            users.remove(&id);
            if users.is_empty() {
                out.push(Action::World(Effect::Close(*socket)));
                self.sockets.by_interface.remove(&link);
            }
        }
    }

    fn settle_link_socket(&mut self, out: &mut Vec<Action>) {
        let wanted = !self.instances.is_empty();
        if wanted && !self.sockets.link_open {
            self.sockets.link = self.sockets.fresh();
            out.push(Action::World(Effect::Open(
                self.sockets.link,
                SocketSpec::Link,
            )));
        } else if !wanted && self.sockets.link_open {
            out.push(Action::World(Effect::Close(self.sockets.link)));
        }
        self.sockets.link_open = wanted;
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
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
        if self.stopped || ours.is_none_or(|&(open, _)| open != socket) {
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
        let _ = (now, out);
        log::error!(
            target: crate::base::ident::VRRP,
            "socket {} failed: error {errno}", socket.0
        );
    }

    fn refused(&mut self, now: Instant, tag: OpTag, errno: i32, out: &mut Vec<Action>) {
        let (id, slot, kind) = untag(tag);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.refused(&mut cx, slot, kind, errno);
        }
    }

    fn stop(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            self.step(now, id, Input::Stop, out);
        }
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
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
        self.timers.next_deadline()
    }

    /// Every instance as it stands, in the order in which they were added.
    #[must_use]
    pub fn view(&self) -> Vec<InstanceView> {
        self.instances
            .values()
            .map(|instance| InstanceView {
                name: instance.config.name.clone(),
                vrid: instance.config.vrid,
                family: instance.config.family,
                interface: instance.config.interface.clone(),
                state: instance.state,
                priority: instance.priority(),
                wanted: instance.wanted().collect(),
                stats: instance.stats,
            })
            .collect()
    }
}

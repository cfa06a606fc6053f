//! All virtual routers of this host.
//!
//! Owns: the instances, their timers, the sockets that they share, and the way from an event to
//! the instances that it concerns. Never does: decide anything for an instance. Driven by:
//! `node`; sockets are read before timers fire, so that a queued advert beats an expired timer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::{Kind, PROMOTION_SLOT, untag};
use super::departed::Departed;
use super::fitness::Trackers;
use super::group::Groups;
use super::instance::{Cx, FaultReason, Input, Instance, InstanceId, State, Timer};
use super::interfaces::Debounce;
use super::links::{AddressKey, Links};
use super::messages::{assigned, heard_session, tracked_session};
use super::own_link::{FIREWALL_SLOT, LINK_SLOT, Waiting};
use super::pace::Pace;
use super::registry::Registry;
use super::sockets::{REOPEN_DELAY, SocketTimer, Sockets};
use super::statics::{STATICS, Statics};
use super::tell::Told;
use super::tracking::{self, Known, Verdicts};
use super::transport::Channel;
use super::{Action, Event, TrackerKind, Verdict};
use crate::base::ident::VRRP;
use crate::base::{Duration, IfIndex, Instant, TimerQueue};
use crate::conf::model::options::SyncGroup;
use crate::conf::model::{InstanceKey, LogStyle, Vrid};
use crate::ops::{AddressChange, OpTag, RxMeta, SocketId};
use crate::wire::ah;
use crate::wire::ip::{self, Packet};
use crate::wire::vrrp::Header;

/// All virtual routers of this host.
#[derive(Debug)]
pub struct Domain {
    pub(super) style: LogStyle,
    /// Each in a place of its own: a tree keeps a third of its room empty.
    pub(super) instances: BTreeMap<InstanceId, Box<Instance>>,
    pub(super) registry: Registry,
    /// For each interface name, who looks at it.
    pub(super) watchers: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Source addresses that instances cannot be without, and how many of them.
    pub(super) tracked_sources: BTreeMap<IpAddr, usize>,
    pub(super) timers: TimerQueue<(InstanceId, Timer)>,
    pub(super) links: Links,
    pub(super) debounce: Debounce,
    pub(super) departed: Departed,
    pub(super) statics: Statics,
    pub(super) pace: Pace,
    pub(super) sockets: Sockets,
    /// What trackers say.
    pub(super) verdicts: Verdicts,
    /// Their definitions.
    pub(super) known: Known,
    pub(super) sync_groups: Vec<SyncGroup>,
    pub(super) groups: Groups,
    /// Changes of priorities are told where nothing else is said.
    pub(super) priority_changes: bool,
    /// When the time of day was told last, and what it was.
    wall: (Instant, u64),
    /// Somebody signs or verifies.
    signs: bool,
    /// Until then no instance starts.
    pub(super) held_until: Option<Instant>,
    /// For each interface, VRIDs of others that were told of; `None`: none is.
    pub(super) unknown: Option<BTreeSet<(IfIndex, u8)>>,
    /// Not started yet.
    pub(super) waiting: Waiting,
    /// Those that start together once the files that they track were read.
    pub(super) reading: Vec<InstanceId>,
    pub(super) next_instance: u32,
    /// Names of instances that begin as masters.
    pub(super) heirs: BTreeSet<String>,
    pub(super) started: bool,
    pub(super) stopped: bool,
}

impl Domain {
    /// A domain without instances.
    #[must_use]
    pub fn new(style: LogStyle) -> Self {
        Self {
            style,
            instances: BTreeMap::new(),
            registry: Registry::default(),
            watchers: BTreeMap::new(),
            tracked_sources: BTreeMap::new(),
            timers: TimerQueue::default(),
            links: Links::default(),
            debounce: Debounce::default(),
            departed: Departed::default(),
            statics: Statics::default(),
            pace: Pace::default(),
            sockets: Sockets::new(),
            verdicts: Verdicts::default(),
            known: Known::default(),
            sync_groups: Vec::new(),
            groups: Groups::default(),
            priority_changes: false,
            held_until: None,
            unknown: None,
            waiting: Waiting::new(),
            reading: Vec::new(),
            next_instance: 0,
            heirs: BTreeSet::new(),
            wall: (Instant::ZERO, 0),
            signs: false,
            started: false,
            stopped: false,
        }
    }

    /// Before the first start: instances of these names are masters on this host already, by a
    /// process that is about to end; they go on as such and ask nobody.
    pub fn inherit(&mut self, masters: impl IntoIterator<Item = String>) {
        self.heirs.extend(masters);
    }

    /// Whether some instance signs its adverts or verifies those of others, by the time of day.
    #[must_use]
    pub const fn wants_wall_clock(&self) -> bool {
        self.signs
    }

    /// Whether it will be so from now on.
    pub const fn expect_signatures(&mut self, signs: bool) {
        self.signs = signs;
    }

    /// It is so many microseconds since 1970 at `now`.
    pub const fn set_wall_clock(&mut self, now: Instant, micros: u64) {
        self.wall = (now, micros);
    }

    fn wall_at(&self, now: Instant) -> u64 {
        let (at, micros) = self.wall;
        let since = now.saturating_since(at).as_micros();
        micros.saturating_add(u64::try_from(since).unwrap_or(0))
    }

    /// `vrrp_startup_delay`, `vrrp_delay_after_boot`: before the first start, keeps every instance
    /// from taking part until both times are over; the clock counts from the boot of the machine.
    pub fn hold(&mut self, now: Instant, after_start: Duration, after_boot: Duration) {
        let until = (now + after_start).max(Instant::ZERO + after_boot);
        if until > now {
            let seconds = until.saturating_since(now).as_secs_f64();
            log::info!(target: VRRP, "Delaying startup for {seconds} seconds");
            self.held_until = Some(until);
        }
    }

    /// The time of waiting is over.
    fn release(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.held_until = None;
        log::info!(target: VRRP, "Delayed start completed");
        let waiting = self.instances.values();
        let waiting = waiting.filter(|instance| instance.state == State::Init);
        let waiting: Vec<InstanceId> = waiting.map(|instance| instance.id).collect();
        self.start_all(now, &waiting, out);
    }

    /// Which generation of log texts is written.
    pub(super) const fn style(&self) -> LogStyle {
        self.style
    }

    /// The instance that is this virtual router.
    pub(super) fn find(&self, key: &InstanceKey) -> Option<InstanceId> {
        let mut of_vrid = self.registry.of(key.vrid).iter().copied();
        of_vrid.find(|id| {
            let instance = self.instances.get(id);
            instance.is_some_and(|instance| instance.config.key() == *key)
        })
    }

    /// The instance, and what it works with.
    pub(super) fn split<'a>(
        &'a mut self,
        now: Instant,
        id: InstanceId,
        out: &'a mut Vec<Action>,
    ) -> Option<(&'a mut Instance, Cx<'a>)> {
        let wall = self.wall_at(now);
        let instance = self.instances.get_mut(&id)?;
        let cx = Cx {
            now,
            wall,
            style: self.style,
            timers: &mut self.timers,
            links: &mut self.links,
            departed: &mut self.departed,
            link_socket: self.sockets.link,
            pace: &mut self.pace,
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
        self.drive(now, id, out, |instance, cx| instance.step(cx, input));
    }

    /// Lets something happen to an instance, and its group follow.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        id: InstanceId,
        out: &mut Vec<Action>,
        event: impl FnOnce(&mut Instance, &mut Cx<'_>),
    ) {
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        let before = instance.state;
        event(instance, &mut cx);
        instance.check_invariants(cx.timers);
        // A start is told by the group as a whole.
        let follows = instance.bond.grouped && before != State::Init && before != instance.state;
        if follows {
            self.follow(now, id, out);
        }
    }

    pub(super) fn watch(&mut self, id: InstanceId) {
        if let Some(instance) = self.instances.get(&id) {
            for name in instance.interfaces() {
                let watchers = self.watchers.entry(name.to_owned()).or_default();
                watchers.insert(id);
            }
            if let Some(source) = instance.tracked_source() {
                *self.tracked_sources.entry(source).or_default() += 1;
            }
        }
    }

    pub(super) fn unwatch(&mut self, id: InstanceId) {
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
        if let Some(source) = instance.tracked_source()
            && let Some(count) = self.tracked_sources.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.tracked_sources.remove(&source);
            }
        }
    }

    /// Looks at the interfaces of an instance anew: socket, addresses, fitness.
    pub(super) fn refresh(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        let before = instance.channel;
        instance.settle_own_links(&mut cx);
        instance.place_addresses(&mut cx);
        instance.settle_promotion(&mut cx, true);
        let mut fault = instance.look_up(&cx);
        if before != instance.channel {
            self.move_to_channel(id, before, out);
        }
        let Some(instance) = self.instances.get(&id) else {
            return;
        };
        let outcome = tracking::outcome(&instance.uses, &self.verdicts, &self.links);
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        // The socket there may be broken.
        fault = fault.or(instance.socket_error.map(FaultReason::Socket));
        let own = fault.map(|reason| (reason, instance.config.interface.clone()));
        instance.fitness.trackers = Trackers {
            faults: outcome.faults,
            link_down: outcome.link_down,
            scripts_unknown: outcome.scripts_unknown,
        };
        instance.fitness.fault = own.or(outcome.fault).map(Box::new);
        instance.fitness.waits = outcome.waits;
        instance.take_adjustment(&mut cx, outcome.adjustment);
        self.settle_fitness(now, id, out);
        self.drive(now, id, out, Instance::settle);
        if self.waiting.contains(&id) {
            self.start(now, id, out);
        }
    }

    fn tracker(
        &mut self,
        now: Instant,
        (kind, name): (TrackerKind, &str),
        verdict: Verdict,
        out: &mut Vec<Action>,
    ) {
        let session = kind == TrackerKind::Bfd;
        let up = verdict == Verdict::Up;
        let changed = session && up != (self.verdicts.get(kind, name) == Verdict::Up);
        if session {
            heard_session(name, up);
        }
        self.verdicts.set(kind, name, verdict);
        let users = self.instances.values().filter(|instance| {
            let mut uses = instance.uses.iter();
            uses.any(|one| one.kind == kind && one.name == name)
        });
        let users: Vec<InstanceId> = users.map(|instance| instance.id).collect();
        for id in users {
            if let Some(instance) = self.instances.get(&id).filter(|_| changed) {
                tracked_session(&instance.config.name, name, up);
            }
            self.refresh(now, id, out);
        }
        if kind == TrackerKind::File && !self.reading.is_empty() {
            let new = std::mem::take(&mut self.reading);
            self.start_all(now, &new, out);
        }
    }

    /// Leaves the socket of `before` for that of the channel that the instance has now.
    fn move_to_channel(&mut self, id: InstanceId, before: Option<Channel>, out: &mut Vec<Action>) {
        let Some(instance) = self.instances.get_mut(&id) else {
            return;
        };
        self.sockets.detach(instance, before, out);
        let new = self.sockets.attach(instance, out);
        if let (true, Some(source)) = (new, instance.source) {
            assigned(source, &instance.config.interface);
        }
        self.settle_buffer(id, out);
    }

    fn settle_buffer(&mut self, id: InstanceId, out: &mut Vec<Action>) {
        if let Some(instance) = self.instances.get(&id) {
            let facts = self.links.by_name(&instance.config.interface);
            let mtu = facts.map_or(1500, |facts| facts.mtu);
            self.sockets.settle_buffer(instance, mtu, out);
        }
    }

    /// Gives every socket its receive buffer anew.
    pub(super) fn settle_buffers(&mut self, out: &mut Vec<Action>) {
        let all: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in all {
            self.settle_buffer(id, out);
        }
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        if self.stopped && !matches!(event, Event::Refused(..)) {
            return;
        }
        match event {
            Event::Interface(facts) => self.interface(now, facts, out),
            Event::InterfaceGone(index) => {
                self.interface_gone(now, index, out);
            }
            Event::Address(change) => self.address(now, &change, out),
            Event::Routing(news) => self.routing(now, news, out),
            Event::Packet {
                socket,
                meta,
                bytes,
            } => self.packet(now, socket, meta, bytes, out),
            Event::SocketFailed(socket, errno) => self.socket_failed(now, socket, errno, out),
            Event::Refused(tag, errno) => self.refused(now, tag, errno, out),
            Event::Tracker(kind, name, verdict) => self.tracker(now, (kind, name), verdict, out),
            Event::Stop => self.stop(now, out),
        }
    }

    pub(super) fn refresh_watchers(&mut self, now: Instant, name: &str, out: &mut Vec<Action>) {
        let watchers = self.watchers.get(name).cloned().unwrap_or_default();
        for id in watchers {
            self.refresh(now, id, out);
        }
    }

    /// Those that look for this address on whatever interface.
    fn refresh_in_vrfs(&mut self, now: Instant, address: IpAddr, out: &mut Vec<Action>) {
        let ids = self.instances.values().filter(|instance| {
            instance.config.options.vrf.is_some() && instance.tracked_source() == Some(address)
        });
        let ids = ids.map(|instance| instance.id);
        for id in ids.collect::<Vec<_>>() {
            self.refresh(now, id, out);
        }
    }

    fn address(&mut self, now: Instant, change: &AddressChange, out: &mut Vec<Action>) {
        let known = self.links.address(change);
        if self.tracked_sources.contains_key(&change.address) {
            self.refresh_in_vrfs(now, change.address, out);
        }
        if (known || self.tracked_sources.contains_key(&change.address))
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
        self.statics.address_gone(now, key, out);
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
        let Some(shared) = self.sockets.get(socket) else {
            return;
        };
        let channel = shared.channel;
        let Some(packet) = ip::parse(bytes) else {
            return;
        };
        if packet.protocol != channel.protocol() || packet.destination != channel.address {
            return;
        }
        let Some(payload) = message(&packet, channel) else {
            return;
        };
        let Some(advert) = Header::read(payload) else {
            return;
        };
        let id = Vrid::new(advert.vrid).and_then(|vrid| shared.by_vrid.get(&vrid).copied());
        let Some(id) = id else {
            self.stranger(meta.interface, advert.vrid, packet.source);
            return;
        };
        self.drive(now, id, out, |instance, cx| {
            // Our own advert, brought back by a bridge or a mirror port.
            if Some(packet.source) == instance.source {
                return;
            }
            if let Some(late) = instance.overslept_for(now) {
                instance.step(cx, Input::Overslept(late));
            }
            let heard = instance.receive(cx, &packet, &advert, payload);
            if let Some(heard) = heard {
                instance.step(cx, Input::Advert(heard));
            }
        });
        self.insist_together(now, id, out);
    }

    fn socket_failed(&mut self, now: Instant, socket: SocketId, errno: i32, out: &mut Vec<Action>) {
        if self.sockets.link_open && socket == self.sockets.link {
            log::error!(
                target: VRRP,
                "The socket for gratuitous ARP failed: error {errno} - trying again"
            );
            self.sockets
                .timers
                .set(SocketTimer::ReopenLink, now + REOPEN_DELAY);
            return;
        }
        // Else closed in the meantime.
        if let Some(channel) = self.sockets.failed(now, socket, errno) {
            self.tell_users(now, channel, out);
        }
    }

    /// Hands the state of the socket of `channel` to the instances that use it.
    fn tell_users(&mut self, now: Instant, channel: Channel, out: &mut Vec<Action>) {
        let Some((socket, shared)) = self.sockets.on(channel) else {
            return;
        };
        let broken = shared.broken;
        for id in shared.users.clone() {
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.socket_error = broken;
                instance.socket = broken.is_none().then_some(socket);
            }
            self.refresh(now, id, out);
        }
    }

    fn refused(&mut self, now: Instant, tag: OpTag, errno: i32, out: &mut Vec<Action>) {
        let (id, slot, kind) = untag(tag);
        if id == STATICS {
            self.statics.refused(now, slot, kind, errno);
            return;
        }
        match self.split(now, id, out) {
            Some((instance, mut cx)) if instance.has_link_slot(slot) => {
                instance.own_link_refused(&mut cx, slot, kind, errno);
                if self.waiting.contains(&id) {
                    self.start(now, id, out);
                }
            }
            // It is a comfort; without it addresses are put back one by one.
            Some(_) if slot == PROMOTION_SLOT => {
                log::warn!(target: VRRP, "promote_secondaries cannot be set: error {errno}");
            }
            Some((instance, cx)) if slot == FIREWALL_SLOT => instance.firewall_refused(&cx, errno),
            Some((instance, mut cx)) if instance.fixtures.has_slot(slot) => {
                instance.routing_refused(&mut cx, slot, kind, errno);
            }
            Some((instance, mut cx)) if instance.has_slot(slot) => {
                instance.refused(&mut cx, slot, kind, errno);
            }
            // An addition that was refused needs no more, now that the address is not wanted.
            Some(_) | None if kind == Kind::Add || slot == LINK_SLOT => {}
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
        for &id in &ids {
            self.step(now, id, Input::Stop, out);
        }
        for id in ids {
            if let Some((instance, mut cx)) = self.split(now, id, out) {
                instance.tell(&mut cx, Told::Stop);
            }
        }
        self.end_groups(out);
        self.departed.retry(now, &mut self.links, out);
        self.statics.stop(now, &mut self.links, out);
        // Last, as keepalived does it: removing a link takes a while in the kernel.
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            if let Some((instance, mut cx)) = self.split(now, id, out) {
                instance.settle_promotion(&mut cx, false);
                instance.give_own_links_up(&mut cx);
            }
        }
        self.sockets.timers = TimerQueue::default();
        self.held_until = None;
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some((timer, _)) = self.sockets.timers.pop_due(now) {
            if let Some(channel) = self.sockets.timer(now, timer, out) {
                self.tell_users(now, channel, out);
            }
        }
        if self.held_until.is_some_and(|until| until <= now) {
            self.release(now, out);
        }
        if self.departed.next_deadline().is_some_and(|at| at <= now) {
            self.departed.retry(now, &mut self.links, out);
        }
        self.announce_waiting(now, out);
        self.settle_links(now, out);
        if self.statics.next_deadline().is_some_and(|at| at <= now) {
            self.statics.handle_timeout(now, out);
        }
        while let Some(((id, timer), due)) = self.timers.pop_due(now) {
            if timer == Timer::MasterDown {
                self.ask_group(id);
            }
            self.drive(now, id, out, |instance, cx| {
                match instance.overslept_for(now) {
                    Some(late) => instance.step(cx, Input::Overslept(late)),
                    None => instance.step(cx, Input::Timer(timer, due)),
                }
            });
            if timer == Timer::Truce {
                self.refresh(now, id, out);
            }
        }
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.timers.next_deadline(),
            self.sockets.timers.next_deadline(),
            self.departed.next_deadline(),
            self.statics.next_deadline(),
            self.pace.next_deadline(),
            self.debounce.next_deadline(),
            self.held_until,
        ];
        deadlines.into_iter().flatten().min()
    }
}

/// The VRRP message of a packet: behind its authentication header, if the channel has one.
fn message<'a>(packet: &Packet<'a>, channel: Channel) -> Option<&'a [u8]> {
    if channel.ah {
        ah::read(packet.payload).map(|(_, message)| message)
    } else {
        Some(packet.payload)
    }
}

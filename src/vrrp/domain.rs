//! All virtual routers of this host.
//!
//! Owns: the instances, their timers, the sockets that they share, and the way from an event to
//! the instances that it concerns. Never does: decide anything for an instance. Driven by:
//! `node`; sockets are read before timers fire, so that a queued advert beats an expired timer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::addresses::{Kind, PROMOTION_SLOT, untag};
use super::departed::Departed;
use super::group::Groups;
use super::instance::{Cx, FaultReason, Input, Instance, InstanceId, State, Timer};
use super::links::{AddressKey, Links};
use super::messages::{Note, assigned, note};
use super::own_link::{FIREWALL_SLOT, LINK_SLOT, OwnLinkState, Waiting};
use super::pace::Pace;
use super::sockets::{REOPEN_DELAY, SocketTimer, Sockets};
use super::statics::{STATICS, Statics};
use super::tell::Told;
use super::tracking::{self, Verdicts};
use super::transport::Channel;
use super::{Action, Event, InterfaceFacts, TrackerKind, Verdict};
use crate::base::ident::VRRP;
use crate::base::{Duration, IfIndex, Instant, TimerQueue};
use crate::conf::model::options::{SyncGroup, Trackers};
use crate::conf::model::plan::Step;
use crate::conf::model::{Config, InstanceKey, LogStyle, Vrid, VrrpInstance};
use crate::ops::{AddressChange, Lasting, OpTag, RxMeta, SocketId};
use crate::wire::ah;
use crate::wire::ip::{self, Packet};
use crate::wire::vrrp::Header;

/// All virtual routers of this host.
#[derive(Debug)]
pub struct Domain {
    style: LogStyle,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) by_key: BTreeMap<InstanceKey, InstanceId>,
    /// For each interface name, who looks at it.
    pub(super) watchers: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Source addresses that instances cannot be without, and how many of them.
    tracked_sources: BTreeMap<IpAddr, usize>,
    pub(super) timers: TimerQueue<(InstanceId, Timer)>,
    pub(super) links: Links,
    departed: Departed,
    pub(super) statics: Statics,
    pub(super) pace: Pace,
    pub(super) sockets: Sockets,
    /// What trackers say.
    verdicts: Verdicts,
    /// Their definitions.
    trackers: Trackers,
    sync_groups: Vec<SyncGroup>,
    pub(super) groups: Groups,
    /// Changes of priorities are told where nothing else is said.
    priority_changes: bool,
    /// Until then no instance starts.
    held_until: Option<Instant>,
    /// For each interface, VRIDs of others that were told of; `None`: none is.
    pub(super) unknown: Option<BTreeSet<(IfIndex, u8)>>,
    /// Not started yet.
    waiting: Waiting,
    /// Those that start together once the files that they track were read.
    reading: Vec<InstanceId>,
    next_instance: u32,
    /// Names of instances that begin as masters.
    heirs: BTreeSet<String>,
    started: bool,
    pub(super) stopped: bool,
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
            tracked_sources: BTreeMap::new(),
            timers: TimerQueue::default(),
            links: Links::default(),
            departed: Departed::default(),
            statics: Statics::default(),
            pace: Pace::default(),
            sockets: Sockets::new(),
            verdicts: Verdicts::default(),
            trackers: Trackers::default(),
            sync_groups: Vec::new(),
            groups: Groups::default(),
            priority_changes: false,
            held_until: None,
            unknown: None,
            waiting: Waiting::new(),
            reading: Vec::new(),
            next_instance: 0,
            heirs: BTreeSet::new(),
            started: false,
            stopped: false,
        }
    }

    /// Before the first start: instances of these names are masters on this host already, by a
    /// process that is about to end; they go on as such and ask nobody.
    pub fn inherit(&mut self, masters: impl IntoIterator<Item = String>) {
        self.heirs.extend(masters);
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

    /// Carries out a reload, or the first start when everything is an [`Step::Add`]. Of `config`,
    /// which `plan` leads to, trackers, groups and defaults are taken over.
    pub fn apply(
        &mut self,
        now: Instant,
        plan: Vec<Step<VrrpInstance>>,
        config: &Config,
        out: &mut Vec<Action>,
    ) {
        if self.stopped {
            return;
        }
        self.departed.forget_done();
        self.pace.configure(config);
        self.trackers.clone_from(&config.trackers);
        self.sync_groups.clone_from(&config.sync_groups);
        self.priority_changes = config.global.fifos.priority_changes;
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
        self.regroup(&config.sync_groups);
        let kept: Vec<InstanceId> = self.instances.keys().copied().collect();
        for &id in kept.iter().filter(|id| !new.contains(id)) {
            if self.equip(id) {
                self.refresh(now, id, out);
            } else {
                self.settle_fitness(now, id, out);
            }
        }
        self.start_all(now, &new, out);
        self.sockets.settle_link(!self.instances.is_empty(), out);
        self.end_truces(now, out);
        self.report_strays(now, &new, out);
        if std::mem::replace(&mut self.started, true) && config.global.fifos.states_on_reload {
            self.repeat_states(now, &kept, out);
        }
    }

    /// Starts new instances. As keepalived does, those in FAULT come first, then groups tell their
    /// state, then the others start.
    fn start_all(&mut self, now: Instant, new: &[InstanceId], out: &mut Vec<Action>) {
        if self.held_until.is_some() {
            return;
        }
        // keepalived has read them by now; the host answers within the same turn of its loop.
        let reads = |instance: &Instance| tracking::reads(&instance.uses, &self.verdicts);
        if self.instances.values().any(reads) {
            self.reading.extend(new);
            return;
        }
        let (fit, unfit): (Vec<InstanceId>, Vec<InstanceId>) = new
            .iter()
            .partition(|id| self.instances.get(id).is_some_and(Instance::is_fit));
        for id in unfit {
            self.start(now, id, out);
        }
        self.begin_groups(out);
        for id in fit {
            self.start(now, id, out);
        }
    }

    /// Tells FIFOs the state of everything again.
    fn repeat_states(&mut self, now: Instant, ids: &[InstanceId], out: &mut Vec<Action>) {
        for &id in ids {
            let Some((instance, mut cx)) = self.split(now, id, out) else {
                continue;
            };
            if instance.state != State::Init && !instance.fitness.quiet {
                instance.tell(&mut cx, Told::State(instance.state));
                if let Some(Action::Notice(notice)) = out.last_mut() {
                    notice.keep_line();
                }
            }
        }
        self.repeat_groups(out);
    }

    /// Gives an instance the trackers that it and its group have; returns whether they changed.
    fn equip(&mut self, id: InstanceId) -> bool {
        let Some(instance) = self.instances.get(&id) else {
            return false;
        };
        let config = &instance.config;
        let mut groups = self.sync_groups.iter();
        let group = groups.find(|group| group.members.contains(&config.name));
        let uses = tracking::uses(config, group, &self.trackers, &self.statics);
        let notify = &config.options.notify;
        let tells = notify.priority_changes;
        let tells = tells.or_else(|| group.and_then(|group| group.notify.priority_changes));
        let tells = tells.unwrap_or(self.priority_changes);
        let same = instance.uses == uses;
        if !same {
            self.unwatch(id);
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.tells_priority = tells;
            instance.uses = uses;
        }
        if !same {
            self.watch(id);
        }
        !same
    }

    /// An instance whose own link is about to come starts on it; meanwhile it says nothing.
    fn start(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        if self.held_until.is_some() {
            return;
        }
        let instance = self.instances.get(&id);
        match instance.map(Instance::own_link_state) {
            Some(OwnLinkState::Coming) => {
                self.waiting.insert(id);
            }
            Some(OwnLinkState::Settled | OwnLinkState::Missing) => {
                self.waiting.remove(&id);
                let heirs = &mut self.heirs;
                let name = self
                    .instances
                    .get(&id)
                    .map(|instance| &instance.config.name);
                let input = match name.is_some_and(|name| heirs.remove(name)) {
                    true => Input::Inherit,
                    false => Input::Start,
                };
                self.step(now, id, input, out);
            }
            None => {}
        }
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
            self.refresh(now, id, out);
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
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.adopt_fixtures(&mut cx);
        }
        self.watch(id);
        self.equip(id);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.adopt_addresses(&mut cx);
            instance.check_room(&cx);
        }
        self.sockets.settle_link(true, out);
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
        self.equip(id);
        self.refresh(now, id, out);
    }

    fn remove(&mut self, now: Instant, config: &VrrpInstance, out: &mut Vec<Action>) {
        let Some(id) = self.by_key.remove(&config.key()) else {
            return;
        };
        self.step(now, id, Input::Stop, out);
        self.unwatch(id);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            let told = if instance.config.options.notify.says_deleted {
                Told::Deleted
            } else {
                Told::State(State::Fault)
            };
            instance.tell(&mut cx, told);
            if let Some(Action::Notice(notice)) = cx.out.last_mut()
                && let Some(line) = &mut notice.line
            {
                line.lasting = Lasting::Last;
            }
            instance.depart(&mut cx);
            instance.settle_promotion(&mut cx, false);
            instance.give_own_link_up(&mut cx);
        }
        self.waiting.remove(&id);
        self.reading.retain(|&other| other != id);
        if let Some(instance) = self.instances.get_mut(&id) {
            let channel = instance.channel;
            self.sockets.detach(instance, channel, out);
        }
        self.instances.remove(&id);
    }

    /// The instance, and what it works with.
    pub(super) fn split<'a>(
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
    fn drive(
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

    fn watch(&mut self, id: InstanceId) {
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
    fn refresh(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        let before = instance.channel;
        instance.settle_own_link(&mut cx);
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
        instance.fitness.fault = own.or(outcome.fault);
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
        self.verdicts.set(kind, name, verdict);
        let users = self.instances.values().filter(|instance| {
            let mut uses = instance.uses.iter();
            uses.any(|one| one.kind == kind && one.name == name)
        });
        let users: Vec<InstanceId> = users.map(|instance| instance.id).collect();
        for id in users {
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

    fn interface(&mut self, now: Instant, facts: InterfaceFacts, out: &mut Vec<Action>) {
        let name = facts.name.clone();
        let before = self.links.by_index(facts.index);
        let came_up = facts.up && before.is_some_and(|before| !before.up);
        if let Some(old) = self.links.set(facts) {
            self.refresh_watchers(now, &old, out);
        }
        self.refresh_watchers(now, &name, out);
        if self.statics.concerns(&name) {
            self.statics.settle(&self.links, out);
        }
        if came_up {
            self.came_up(&name, out);
        }
    }

    fn refresh_watchers(&mut self, now: Instant, name: &str, out: &mut Vec<Action>) {
        let watchers = self.watchers.get(name).cloned().unwrap_or_default();
        for id in watchers {
            self.refresh(now, id, out);
        }
    }

    fn address(&mut self, now: Instant, change: &AddressChange, out: &mut Vec<Action>) {
        let known = self.links.address(change);
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
            Some((instance, mut cx)) if slot == LINK_SLOT => {
                instance.own_link_refused(&mut cx, kind, errno);
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
                instance.give_own_link_up(&mut cx);
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

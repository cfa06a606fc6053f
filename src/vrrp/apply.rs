//! Taking a configuration over: the first start, and every reload.
//!
//! Owns: the order in which instances leave, change, come and start. Never does: decide what a
//! changed setting does to an instance (`reconfigure`). Driven by: `node`.

use std::collections::BTreeSet;

use super::Action;
use super::domain::Domain;
use super::instance::{Input, Instance, InstanceId, State, Timer};
use super::messages::{Note, note};
use super::tell::Told;
use super::tracking;
use super::tracking::Known;
use crate::base::{Instant, Shared};
use crate::conf::model::plan::Step;
use crate::conf::model::{Config, Dynamic, VrrpInstance};
use crate::ops::Lasting;

impl Domain {
    /// Carries out a reload, or the first start when everything is an [`Step::Add`]. Of `config`,
    /// which `plan` leads to, trackers, groups and defaults are taken over.
    pub fn apply(
        &mut self,
        now: Instant,
        plan: Vec<Step<Shared<VrrpInstance>>>,
        config: &Config,
        out: &mut Vec<Action>,
    ) {
        if self.stopped {
            return;
        }
        self.departed.forget_done();
        self.pace.configure(config);
        self.configure_delays(config);
        let resize = self.sockets.set_policy(&config.global.vrrp);
        self.known = Known::new(&config.trackers, &config.bfd_instances);
        self.sync_groups.clone_from(&config.sync_groups);
        self.priority_changes = config.global.fifos.priority_changes;
        self.groups.reloading = self.started;
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
        if self.started {
            self.reunite(now, out);
        }
        if config.global.interfaces.dynamic != Dynamic::No {
            self.tell_missing(&new);
        }
        self.start_all(now, &new, out);
        if resize {
            self.settle_buffers(out);
        }
        self.sockets.settle_link(!self.instances.is_empty(), out);
        self.end_truces(now, out);
        self.report_strays(now, &new, out);
        if std::mem::replace(&mut self.started, true) && config.global.fifos.states_on_reload {
            self.repeat_states(now, &kept, out);
        }
    }

    /// Starts new instances. As keepalived does, those in FAULT come first, then groups tell their
    /// state, then the others start.
    pub(super) fn start_all(&mut self, now: Instant, new: &[InstanceId], out: &mut Vec<Action>) {
        if self.held_until.is_some() {
            return;
        }
        // keepalived has read them by now; the host answers within the same turn of its loop.
        let reads = |instance: &Instance| tracking::reads(&instance.uses, &self.verdicts);
        if self.instances.values().any(|instance| reads(instance)) {
            self.reading.extend(new);
            return;
        }
        let (fit, unfit): (Vec<InstanceId>, Vec<InstanceId>) = new
            .iter()
            .partition(|id| self.instances.get(id).is_some_and(|one| one.is_fit()));
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
        let uses = tracking::uses(config, group, &self.known, &self.statics);
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
    pub(super) fn start(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        if self.held_until.is_some() {
            return;
        }
        let instance = self.instances.get(&id);
        match instance.map(|one| one.waits_for_links()) {
            Some(true) => {
                self.waiting.insert(id);
            }
            Some(false) => {
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
        config: Shared<VrrpInstance>,
        out: &mut Vec<Action>,
    ) -> Option<InstanceId> {
        if self.find(&config.key()).is_some() {
            return None;
        }
        let id = InstanceId(self.next_instance);
        self.next_instance += 1;
        self.registry.insert(config.vrid, id);
        self.instances
            .insert(id, Box::new(Instance::new(id, config)));
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            instance.adopt_fixtures(&mut cx);
            instance.adopt_address_links(&mut cx);
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

    fn update(&mut self, now: Instant, config: Shared<VrrpInstance>, out: &mut Vec<Action>) {
        let Some(id) = self.find(&config.key()) else {
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
        let Some(id) = self.find(&config.key()) else {
            return;
        };
        self.registry.remove(config.vrid, id);
        let told_fault = self
            .instances
            .get(&id)
            .is_some_and(|it| it.state == State::Fault && !it.fitness.quiet);
        self.step(now, id, Input::Stop, out);
        self.unwatch(id);
        if let Some((instance, mut cx)) = self.split(now, id, out) {
            let says_deleted = instance.config.options.notify.says_deleted;
            let told = if says_deleted {
                Told::Deleted
            } else {
                Told::State(State::Fault)
            };
            // keepalived does not tell a second time of one that was in FAULT.
            if says_deleted || !told_fault {
                instance.tell(&mut cx, told);
                if let Some(Action::Notice(notice)) = cx.out.last_mut()
                    && let Some(line) = &mut notice.line
                {
                    line.lasting = Lasting::Last;
                }
            }
            instance.depart(&mut cx);
            instance.settle_promotion(&mut cx, false);
            instance.give_own_links_up(&mut cx);
        }
        self.waiting.remove(&id);
        self.reading.retain(|&other| other != id);
        if let Some(instance) = self.instances.get_mut(&id) {
            let channel = instance.channel;
            self.sockets.detach(instance, channel, out);
        }
        self.instances.remove(&id);
    }
}

//! Taking a new configuration over while running.
//!
//! Owns: what each changed setting does to an instance that keeps its state. Never does: leave
//! the state because of an edit; a master whose addresses change touches the difference only.
//! Driven by: `domain` at a reload, for instances in both configurations that differ.

use std::collections::BTreeSet;

use super::addresses::Standing;
use super::advertise::room;
use super::instance::{Cx, Instance, State, Timer};
use super::messages::{Line, Note, note, say};
use super::tracking::weigh;
use crate::base::{Rare, Shared};
use crate::conf::model::{VirtualAddress, VrrpInstance};

impl Instance {
    /// Takes `config`, of the same key, over. Interfaces are looked up anew by the caller, who then
    /// calls [`Instance::settle`].
    ///
    /// What each field takes is decided here, field by field; the verdict of the plan, which is
    /// the sum of them, says no more.
    pub(super) fn reconfigure(&mut self, cx: &mut Cx<'_>, config: Shared<VrrpInstance>) {
        let before = self.priority();
        let old = std::mem::replace(&mut self.config, config);
        if old.priority != self.config.priority {
            self.clash = Rare::default();
            self.effective = weigh(self.config.priority, self.fitness.adjustment);
            let line = Line::EffectivePriority {
                from: before,
                to: self.priority(),
            };
            say(cx.style, &self.config.name, line);
        }
        if old.addresses != self.config.addresses
            || old.options.excluded != self.config.options.excluded
        {
            self.tell_of_dropped(cx, &old);
            self.adopt_addresses(cx);
            self.adopt_address_links(cx);
            self.check_room(cx);
        } else {
            self.list_addresses_anew();
        }
        if old.options.routes != self.config.options.routes
            || old.options.rules != self.config.options.rules
        {
            self.adopt_fixtures(cx);
        }
        self.settle_firewall(cx, self.state == State::Master);
        match self.state {
            State::Master => self.reconfigure_master(cx, &old),
            State::Backup => self.reconfigure_backup(cx, &old),
            State::Init | State::Fault => {}
        }
    }

    /// A master names the addresses that it gives up.
    fn tell_of_dropped(&self, cx: &Cx<'_>, old: &VrrpInstance) {
        if self.state != State::Master {
            return;
        }
        let key = |vip: &VirtualAddress| (vip.address, vip.prefix_len, vip.interface.clone());
        let now = self.config.addresses.iter();
        let now: BTreeSet<_> = now.chain(&self.config.options.excluded).map(key).collect();
        for vip in old.addresses.iter().chain(&old.options.excluded) {
            if !now.contains(&key(vip)) {
                let dropped = Note::AddressDropped {
                    address: vip.address,
                    prefix_len: vip.prefix_len,
                    interface: vip.interface.as_deref().unwrap_or(self.home()),
                };
                note(cx.style, &self.config.name, dropped);
            }
        }
    }

    fn reconfigure_master(&mut self, cx: &mut Cx<'_>, old: &VrrpInstance) {
        self.master_interval = self.config.advert_interval;
        if old.advert_interval != self.config.advert_interval {
            // The next advert is due one new interval after the last one, at once if that is past.
            let last = self.last_sent.unwrap_or(cx.now);
            let due = (last + self.config.advert_interval).max(cx.now);
            cx.arm(self.id, Timer::Advert, due);
        }
        if old.garp.refresh != self.config.garp.refresh {
            cx.disarm(self.id, Timer::Refresh);
            self.arm_refresh(cx);
        }
        if old.options.garp_extra != self.config.options.garp_extra {
            cx.disarm(self.id, Timer::Elsewhere);
            self.arm_elsewhere(cx);
        }
    }

    fn reconfigure_backup(&mut self, cx: &mut Cx<'_>, old: &VrrpInstance) {
        // An owner that has yielded to another one stays as it is.
        if self.owns_addresses() && !old.priority.is_owner() {
            // Once interfaces are looked up: it may be one that has nothing to speak from.
            cx.arm(self.id, Timer::MasterDown, cx.now);
            return;
        }
        if self.config.preempt_delay.is_zero() || self.config.no_preempt {
            cx.disarm(self.id, Timer::PreemptDelay);
        }
        // A new interval or skew counts from now: a master that was edited alike needs the time.
        if old.advert_interval != self.config.advert_interval {
            self.master_interval = self.config.advert_interval;
        }
        if old.advert_interval != self.config.advert_interval
            || old.priority != self.config.priority
        {
            let at = cx.now + self.master_down_interval();
            cx.arm(self.id, Timer::MasterDown, at);
        }
    }

    /// What follows once interfaces are looked up: a master adds what it lacks.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        match self.state {
            State::Master => {
                if self.add_addresses(cx, &[Standing::Absent]) {
                    self.arm_burst(cx, Timer::SecondBurst, self.config.garp.delay);
                }
            }
            State::Init | State::Backup | State::Fault => {}
        }
    }

    /// Says so if adverts cannot name every address.
    pub(super) fn check_room(&self, cx: &Cx<'_>) {
        let mtu = cx.links.by_name(&self.config.interface);
        let room = room(&self.config, mtu.map_or(1500, |facts| facts.mtu));
        let given = self.config.addresses.len();
        if given > room {
            let line = Line::TooManyAddresses { given, room };
            say(cx.style, &self.config.name, line);
        }
    }
}

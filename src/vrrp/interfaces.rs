//! News of interfaces, and how long a link has to stay as it is until that counts.
//!
//! Owns: the debounce (`interface_up_down_delays`), and the lines about interfaces. Never does:
//! decide what a lost link means to an instance (`transport`, `tracking`). Driven by: `domain`.

use std::collections::{BTreeMap, BTreeSet};

use super::domain::Domain;
use super::instance::InstanceId;
use super::own_link::home;
use super::{Action, InterfaceFacts};
use crate::base::ident::VRRP;
use crate::base::{Duration, IfIndex, Instant, TimerQueue};
use crate::conf::model::options::{LinkDelay, Version};
use crate::conf::model::{Config, LogStyle};

/// Links that have changed and do not count as changed yet.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    delays: Vec<LinkDelay>,
    timers: TimerQueue<IfIndex>,
    /// What will count when the timer fires.
    facts: BTreeMap<IfIndex, InterfaceFacts>,
}

impl Debounce {
    /// What counts now of what is new: all but the change of the link, if that has to wait.
    /// `counted` is whether it counted as up until now.
    fn take(
        &mut self,
        now: Instant,
        facts: InterfaceFacts,
        counted: Option<bool>,
        delay: Duration,
    ) -> InterfaceFacts {
        let index = facts.index;
        let waits = counted.is_some_and(|up| up != facts.up) && !delay.is_zero();
        if !waits {
            self.forget(index);
            return facts;
        }
        if self.timers.get(index).is_none() {
            let micros = delay.as_micros();
            log::info!(
                target: VRRP,
                "{}: Adding change to {} delay by {micros}",
                facts.name,
                if facts.up { "up" } else { "down" }
            );
            self.timers.set(index, now + delay);
        }
        let up = !facts.up;
        self.facts.insert(index, facts.clone());
        InterfaceFacts { up, ..facts }
    }

    /// Whether the link is up, if that differs from what counts.
    fn real(&self, index: IfIndex) -> Option<bool> {
        self.facts.get(&index).map(|facts| facts.up)
    }

    /// Whether a change of that link waits.
    pub(super) fn waits(&self, index: IfIndex) -> bool {
        self.timers.get(index).is_some()
    }

    fn forget(&mut self, index: IfIndex) {
        self.timers.cancel(index);
        self.facts.remove(&index);
    }

    /// When a change counts next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }
}

impl Domain {
    /// Takes the delays over. A change that waits goes on waiting as long as it had to.
    pub(super) fn configure_delays(&mut self, config: &Config) {
        if self.debounce.delays == config.links.delays {
            return;
        }
        self.debounce.delays.clone_from(&config.links.delays);
        for instance in &config.vrrp_instances {
            let mut delays = config.links.delays.iter();
            let Some(delay) = delays.find(|delay| delay.interface == instance.interface) else {
                continue;
            };
            let adverts = patience(instance.options.down_timer_adverts);
            if delay.down.max(delay.up) >= instance.advert_interval * adverts {
                log::info!(
                    target: VRRP,
                    "{}: interface {} debounce timer(s) not less that {adverts} * advert_int - resetting",
                    instance.name, instance.interface
                );
            }
        }
    }

    /// How long the link of that name has to be up, or down, until it counts. Those of an instance's
    /// own have the delays of the interface below. A backup that does not hear the master must be
    /// in FAULT before it takes over, so the own interface of an instance cannot wait that long.
    pub(super) fn delay(&self, name: &str, up: bool) -> Duration {
        if self.debounce.delays.is_empty() {
            return Duration::ZERO;
        }
        let below = self.instances.values().find_map(|instance| {
            if home(&instance.config) == name {
                return Some(instance.config.interface.as_str());
            }
            let mut links = instance.address_links();
            links.find_map(|(link, below)| (link == name).then_some(below))
        });
        let name = below.unwrap_or(name);
        let mut delays = self.debounce.delays.iter();
        let Some(delay) = delays.find(|delay| delay.interface == name) else {
            return Duration::ZERO;
        };
        let delay = if up { delay.up } else { delay.down };
        let users = self.instances.values();
        let users = users.filter(|instance| instance.config.interface == name);
        users.fold(delay, |delay, user| {
            let interval = user.config.advert_interval.min(user.master_interval);
            let limit = interval * patience(user.config.options.down_timer_adverts);
            if delay < limit {
                delay
            } else {
                // The least skew: of version 3 it is a part of the interval.
                limit.saturating_sub(match user.config.version {
                    Version::V2 => LEAST_SKEW,
                    Version::V3 => interval / 256,
                })
            }
        })
    }

    /// An interface is there, or is not as it was.
    pub(super) fn interface(&mut self, now: Instant, facts: InterfaceFacts, out: &mut Vec<Action>) {
        let counted = self.links.by_index(facts.index).map(|before| before.up);
        if counted.is_none() && self.started {
            log::debug!(target: VRRP, "Interface {} added", facts.name);
        }
        let was_up = self.debounce.real(facts.index).or(counted);
        let came_up = facts.up && was_up == Some(false);
        let name = facts.name.clone();
        let delay = self.delay(&name, facts.up);
        let facts = self.debounce.take(now, facts, counted, delay);
        self.interface_counts(now, facts, out);
        if came_up {
            self.came_up(&name, out);
        }
    }

    fn interface_counts(&mut self, now: Instant, facts: InterfaceFacts, out: &mut Vec<Action>) {
        let name = facts.name.clone();
        let counted = self.links.by_index(facts.index).map(|before| before.up);
        if counted.is_some_and(|up| up != facts.up) {
            self.say_link(&facts);
        }
        if let Some(old) = self.links.set(facts) {
            log::info!(target: VRRP, "Interface name has changed from {old} to {name}");
            self.refresh_watchers(now, &old, out);
        }
        self.refresh_watchers(now, &name, out);
        if self.statics.concerns(&name) {
            self.statics.settle(&self.links, out);
        }
    }

    /// An interface is gone.
    pub(super) fn interface_gone(&mut self, now: Instant, index: IfIndex, out: &mut Vec<Action>) {
        self.debounce.forget(index);
        let up = self.links.by_index(index).filter(|facts| facts.up).cloned();
        if let Some(facts) = up {
            self.say_link(&InterfaceFacts { up: false, ..facts });
        }
        if let Some(name) = self.links.remove(index) {
            log::debug!(target: VRRP, "Interface {name} deleted");
            self.refresh_watchers(now, &name, out);
        }
    }

    /// `dynamic_interfaces`: says which interfaces of new instances are still to come. Those that
    /// instances bring with them are not among them.
    pub(super) fn tell_missing(&self, new: &[InstanceId]) {
        let instances = new.iter().filter_map(|id| self.instances.get(id));
        let own = instances.clone().map(|one| home(&one.config));
        let links = instances.clone().flat_map(|one| one.address_links());
        let own: BTreeSet<&str> = own.chain(links.map(|(link, _)| link)).collect();
        let names: BTreeSet<&str> = instances.flat_map(|one| one.interfaces()).collect();
        for name in names {
            let comes = self.links.by_name(name).is_some();
            let own = own.contains(name) && !self.is_below(name);
            if !comes && !own {
                log::info!(
                    target: VRRP,
                    "Configuration specifies interface {name} which doesn't currently exist - will use if created"
                );
            }
        }
    }

    /// Whether an instance names this as its interface.
    fn is_below(&self, name: &str) -> bool {
        let mut instances = self.instances.values();
        instances.any(|instance| instance.config.interface == name)
    }

    /// Lets changes count that have waited long enough.
    pub(super) fn settle_links(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some((index, _)) = self.debounce.timers.pop_due(now) {
            if let Some(facts) = self.debounce.facts.remove(&index) {
                self.interface_counts(now, facts, out);
            }
        }
    }

    /// Of interfaces that no instance looks at nothing is said: a host may have thousands.
    fn say_link(&self, facts: &InterfaceFacts) {
        let name = facts.name.as_str();
        if !self.watchers.contains_key(name) {
            return;
        }
        match self.style() {
            LogStyle::Current => {
                let who = if facts.polled { "Linkbeat" } else { "Netlink" };
                let up = if facts.up { "up" } else { "down" };
                log::info!(target: VRRP, "{who} reports {name} {up}");
            }
            LogStyle::V1_3 => {
                let up = if facts.up { "UP" } else { "DOWN" };
                log::info!(target: VRRP, "Kernel is reporting: interface {name} {up}");
            }
        }
    }
}

/// What a limited delay is shorter by than the silence after which a backup takes over: the least
/// skew that there is (RFC 3768 §6.1 with priority 255).
const LEAST_SKEW: Duration = Duration::from_micros(3906);

/// For how many intervals a link may count as what it is not.
fn patience(down_timer_adverts: Option<u8>) -> u32 {
    u32::from(down_timer_adverts.unwrap_or(3)).saturating_sub(1)
}

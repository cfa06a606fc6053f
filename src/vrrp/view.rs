//! What others may see of the VRRP domain.
//!
//! Owns: a copy, so that a reader keeps nothing borrowed. Never does: change anything but counters,
//! which operators may set to zero. Driven by:
//! reports, and the simulator, which compares it with its shadow model.

use std::net::IpAddr;

use super::domain::Domain;
use super::fitness::Trackers;
use super::instance::{Instance, State, Timer};
use super::stats::Stats;
use crate::base::{Duration, Family, IfIndex, Instant};
use crate::conf::model::{InstanceKey, Priority, Vrid};
use crate::ops::{AddressSpec, SocketId};

/// One virtual router as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// Name of the block.
    pub name: String,
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// Family of the adverts.
    pub family: Family,
    /// `interface`.
    pub interface: String,
    /// State.
    pub state: State,
    /// The priority that adverts carry now.
    pub priority: Priority,
    /// The addresses that should be on this host now.
    pub wanted: Vec<AddressSpec>,
    /// Counters.
    pub stats: Stats,
    /// What reports tell beyond that.
    pub detail: Detail,
}

/// What of an instance is told in reports alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The source of its adverts.
    pub source: Option<IpAddr>,
    /// The master that it follows, with the priority that was heard last.
    pub master: Option<(IpAddr, Priority)>,
    /// When it came into its state; `None` before its start.
    pub since: Option<Instant>,
    /// When it acts if nothing is heard: it takes over or advertises.
    pub deadline: Option<Instant>,
    /// How long it waits for a master.
    pub master_down: Duration,
    /// The interval of the master's adverts.
    pub master_interval: Duration,
    /// Whether any router was ever heard for its VRID, were it in vain.
    pub heard: bool,
    /// It is master, and never heard anybody: it is alone, or something is in the way.
    pub alone: bool,
    /// Another master that goes on although it was answered so often: it does not hear this one.
    pub rival: Option<(IpAddr, u32)>,
    /// When it sent its last advert.
    pub sent: Option<Instant>,
    /// Something of its own keeps it in FAULT.
    pub faulty: bool,
    /// What its trackers come to.
    pub trackers: Trackers,
    /// Its priority with the weights of its trackers, were it beyond what adverts can carry.
    pub total_priority: i64,
    /// Its socket.
    pub socket: Option<SocketId>,
    /// Which addresses of the configuration are on this host, in its order, excluded ones last.
    pub present: Vec<bool>,
}

impl Domain {
    /// Every instance as it stands, in the order in which they were added.
    #[must_use]
    pub fn view(&self) -> Vec<InstanceView> {
        let instances = self.instances.values();
        instances.map(|instance| self.view_of(instance)).collect()
    }

    /// One instance as it stands.
    #[must_use]
    pub fn instance(&self, key: &InstanceKey) -> Option<InstanceView> {
        let id = self.find(key)?;
        Some(self.view_of(self.instances.get(&id)?))
    }

    fn view_of(&self, instance: &Instance) -> InstanceView {
        let wanted: Vec<AddressSpec> = instance.wanted().collect();
        InstanceView {
            name: instance.config.name.clone(),
            vrid: instance.config.vrid,
            family: instance.config.family,
            interface: instance.config.interface.clone(),
            state: instance.state,
            priority: instance.priority(),
            stats: instance.stats.clone(),
            detail: self.detail_of(instance, &wanted),
            wanted,
        }
    }

    fn detail_of(&self, instance: &Instance, wanted: &[AddressSpec]) -> Detail {
        let timer = match instance.state {
            State::Backup => Some(Timer::MasterDown),
            State::Master => Some(Timer::Advert),
            State::Init | State::Fault => None,
        };
        let excluded = instance.config.options.excluded.iter();
        let addresses = instance.config.addresses.iter().chain(excluded);
        Detail {
            source: instance.source,
            master: instance
                .peers
                .master
                .map(|master| (master, instance.peers.master_priority)),
            since: instance.since,
            deadline: timer.and_then(|timer| self.timers.get((instance.id, timer))),
            master_down: instance.master_down_interval(),
            master_interval: instance.master_interval,
            heard: instance.peers.heard,
            alone: instance.peers.missed,
            rival: instance.peers.rival(),
            sent: instance.last_sent,
            faulty: instance.fitness.fault.is_some(),
            trackers: instance.fitness.trackers,
            total_priority: instance.total_priority(),
            socket: instance.socket,
            present: addresses
                .map(|vip| wanted.iter().any(|spec| spec.address == vip.address))
                .collect(),
        }
    }

    /// How long the interface of that name has to be up until that counts, how long it has to be
    /// down, and whether a change waits for that.
    #[must_use]
    pub fn link_delays(&self, index: IfIndex, name: &str) -> (Duration, Duration, bool) {
        let (up, down) = (self.delay(name, true), self.delay(name, false));
        (up, down, self.debounce.waits(index))
    }

    /// Sets the counters of every instance to zero.
    pub fn clear_stats(&mut self) {
        for instance in self.instances.values_mut() {
            instance.stats = Stats::default();
        }
    }
}

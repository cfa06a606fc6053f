//! One service as it is wanted and as it is installed, side by side.
//!
//! Owns: the two forms of a service and of its destinations. Never does: send; `plan` makes the
//! difference into operations. Driven by: `domain` and `plan`.
//!
//! Services are many and most have few destinations, so these are a sorted list, not a tree.

use std::net::SocketAddr;

use crate::base::Instant;
use crate::ops::{DestinationSpec, ForwardMethod, IpvsService, ServiceSpec};

/// A service that is wanted, installed, or both.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its settings as wanted, now or last: they also name it.
    pub(super) spec: ServiceSpec,
    /// It should be there.
    pub(super) wanted: bool,
    /// What is there.
    pub(super) installed: Settings,
    /// Sorted by address.
    slots: Vec<Slot>,
    /// The kernel refused it after a repair; said in the log, not to be said again.
    pub(super) refused: bool,
    /// The kernel refused to add it at first: if that is repaired it is no news.
    pub(super) add_refused: bool,
    /// Until when it is not said again that somebody else has changed it.
    pub(super) quiet_until: Option<Instant>,
}

/// How a service is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settings {
    /// Not at all.
    Absent,
    /// With the settings of `spec`.
    AsWanted,
    /// With others.
    Other,
}

/// A destination that is wanted, installed, or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) address: SocketAddr,
    /// Its place in the configuration: the kernel's schedulers start from its order of
    /// destinations, so they are added in this one.
    pub(super) place: u32,
    wanted: Option<Server>,
    installed: Option<Server>,
}

/// A destination without its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Server {
    weight: u32,
    method: ForwardMethod,
    upper_threshold: u32,
    lower_threshold: u32,
}

impl Server {
    const fn of(spec: &DestinationSpec) -> Self {
        Self {
            weight: spec.weight,
            method: spec.method,
            upper_threshold: spec.upper_threshold,
            lower_threshold: spec.lower_threshold,
        }
    }

    const fn at(self, address: SocketAddr) -> DestinationSpec {
        DestinationSpec {
            address,
            weight: self.weight,
            method: self.method,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
        }
    }
}

impl Slot {
    const fn empty(address: SocketAddr, place: u32) -> Self {
        Self {
            address,
            place,
            wanted: None,
            installed: None,
        }
    }

    /// As it should be.
    pub(super) fn wanted(&self) -> Option<DestinationSpec> {
        self.wanted.map(|server| server.at(self.address))
    }

    /// As it is.
    pub(super) fn installed(&self) -> Option<DestinationSpec> {
        self.installed.map(|server| server.at(self.address))
    }

    /// Whether it is as it should be.
    fn is_settled(&self) -> bool {
        self.wanted == self.installed
    }

    /// It is about to become as it should be.
    const fn settle(&mut self) {
        self.installed = self.wanted;
    }

    const fn is_empty(&self) -> bool {
        self.wanted.is_none() && self.installed.is_none()
    }
}

impl Entry {
    /// A service of which nothing is wanted or known yet.
    pub(super) const fn new(spec: ServiceSpec) -> Self {
        Self {
            spec,
            wanted: false,
            installed: Settings::Absent,
            slots: Vec::new(),
            refused: false,
            add_refused: false,
            quiet_until: None,
        }
    }

    /// It should look like this.
    pub(super) fn want(&mut self, spec: ServiceSpec, destinations: &[DestinationSpec]) {
        if self.spec != spec && self.installed == Settings::AsWanted {
            self.installed = Settings::Other;
        }
        self.spec = spec;
        self.wanted = true;
        for slot in &mut self.slots {
            slot.wanted = None;
        }
        self.merge(destinations, |slot, place, server| {
            slot.place = place;
            slot.wanted = Some(server);
        });
    }

    /// It should not be there.
    pub(super) fn unwant(&mut self) {
        self.wanted = false;
        for slot in &mut self.slots {
            slot.wanted = None;
        }
        self.tidy();
    }

    /// One destination should look like this, or not be there.
    pub(super) fn want_destination(
        &mut self,
        address: SocketAddr,
        wanted: Option<DestinationSpec>,
    ) {
        let wanted = wanted.as_ref().map(Server::of);
        match self.find(address) {
            Ok(at) => {
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.wanted = wanted;
                }
            }
            Err(at) => {
                // One that comes back is added behind the others whatever its place is.
                let place = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
                let mut slot = Slot::empty(address, place);
                slot.wanted = wanted;
                self.slots.insert(at, slot);
            }
        }
    }

    /// One destination is about to become as it should be.
    pub(super) fn settle_destination(&mut self, address: SocketAddr) {
        let Ok(at) = self.find(address) else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(at) {
            slot.settle();
            if slot.is_empty() {
                self.slots.remove(at);
            }
        }
    }

    /// The destination of that address.
    pub(super) fn slot(&self, address: SocketAddr) -> Option<&Slot> {
        self.slots.get(self.find(address).ok()?)
    }

    fn find(&self, address: SocketAddr) -> Result<usize, usize> {
        self.slots
            .binary_search_by_key(&address, |slot| slot.address)
    }

    /// What the kernel's table says of it.
    pub(super) fn found(&mut self, found: Option<&IpvsService>) {
        for slot in &mut self.slots {
            slot.installed = None;
        }
        self.installed = match found {
            None => Settings::Absent,
            Some(found)
                if found.scheduler == self.spec.scheduler
                    && found.persistence == self.spec.persistence
                    && found.flags == self.spec.flags
                    && found.engine == self.spec.engine =>
            {
                Settings::AsWanted
            }
            Some(_) => Settings::Other,
        };
        let destinations = found.map_or(&[][..], |found| found.destinations.as_slice());
        self.merge(destinations, |slot, _, server| {
            slot.installed = Some(server);
        });
    }

    /// Lets `take` have the slot of each destination, which is made if there is none.
    fn merge(&mut self, destinations: &[DestinationSpec], take: fn(&mut Slot, u32, Server)) {
        let mut new = Vec::new();
        for (place, destination) in (0_u32..).zip(destinations) {
            let server = Server::of(destination);
            let found = self.find(destination.address).ok();
            if let Some(slot) = found.and_then(|at| self.slots.get_mut(at)) {
                take(slot, place, server);
            } else {
                let mut slot = Slot::empty(destination.address, place);
                take(&mut slot, place, server);
                new.push(slot);
            }
        }
        self.slots.append(&mut new);
        self.slots.sort_by_key(|slot| slot.address);
        // Nobody asks for one address twice; the kernel could not take it.
        self.slots.dedup_by_key(|slot| slot.address);
        self.tidy();
    }

    /// Its destinations, in the order of their addresses.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The whole service is about to become as it should be.
    pub(super) fn settle(&mut self) {
        self.installed = if self.wanted {
            Settings::AsWanted
        } else {
            Settings::Absent
        };
        for slot in &mut self.slots {
            slot.settle();
        }
        self.tidy();
    }

    /// Whether it is as it should be.
    pub(super) fn is_settled(&self) -> bool {
        let settings = match self.installed {
            Settings::Absent => !self.wanted,
            Settings::AsWanted => self.wanted,
            Settings::Other => false,
        };
        settings && self.slots.iter().all(Slot::is_settled)
    }

    /// Drops what is neither wanted nor installed.
    fn tidy(&mut self) {
        self.slots.retain(|slot| !slot.is_empty());
        self.slots.shrink_to_fit();
    }
}

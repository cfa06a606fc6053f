//! The node as reports see it.
//!
//! Owns: borrowed views of the running configuration and of what the domains know. Never does:
//! change anything, or make text of it. Driven by: `report`, which asks for one object at a time,
//! so that a large table is written in slices without a copy of it.

use super::Node;
use crate::base::{Duration, Family, IfIndex};
use crate::conf::model::{BfdKey, Config, GroupEntry, InstanceKey, ServiceKey};
use crate::{bfd, check, iface, track, vrrp};

pub use crate::bfd::SessionView;
pub use crate::check::{CheckView, ProgramRun, ServerReport, ServiceView};
pub use crate::iface::Interface;
pub use crate::ops::{AddressChange, LinkState, SocketId};
pub use crate::track::{Phase, ProcessView, ScriptView};
pub use crate::vrrp::{Detail, InstanceView, State, Stats};

/// A look at the node.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    config: &'a Config,
    vrrp: &'a vrrp::Domain,
    track: &'a track::Domain,
    check: &'a check::Domain,
    bfd: &'a bfd::Domain,
    iface: &'a iface::Domain,
    generation: u64,
}

impl Node {
    /// A look at the node as it stands.
    #[must_use]
    pub const fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            config: &self.config,
            vrrp: &self.vrrp,
            track: &self.track,
            check: &self.check,
            bfd: &self.bfd,
            iface: &self.iface,
            generation: self.generation,
        }
    }

    /// Sets the counters of VRRP to zero.
    pub fn clear_stats(&mut self) {
        self.vrrp.clear_stats();
    }
}

impl<'a> Snapshot<'a> {
    /// The configuration that runs.
    #[must_use]
    pub const fn config(&self) -> &'a Config {
        self.config
    }

    /// Counts configurations: what was read of another one is out of date.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// A VRRP instance.
    #[must_use]
    pub fn instance(&self, key: &InstanceKey) -> Option<InstanceView> {
        self.vrrp.instance(key)
    }

    /// A BFD session.
    #[must_use]
    pub fn session(&self, key: &BfdKey) -> Option<SessionView> {
        self.bfd.session(key)
    }

    /// The socket that BFD sessions of that family and kind hear by.
    #[must_use]
    pub fn bfd_listener(&self, family: Family, multihop: bool) -> Option<SocketId> {
        self.bfd.listener(family, multihop)
    }

    /// A script, if somebody tracks it.
    #[must_use]
    pub fn script(&self, name: &str) -> Option<ScriptView> {
        self.track.script(name)
    }

    /// The number in a tracked file, if it was read.
    #[must_use]
    pub fn file_value(&self, name: &str) -> Option<i64> {
        self.track.file_value(name)
    }

    /// A tracked process; as if there were none if nobody tracks it.
    #[must_use]
    pub fn process(&self, name: &str) -> ProcessView {
        self.track.process(name).unwrap_or_default()
    }

    /// A virtual server.
    #[must_use]
    pub fn service(&self, key: &ServiceKey) -> Option<ServiceView> {
        self.check.view().service(key)
    }

    /// Whether a service of a group had an entry of it before the last reload.
    #[must_use]
    pub fn had_entry(&self, key: &ServiceKey, entry: &GroupEntry) -> bool {
        self.check.view().had_entry(key, entry)
    }

    /// A real server by its place in its service.
    #[must_use]
    pub fn server(&self, key: &ServiceKey, place: usize) -> Option<ServerReport> {
        self.check.view().server(key, place)
    }

    /// A check of a real server, by its place in `RealServer::checks`.
    #[must_use]
    pub fn check(&self, key: &ServiceKey, place: usize, check: usize) -> Option<CheckView> {
        self.check.view().check(key, place, check)
    }

    /// The first interface of this host whose index is not below `index`.
    #[must_use]
    pub fn interface_from(&self, index: IfIndex) -> Option<(&'a Interface, LinkState)> {
        self.iface.interface_from(index)
    }

    /// How long that interface has to be up until that counts, how long down, and whether a change
    /// waits for that.
    #[must_use]
    pub fn link_delays(&self, index: IfIndex, name: &str) -> (Duration, Duration, bool) {
        self.vrrp.link_delays(index, name)
    }

    /// The interface of that name.
    #[must_use]
    pub fn interface_named(&self, name: &str) -> Option<&'a Interface> {
        self.iface.interface_named(name)
    }

    /// The addresses of an interface.
    pub fn addresses(&self, index: IfIndex) -> impl Iterator<Item = AddressChange> + use<'a> {
        self.iface.addresses(index)
    }
}

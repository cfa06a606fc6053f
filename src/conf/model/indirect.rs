//! Virtual services by mark or by group.
//!
//! Owns: what they say. Never does: act: these are read and validated, no domain carries them out
//! yet. Driven by: `conf::resolve` fills it.

use std::net::IpAddr;

use super::{Persistence, Protocol, RealServer, Scheduler, ServicePolicy};
use crate::base::Family;

/// `virtual_server fwmark N` or `virtual_server group NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndirectService {
    /// What it is for.
    pub target: IndirectTarget,
    /// `protocol`; a mark has none.
    pub protocol: Option<Protocol>,
    /// `lb_algo` / `lvs_sched`.
    pub scheduler: Scheduler,
    /// `persistence_timeout` and `persistence_granularity`.
    pub persistence: Option<Persistence>,
    /// The `real_server` blocks in the order of the file; port 0 is the service's.
    pub real_servers: Vec<RealServer>,
    /// Quorum, sorry server and more.
    pub policy: ServicePolicy,
}

/// What a service is for that names no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndirectTarget {
    /// Packets with this mark.
    Fwmark(u32),
    /// The entries of the group of this name.
    Group(String),
}

/// `virtual_server_group`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerGroup {
    /// Its name.
    pub name: String,
    /// Its entries in the order of the file.
    pub entries: Vec<GroupEntry>,
}

/// An entry of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEntry {
    /// All addresses from the first to the last; of one family.
    Addresses {
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
        /// Their port; 0 takes all ports.
        port: u16,
    },
    /// Packets with a mark.
    Fwmark {
        /// The mark.
        mark: u32,
        /// Their family; that of the servers if not given.
        family: Option<Family>,
    },
}

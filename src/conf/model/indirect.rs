//! Groups of virtual addresses and marks that share servers.
//!
//! Owns: what they say. Never does: act; a service has the entries of its group in itself, so that
//! its changes are changes of the service. Driven by: `conf::bind` fills it.

use std::net::IpAddr;

use crate::base::Family;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        /// Their family; that of the service if not given.
        family: Option<Family>,
    },
}

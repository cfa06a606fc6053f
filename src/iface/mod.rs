//! A mirror of the host's links and addresses.
//!
//! Owns: which links exist, their state and their addresses, as the kernel last said. Never does:
//! change any of them, or know who cares. Driven by: `node`, which hands the changes on.

use crate::base::{IfIndex, Instant, Mac};
use crate::ops::{AddressChange, LinkChange};
use std::net::{IpAddr, Ipv4Addr};

/// What changed, for whoever cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// An interface is new or one of these facts changed.
    Changed(Interface),
    /// An interface is gone.
    Gone(IfIndex),
    /// An address is on an interface now.
    AddressAdded(IfIndex, IpAddr),
    /// An address is gone from an interface.
    AddressRemoved(IfIndex, IpAddr),
}

/// An interface as the mirror knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's index.
    pub index: IfIndex,
    /// Name.
    pub name: String,
    /// Switched on and with a carrier.
    pub up: bool,
    /// Ethernet address.
    pub mac: Option<Mac>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// First address that is not a secondary one.
    pub primary_v4: Option<Ipv4Addr>,
}

/// The mirror.
#[derive(Debug, Default)]
pub struct Domain {}

impl Domain {
    /// Takes a change of a link.
    pub fn link(&mut self, now: Instant, change: &LinkChange, out: &mut Vec<Action>) {
        let _ = (now, change, out);
    }

    /// Takes a change of an address.
    pub fn address(&mut self, now: Instant, change: &AddressChange, out: &mut Vec<Action>) {
        let _ = (now, change, out);
    }
}

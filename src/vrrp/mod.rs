//! VRRP: elections, virtual addresses, gratuitous ARP.
//!
//! Owns: the state of every virtual router and which addresses it wants to be present. Never does:
//! open a socket, read a clock, know of checks or IPVS. Driven by: `node`.

use crate::base::{IfIndex, Instant, Mac};
use crate::conf::model::plan::Step;
use crate::conf::model::{LogStyle, VrrpInstance};
use crate::ops::{Effect, OpTag, RxMeta, SocketId};
use std::net::{IpAddr, Ipv4Addr};

/// What the VRRP domain is told.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// An interface as it is now, told whenever one of these facts changes.
    Interface(InterfaceFacts),
    /// An interface is gone.
    InterfaceGone(IfIndex),
    /// An address is on an interface now, whoever put it there.
    AddressAdded(IfIndex, IpAddr),
    /// An address is no longer on an interface, whoever took it away.
    AddressRemoved(IfIndex, IpAddr),
    /// A VRRP packet.
    Packet {
        /// The socket that it came by.
        socket: SocketId,
        /// Source address.
        from: IpAddr,
        /// What else the kernel says of it.
        meta: RxMeta,
        /// The packet, for IPv4 with its IP header.
        bytes: &'a [u8],
    },
    /// A socket failed.
    SocketFailed(SocketId, i32),
    /// The kernel refused an operation of ours.
    Refused(OpTag, i32),
    /// Resign and take every address away.
    Stop,
}

/// What VRRP has to know of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// The kernel's index.
    pub index: IfIndex,
    /// Name.
    pub name: String,
    /// Switched on and with a carrier.
    pub up: bool,
    /// Ethernet address.
    pub mac: Option<Mac>,
    /// Largest packet.
    pub mtu: u32,
    /// First address that is not a secondary one: the source of adverts.
    pub primary_v4: Option<Ipv4Addr>,
}

/// What the VRRP domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
}

/// All virtual routers of this host.
#[derive(Debug)]
pub struct Domain {
    style: LogStyle,
}

impl Domain {
    /// A domain without instances.
    #[must_use]
    pub const fn new(style: LogStyle) -> Self {
        Self { style }
    }

    /// Carries out a reload, or the first start when everything is an [`Step::Add`].
    pub fn apply(&mut self, now: Instant, plan: Vec<Step<VrrpInstance>>, out: &mut Vec<Action>) {
        let _ = (now, plan, out, self.style);
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        let _ = (now, event, out);
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        let _ = (now, out);
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
}

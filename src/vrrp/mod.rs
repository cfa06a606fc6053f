//! VRRP: elections, virtual addresses, gratuitous ARP.
//!
//! Owns: the state of every virtual router and which addresses it wants to be present. Never does:
//! open a socket, read a clock, know of checks or IPVS. Driven by: `node`.

mod addresses;
mod advertise;
mod apply;
mod clash;
mod departed;
mod domain;
mod fitness;
mod fixtures;
mod garp;
mod group;
mod hear;
mod instance;
mod interfaces;
mod links;
mod messages;
mod own_link;
mod pace;
mod receive;
mod reconfigure;
mod registry;
mod routing;
mod seal;
mod signed;
mod sockets;
mod statics;
mod stats;
mod strangers;
mod tell;
#[cfg(test)]
mod tests;
mod tracking;
mod transport;
mod view;

pub use domain::Domain;
pub use instance::State;
pub use stats::Stats;
pub use view::{Detail, InstanceView};

use crate::base::{IfIndex, Mac};
use crate::ops::{AddressChange, Effect, Notice, OpTag, RoutingNews, RxMeta, SocketId};

/// What the VRRP domain is told.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// An interface as it is now, told whenever one of these facts changes.
    Interface(InterfaceFacts),
    /// An interface is gone.
    InterfaceGone(IfIndex),
    /// An address appeared, changed its flags, or went, by whoever's doing.
    Address(AddressChange),
    /// Something was removed from the routing tables or rules.
    Routing(RoutingNews<'a>),
    /// A VRRP packet.
    Packet {
        /// The socket that it came by.
        socket: SocketId,
        /// What else the kernel says of it.
        meta: RxMeta,
        /// The packet, IP header first.
        bytes: &'a [u8],
    },
    /// A socket failed.
    SocketFailed(SocketId, i32),
    /// The kernel refused an operation of ours.
    Refused(OpTag, i32),
    /// What is to be said of a tracker from now on.
    Tracker(TrackerKind, &'a str, Verdict),
    /// Resign and take every address away.
    Stop,
}

/// Kind of a tracker; names are unique within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackerKind {
    /// `track_interface`: known from the interfaces themselves.
    Interface,
    /// `track_script`
    Script,
    /// `track_file`
    File,
    /// `track_process`
    Process,
    /// `track_bfd`
    Bfd,
}

/// What is to be said of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Unknown,
    /// It is as it should be.
    Up,
    /// It is not.
    Down,
    /// A file holds this number.
    Value(i64),
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
    /// Its link is asked for, not told (`linkbeat_interfaces`).
    pub polled: bool,
    /// Ethernet address.
    pub mac: Option<Mac>,
    /// Largest packet.
    pub mtu: u32,
    /// Whether it forwards IPv6: its neighbour advertisements say so.
    pub forwards_v6: bool,
    /// The VRF that it belongs to: links on top of it belong there as well.
    pub vrf: Option<IfIndex>,
}

/// What the VRRP domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
    /// Something to tell people and programs outside.
    Notice(Notice),
}

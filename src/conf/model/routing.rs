//! Routes and policy rules, of instances and of the host as a whole.
//!
//! Owns: what one says, with names already turned into the kernel's numbers. Never does: know what
//! the kernel holds. Driven by: `conf::bind` fills it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Scope, VirtualAddress};
use crate::base::Family;

/// The routing table `main`.
pub const MAIN_TABLE: u32 = 254;
/// What keepalived's own routes and rules are marked with (`RTPROT_KEEPALIVED`).
pub const KEEPALIVED: u8 = 18;

/// An address with the length of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network, 0 to 32 or 128.
    pub len: u8,
}

impl Prefix {
    /// Every address of a family.
    #[must_use]
    pub const fn any(family: Family) -> Self {
        let address = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { address, len: 0 }
    }
}

/// What becomes of a packet that a route takes; the numbers are the kernel's (`RTN_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum RouteKind {
    /// It goes to the gateway or through the interface.
    #[default]
    Unicast = 1,
    /// It is for this host.
    Local = 2,
    /// Taken as broadcast, sent as such.
    Broadcast = 3,
    /// Taken as broadcast, sent to one.
    Anycast = 4,
    /// Multicast.
    Multicast = 5,
    /// Dropped in silence.
    Blackhole = 6,
    /// Dropped; the sender hears that the host is unreachable.
    Unreachable = 7,
    /// Dropped; the sender hears that it is prohibited.
    Prohibit = 8,
    /// Looked up in the next table.
    Throw = 9,
    /// Translated.
    Nat = 10,
    /// Asked of a program.
    Xresolve = 11,
}

/// A measure that a route carries; the numbers are the kernel's (`RTAX_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Bytes.
    Mtu = 2,
    /// Bytes.
    Window = 3,
    /// Eighths of a millisecond.
    Rtt = 4,
    /// Quarters of a millisecond.
    RttVariance = 5,
    /// Segments.
    SlowStartThreshold = 6,
    /// Segments.
    CongestionWindow = 7,
    /// Bytes.
    AdvertisedMss = 8,
    /// Segments.
    Reordering = 9,
    /// 0 to 255.
    HopLimit = 10,
    /// Segments.
    InitialWindow = 11,
    /// Bits; 1 is ECN.
    Features = 12,
    /// Milliseconds.
    MinimumTimeout = 13,
    /// Segments.
    InitialReceiveWindow = 14,
    /// 0 or 1.
    QuickAck = 15,
    /// 0 or 1.
    FastOpenWithoutCookie = 17,
}

/// The measures of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteMetrics {
    /// Each in its own unit.
    pub values: BTreeMap<Metric, u32>,
    /// Those that the kernel does not learn itself.
    pub locked: BTreeSet<Metric>,
    /// `congctl`
    pub congestion_control: Option<String>,
    /// It is locked.
    pub congestion_locked: bool,
}

/// A light weight tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encap {
    /// `encap ip`
    Ip {
        /// `id`
        id: u64,
        /// `dst`
        destination: Option<Ipv4Addr>,
        /// `src`
        source: Option<Ipv4Addr>,
        /// `tos`
        tos: u8,
        /// `ttl`
        ttl: u8,
        /// `flags`
        flags: u16,
    },
    /// `encap ip6`
    Ip6 {
        /// `id`
        id: u64,
        /// `dst`
        destination: Option<Ipv6Addr>,
        /// `src`
        source: Option<Ipv6Addr>,
        /// `tc`
        traffic_class: u8,
        /// `hoplimit`
        hop_limit: u8,
        /// `flags`
        flags: u16,
    },
    /// `encap mpls`: labels, the outermost first.
    Mpls(Vec<u32>),
    /// `encap ila`: the locator.
    Ila(u64),
}

/// One way of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// `via`
    pub gateway: Option<IpAddr>,
    /// `dev`
    pub interface: Option<String>,
    /// 1 to 256.
    pub weight: u16,
    /// `onlink`
    pub on_link: bool,
    /// `realms`
    pub realms: Option<u32>,
    /// `encap`
    pub encap: Option<Encap>,
}

/// Where a new route stands among those with the same destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Insertion {
    /// Before them.
    #[default]
    Prepend,
    /// Behind them.
    Append,
    /// Only if there are none.
    Add,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its family.
    pub family: Family,
    /// Where to.
    pub destination: Prefix,
    /// What becomes of the packets.
    pub kind: RouteKind,
    /// `src`: the address that packets of this host leave with.
    pub source: Option<IpAddr>,
    /// `from`: only for packets from there; IPv6.
    pub from: Option<Prefix>,
    /// `via`; of either family.
    pub gateway: Option<IpAddr>,
    /// `dev`
    pub interface: Option<String>,
    /// `onlink`
    pub on_link: bool,
    /// `table`, or that of the `vrf`.
    pub table: u32,
    /// `protocol`
    pub protocol: u8,
    /// `scope`; the kernel's rule if not given.
    pub scope: Option<Scope>,
    /// `tos`
    pub tos: u8,
    /// `metric`
    pub metric: Option<u32>,
    /// `realms`: source in the upper half, destination in the lower.
    pub realms: Option<u32>,
    /// `pref`, as the kernel numbers it (`ICMPV6_ROUTER_PREF_*`).
    pub preference: Option<u8>,
    /// `expires`, seconds.
    pub expires: Option<u32>,
    /// `ttl-propagate`
    pub ttl_propagate: Option<bool>,
    /// `encap`
    pub encap: Option<Encap>,
    /// `mtu` and the like.
    pub metrics: RouteMetrics,
    /// `add`, `append`
    pub insertion: Insertion,
    /// `nexthop`
    pub hops: Vec<NextHop>,
    /// It is put back if something else removes it; `no_track` says no.
    pub tracked: bool,
    /// `track_group`; static routes only.
    pub group: Option<String>,
}

/// What a rule does with a packet that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// It is looked up in this table.
    Table(u32),
    /// The rules from this preference on go on.
    Goto(u32),
    /// Nothing; the next rule goes on.
    Nop,
    /// Dropped in silence.
    Blackhole,
    /// Dropped; the sender hears that the host is unreachable.
    Unreachable,
    /// Dropped; the sender hears that it is prohibited.
    Prohibit,
    /// It is looked up in the table of the interface's VRF.
    Vrf,
}

/// A policy rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its family.
    pub family: Family,
    /// `preference`
    pub preference: u32,
    /// What it does.
    pub action: RuleAction,
    /// `not`: it matches what it else would not.
    pub inverted: bool,
    /// `from`
    pub from: Option<Prefix>,
    /// `to`
    pub to: Option<Prefix>,
    /// `tos`
    pub tos: u8,
    /// `fwmark`
    pub mark: Option<u32>,
    /// The bits of the mark that count.
    pub mark_mask: Option<u32>,
    /// `realms`
    pub realms: Option<u32>,
    /// `suppress_prefixlength`
    pub suppress_prefix_len: Option<u32>,
    /// `suppress_ifgroup`
    pub suppress_group: Option<u32>,
    /// `iif`
    pub input: Option<String>,
    /// `oif`
    pub output: Option<String>,
    /// `tunnel-id`
    pub tunnel: Option<u64>,
    /// `uidrange`, both ends included.
    pub users: Option<(u32, u32)>,
    /// `protocol`
    pub protocol: u8,
    /// `ipproto`
    pub ip_protocol: Option<u8>,
    /// `sport`, both ends included.
    pub source_ports: Option<(u16, u16)>,
    /// `dport`, both ends included.
    pub destination_ports: Option<(u16, u16)>,
    /// It is put back if something else removes it; `no_track` says no.
    pub tracked: bool,
    /// `track_group`; static rules only.
    pub group: Option<String>,
}

/// A line of `static_ipaddress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAddress {
    /// The address.
    pub address: VirtualAddress,
    /// `track_group`
    pub group: Option<String>,
}

/// `track_group`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackGroup {
    /// Its name.
    pub name: String,
    /// Names of its instances.
    pub members: Vec<String>,
}

/// What the host holds as long as the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statics {
    /// `static_ipaddress`
    pub addresses: Vec<StaticAddress>,
    /// `static_routes`
    pub routes: Vec<Route>,
    /// `static_rules`
    pub rules: Vec<Rule>,
    /// `track_group`
    pub groups: Vec<TrackGroup>,
}

//! Kernel objects that the node wants or finds, and the operations between the two.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::base::{Duration, Family, IfIndex, Mac};
pub use crate::wire::ipvs::{ServiceName, SyncDaemon, SyncRole, Timeouts};
use crate::wire::rtnl::Kind;

/// Who asked for a kernel operation, to hand a refusal back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpOwner {
    /// The VRRP domain: addresses.
    Vrrp,
    /// The IPVS domain: services and destinations.
    Ipvs,
}

/// Identifies an operation in [`super::Event::Refused`]; `serial` is the owner's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpTag {
    /// The domain that asked.
    pub owner: OpOwner,
    /// What the domain calls the operation.
    pub serial: u64,
}

/// One change of kernel state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelOp {
    /// Adds an address (`RTM_NEWADDR`, exclusive).
    AddressAdd(AddressSpec),
    /// Removes an address (`RTM_DELADDR`).
    AddressDel(AddressSpec),
    /// Changes the IPVS table.
    Ipvs(IpvsOp),
    /// Makes a link of our own, sets it up as keepalived does, and brings it up.
    LinkAdd(LinkSpec),
    /// Takes such a link away; its addresses go with it.
    LinkDel(LinkSpec),
    /// Changes what the firewall keeps from virtual addresses.
    Firewall(FirewallOp),
    /// Sets `promote_secondaries` of an interface, so that secondary addresses outlive their
    /// primary one; `false` gives it the value back that it had.
    PromoteSecondaries(IfIndex, bool),
    /// Puts a link into a VRF, or takes it out of the one that it is in.
    SetVrf(IfIndex, Option<IfIndex>),
    /// Changes routes or policy rules.
    Routing(RoutingOp),
}

/// A change of the routes or policy rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingOp {
    /// Which of the two.
    pub what: Kind,
    /// Whether it comes or goes.
    pub change: RoutingChange,
    /// The object, as in `wire::rtnl`; its identity suffices to remove it.
    pub message: Vec<u8>,
}

/// Coming or going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutingChange {
    /// `RTM_NEWROUTE`, `RTM_NEWRULE`.
    Add(Place),
    /// `RTM_DELROUTE`, `RTM_DELRULE`.
    Remove,
}

/// Where a new route goes among those with the same destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before them.
    First,
    /// Behind them.
    Last,
    /// Only if there are none.
    Alone,
}

/// A link of our own on top of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkSpec {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// The interface below it.
    pub base: IfIndex,
    /// What it is.
    pub kind: LinkKind,
    /// The family of the virtual router that runs on it; the other one's is kept off.
    pub family: Family,
    /// The IPv6 address that adverts come from, which the link has to have as well.
    pub link_local: Option<Ipv6Addr>,
    /// The VRF of the interface below it.
    pub vrf: Option<IfIndex>,
}

/// What a link of our own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// A private macvlan with this address (`use_vmac`).
    Macvlan(Mac),
    /// An ipvlan in layer 2 mode, with the address of the interface below it (`use_ipvlan`).
    Ipvlan,
}

/// An address that the firewall keeps traffic from (`no_accept`, strict mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blocked {
    /// The address.
    pub address: IpAddr,
    /// For a link-local address, on which link.
    pub on: Option<IfIndex>,
}

/// Addresses whose packets the firewall gives a mark, by which IPVS knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marked {
    /// The first address.
    pub first: IpAddr,
    /// The last one, of the same family.
    pub last: IpAddr,
    /// Their port.
    pub port: u16,
    /// The protocol number in the IP header.
    pub protocol: u8,
}

/// A change of the firewall's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirewallOp {
    /// Drops what goes to and comes from an address, save neighbour discovery.
    Block(Blocked),
    /// Lets it through again.
    Unblock(Blocked),
    /// Membership reports that would leave by a VMAC leave by the interface below it.
    ReportsBelow {
        /// The VMAC.
        vmac: IfIndex,
        /// The interface below it.
        base: IfIndex,
        /// Whose reports: IGMP or MLD.
        family: Family,
    },
    /// No longer.
    ForgetVmac {
        /// The VMAC.
        vmac: IfIndex,
        /// As when it was told.
        family: Family,
    },
}

impl FirewallOp {
    /// The family whose table it changes.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Block(blocked) | Self::Unblock(blocked) => Family::of(blocked.address),
            Self::ReportsBelow { family, .. } | Self::ForgetVmac { family, .. } => *family,
        }
    }
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressSpec {
    /// The interface.
    pub interface: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix.
    pub prefix_len: u8,
    /// `RT_SCOPE_*`; 0 is global.
    pub scope: u8,
    /// IPv4 broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// IPv4 label, at most 15 bytes.
    pub label: Option<String>,
    /// What is seldom said of one.
    pub more: AddressTraits,
}

/// Further properties of an address; the flags are the kernel's (`IFA_F_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AddressTraits {
    /// The other end of a point to point link; the length of the prefix is then that of its
    /// network.
    pub peer: Option<IpAddr>,
    /// IPv6: nobody on the link is asked whether he has the address (`IFA_F_NODAD`).
    pub no_detection: bool,
    /// IPv6: a home address (`IFA_F_HOMEADDRESS`).
    pub home: bool,
    /// IPv6: temporary addresses are made from it (`IFA_F_MANAGETEMPADDR`).
    pub manage_temporary: bool,
    /// It makes no route to its network (`IFA_F_NOPREFIXROUTE`).
    pub no_prefix_route: bool,
    /// A multicast address is joined (`IFA_F_MCAUTOJOIN`).
    pub auto_join: bool,
    /// IPv6: seconds for which it may be chosen as a source; the largest number is for ever.
    pub preferred: Option<u32>,
}

/// A virtual service as IPVS keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceSpec {
    /// What it is called.
    pub name: ServiceName,
    /// Name of the scheduler.
    pub scheduler: &'static str,
    /// Persistence: timeout in whole seconds, and the prefix length that makes one client.
    pub persistence: Option<(Duration, u8)>,
    /// One-packet scheduling and the scheduler's own flags (`IP_VS_SVC_F_*`).
    pub flags: u32,
    /// Name of the persistence engine.
    pub engine: Option<String>,
}

/// A destination of a virtual service as IPVS keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DestinationSpec {
    /// Address and port of the real server.
    pub address: SocketAddr,
    /// Weight; 0 takes no new connections.
    pub weight: u32,
    /// How packets get there.
    pub method: ForwardMethod,
    /// Connections from which on it gets no new ones; 0 is no limit.
    pub upper_threshold: u32,
    /// Connections below which it gets new ones again; 0 leaves that to the kernel.
    pub lower_threshold: u32,
}

/// Forwarding method with the kernel's distinctions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForwardMethod {
    /// `IP_VS_CONN_F_MASQ`.
    Masquerade,
    /// `IP_VS_CONN_F_DROUTE`.
    DirectRoute,
    /// `IP_VS_CONN_F_TUNNEL` with the tunnel's type, port and flags
    /// (`IPVS_DEST_ATTR_TUN_TYPE`, `_TUN_PORT`, `_TUN_FLAGS`).
    Tunnel {
        /// 0 IPIP, 1 GUE, 2 GRE.
        kind: u8,
        /// UDP port, GUE only.
        port: u16,
        /// 0 no checksum, 1 checksum, 2 remote checksum.
        flags: u16,
    },
}

/// A change of the IPVS table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpvsOp {
    /// `IPVS_CMD_NEW_SERVICE`.
    ServiceAdd(ServiceSpec),
    /// `IPVS_CMD_SET_SERVICE`.
    ServiceSet(ServiceSpec),
    /// `IPVS_CMD_DEL_SERVICE`; takes the destinations along.
    ServiceDel(ServiceName),
    /// `IPVS_CMD_NEW_DEST`.
    DestAdd(ServiceName, DestinationSpec),
    /// `IPVS_CMD_SET_DEST`.
    DestSet(ServiceName, DestinationSpec),
    /// `IPVS_CMD_DEL_DEST`.
    DestDel(ServiceName, SocketAddr),
    /// `IPVS_CMD_FLUSH`: removes all services, whosever they are.
    Flush,
    /// `IPVS_CMD_SET_CONFIG`
    Timeouts(Timeouts),
    /// `IPVS_CMD_NEW_DAEMON`
    DaemonStart(SyncRole, SyncDaemon),
    /// `IPVS_CMD_DEL_DAEMON`
    DaemonStop(SyncRole),
}

impl IpvsOp {
    /// The service that it concerns, if it concerns one.
    #[must_use]
    pub const fn service(&self) -> Option<ServiceName> {
        Some(match self {
            Self::ServiceAdd(spec) | Self::ServiceSet(spec) => spec.name,
            Self::ServiceDel(name)
            | Self::DestAdd(name, _)
            | Self::DestSet(name, _)
            | Self::DestDel(name, _) => *name,
            Self::Flush | Self::Timeouts(_) | Self::DaemonStart(..) | Self::DaemonStop(_) => {
                return None;
            }
        })
    }
}

/// A service found in the kernel with its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpvsService {
    /// What it is called.
    pub name: ServiceName,
    /// Name of the scheduler; the kernel may run one that we do not know.
    pub scheduler: String,
    /// Persistence, as in [`ServiceSpec`].
    pub persistence: Option<(Duration, u8)>,
    /// As in [`ServiceSpec`].
    pub flags: u32,
    /// As in [`ServiceSpec`].
    pub engine: Option<String>,
    /// Its destinations.
    pub destinations: Vec<DestinationSpec>,
}

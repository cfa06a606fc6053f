//! Kernel objects that the node wants or finds, and the operations between the two.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::base::{Duration, IfIndex};
pub use crate::wire::ipvs::{ServiceName, SyncDaemon, SyncRole, Timeouts};

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

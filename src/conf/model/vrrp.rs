//! `vrrp_instance`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;

use super::options::{InstanceOptions, Version};
use super::routing::Prefix;
use crate::base::{Blank, Duration, Family, Mac, Rare, Shared};

/// A virtual router id, 1 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(pub NonZeroU8);

impl Vrid {
    /// The id `raw`; `None` for 0.
    #[must_use]
    pub const fn new(raw: u8) -> Option<Self> {
        match NonZeroU8::new(raw) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

/// A VRRP priority: 0 resigns, 1 to 254 compete, 255 owns the addresses (RFC 3768 §5.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Priority {
    /// Says "I stop being master".
    pub const RESIGN: Self = Self(0);
    /// What keepalived takes where none is given.
    pub const DEFAULT: Self = Self(100);
    /// The owner of the addresses.
    pub const OWNER: Self = Self(255);

    /// Whether this is the address owner's priority.
    #[must_use]
    pub const fn is_owner(self) -> bool {
        self.0 == 255
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `state`: what the instance hopes to be at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitialState {
    /// Waits one advert interval and skew before it takes over.
    Master,
    /// Waits the whole master down time.
    #[default]
    Backup,
}

/// `auth_type PASS`: eight bytes, zero padded, readable by everybody on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthPass(pub [u8; 8]);

impl fmt::Debug for AuthPass {
    /// Dumps and logs never show the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthPass(********)")
    }
}

/// What makes two descriptions the same virtual router across a reload, as in keepalived: not the
/// name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// Family of the adverts.
    pub family: Family,
    /// `interface`.
    pub interface: String,
    /// Where its adverts go.
    pub transport: Transport,
    /// `unicast_src_ip`, with unicast.
    pub source: Option<IpAddr>,
    /// The link that it brings with it.
    pub own_link: Option<OwnLink>,
}

/// The group of version 2 and 3 over IPv4 (RFC 3768 §5.2.2).
pub const VRRP_GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
/// The group of IPv6 (RFC 9568 §5.1.2.2).
pub const VRRP_GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

/// Where adverts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// To this group.
    Multicast(IpAddr),
    /// To each of the peers.
    Unicast,
}

/// When and how often a master announces its addresses by gratuitous ARP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garp {
    /// Packets for each address in a burst, at least 1 (`garp_master_repeat`).
    pub repeat: u32,
    /// From becoming master to the second burst; zero: no second burst (`garp_master_delay`).
    pub delay: Duration,
    /// Period of the bursts that follow; zero: none (`garp_master_refresh`).
    pub refresh: Duration,
    /// Packets for each address in those (`garp_master_refresh_repeat`).
    pub refresh_repeat: u32,
    /// Packets for each address after a lower-priority advert (`garp_lower_prio_repeat`).
    pub lower_priority_repeat: u32,
    /// From such an advert to the second burst (`garp_lower_prio_delay`).
    pub lower_priority_delay: Duration,
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_priority_repeat: 5,
            lower_priority_delay: Duration::from_secs(5),
        }
    }
}

/// The scope of an IPv4 address as the kernel numbers it (`RT_SCOPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub u8);

impl Scope {
    /// `global`, the default.
    pub const GLOBAL: Self = Self(0);
}

/// What else is said of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressOptions {
    /// `peer`: the other end of a point to point link.
    pub peer: Option<Prefix>,
    /// `home`: a home address of mobile IPv6.
    pub home: bool,
    /// `-nodad`: it is looked for on the link before it is used; IPv6.
    pub detect_duplicates: bool,
    /// `mngtmpaddr`: temporary addresses are made from it; IPv6.
    pub manage_temporary: bool,
    /// `noprefixroute`: it makes no route to its network.
    pub no_prefix_route: bool,
    /// `autojoin`: multicast groups are joined.
    pub auto_join: bool,
    /// `no_track`: nothing is done if something else removes it.
    pub untracked: bool,
    /// `preferred_lft`: seconds; the largest number is for ever.
    pub preferred_lifetime: Option<u32>,
    /// `use_vmac`: it is on an interface with the virtual MAC address.
    pub vmac: bool,
    /// That interface, where it is not the instance's own link; also by `use_vmac_addr`.
    pub own_link: Option<OwnLink>,
}

impl Blank for AddressOptions {
    const BLANK: &'static Self = &Self {
        peer: None,
        home: false,
        detect_duplicates: false,
        manage_temporary: false,
        no_prefix_route: false,
        auto_join: false,
        untracked: false,
        preferred_lifetime: None,
        vmac: false,
        own_link: None,
    };
}

/// One line of `virtual_ipaddress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualAddress {
    /// The address itself.
    pub address: IpAddr,
    /// Length of the prefix; 32 or 128 where the line gives none.
    pub prefix_len: u8,
    /// `dev`: the interface that carries it, if not the instance's.
    pub interface: Option<String>,
    /// `scope`.
    pub scope: Scope,
    /// `broadcast` / `brd`.
    pub broadcast: Option<Ipv4Addr>,
    /// `label`, at most 15 bytes.
    pub label: Option<String>,
    /// Everything else.
    pub options: Rare<AddressOptions>,
}

/// A link that an instance makes for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnLink {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// What it is.
    pub kind: OwnLinkKind,
}

/// What a link of an instance's own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnLinkKind {
    /// `use_vmac`: a private macvlan with this address.
    Vmac(Mac),
    /// `use_ipvlan`.
    Ipvlan,
}

/// One virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VrrpInstance {
    /// Name of the block; only for people and scripts, not on the wire.
    pub name: String,
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// Family of the adverts: that of the first address given.
    pub family: Family,
    /// `interface`.
    pub interface: String,
    /// `state`.
    pub initial_state: InitialState,
    /// `priority`.
    pub priority: Priority,
    /// `advert_int`; whole seconds in version 2.
    pub advert_interval: Duration,
    /// `authentication`.
    pub auth: Option<AuthPass>,
    /// `auth_type AH`: the password is the key of an authentication header.
    pub ah: bool,
    /// `mcast_dst_ip`, `vrrp_mcast_group4`, `vrrp_mcast_group6`, `unicast_peer`
    pub transport: Transport,
    /// `virtual_ipaddress`, in the order of the file, which is that on the wire.
    pub addresses: Vec<VirtualAddress>,
    /// `nopreempt`: a backup does not displace a master of lower priority.
    pub no_preempt: bool,
    /// `preempt_delay`: how long a backup tolerates a master of lower priority.
    pub preempt_delay: Duration,
    /// `garp_*`.
    pub garp: Garp,
    /// The version of its adverts; 3 for IPv6.
    pub version: Version,
    /// `strict_mode`, else `vrrp_strict`.
    pub strict: bool,
    /// The link that it brings with it and runs on, on top of `interface`.
    pub own_link: Option<OwnLink>,
    /// Everything else that is said of it.
    pub options: Shared<InstanceOptions>,
}

impl VrrpInstance {
    /// An instance of which nothing else is said: keepalived's defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, vrid: Vrid, interface: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            vrid,
            family: Family::V4,
            interface: interface.into(),
            initial_state: InitialState::Backup,
            priority: Priority::DEFAULT,
            advert_interval: Duration::from_secs(1),
            auth: None,
            ah: false,
            transport: Transport::Multicast(VRRP_GROUP_V4),
            addresses: Vec::new(),
            no_preempt: false,
            preempt_delay: Duration::ZERO,
            garp: Garp::default(),
            version: Version::V2,
            strict: false,
            own_link: None,
            options: Shared::default(),
        }
    }

    /// What identifies the instance across a reload.
    #[must_use]
    pub fn key(&self) -> InstanceKey {
        InstanceKey {
            vrid: self.vrid,
            family: self.family,
            interface: self.interface.clone(),
            transport: self.transport,
            source: match self.transport {
                Transport::Multicast(_) => None,
                Transport::Unicast => self.options.source,
            },
            own_link: self.own_link.clone(),
        }
    }

    /// The `index`th place where its adverts go: the group, or each peer.
    #[must_use]
    pub fn destination(&self, index: usize) -> Option<IpAddr> {
        match self.transport {
            Transport::Multicast(group) => (index == 0).then_some(group),
            Transport::Unicast => self.options.peers.get(index).map(|peer| peer.address),
        }
    }
}

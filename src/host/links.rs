//! Links of our own: macvlans with a virtual MAC address, and ipvlans.
//!
//! Owns: how such a link is set up, and what the interfaces below had been set to before. Never
//! does: decide when there is one, or wait. Driven by: `exec`.
//!
//! A VMAC answers ARP for its own addresses only and takes packets that come from an address of
//! this host; the interface below it must not answer for it. keepalived sets the same; it leaves
//! the interface below as it is at the end, here the last VMAC on it gives the old values back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::{fs, io};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpVlan, InfoKind,
    InfoMacVlan, IpVlanFlags, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    MacVlanMode,
};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::request::{self, Raw, Requester};
use super::sys;
use crate::base::{Family, IfIndex, ident};
use crate::conf::model::Buffer;
use crate::ops::{LinkKind, LinkProbe, LinkSpec};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;

/// `IFLA_INET_CONF`, and the settings in it (`IPV4_DEVCONF_*`).
const IFLA_INET_CONF: u16 = 1;
const RP_FILTER: u16 = 8;
const ARP_FILTER: u16 = 13;
const ARP_IGNORE: u16 = 19;
const PROMOTE_SECONDARIES: u16 = 20;
const ACCEPT_LOCAL: u16 = 23;

/// Of an interface below VMACs.
#[derive(Debug)]
struct Base {
    name: String,
    /// `arp_ignore` and `arp_filter` as they were found.
    found: [(u16, u32); 2],
    above: BTreeSet<String>,
}

/// The driver.
#[derive(Debug)]
pub(super) struct OwnLinks {
    socket: Requester,
    below: BTreeMap<IfIndex, Base>,
    /// Interfaces whose `promote_secondaries` was 0, and how many want it to be 1.
    promoting: BTreeMap<IfIndex, (String, u32)>,
    /// It was said that the kernel's settings cannot be written, as in a container.
    told: bool,
}

/// A message and what else it asks for (`NLM_F_*`).
type Step = (u16, LinkMessage, u16);

impl OwnLinks {
    /// Sets the size of the socket's receive buffer (`vrrp_netlink_cmd_rcv_bufs`).
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        self.socket.set_buffer(wanted);
    }

    /// Opens the socket.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            socket: Requester::open(NETLINK_ROUTE)?,
            below: BTreeMap::new(),
            promoting: BTreeMap::new(),
            told: false,
        })
    }

    /// Whether the link of that name has a carrier; `None`: it cannot be asked that way.
    pub(super) fn carrier(&self, name: &str, how: LinkProbe) -> Option<bool> {
        sys::link_carrier(&self.socket, name, how).ok()
    }

    /// Makes the link, sets it up and brings it up; the first error number, 0 for success. What
    /// could not be made whole is taken away again.
    pub(super) fn add(&mut self, spec: &LinkSpec, buffer: &mut [u8]) -> i32 {
        let made = self.carry_out(&[create(spec)], buffer);
        if made != 0 {
            return made;
        }
        let mut steps = vec![named(spec, settings(spec))];
        if matches!(spec.kind, LinkKind::Macvlan(_)) && spec.family == Family::V4 {
            steps.extend(self.quieten(spec));
        }
        if spec.family == Family::V4 {
            self.disable_ipv6(&spec.name);
        }
        steps.push(up(spec));
        let errno = self.carry_out(&steps, buffer);
        if errno != 0 {
            self.remove(spec, buffer);
        } else if let Some(address) = spec.link_local {
            self.add_link_local(&spec.name, address, buffer);
        }
        errno
    }

    /// Gives the link the address that adverts come from; it is chosen for nothing else.
    fn add_link_local(&mut self, name: &str, address: Ipv6Addr, buffer: &mut [u8]) {
        let Ok(index) = nix::net::if_::if_nametoindex(name) else {
            return;
        };
        let message = link_local(index, address);
        let results = self
            .socket
            .batch(&[message], buffer, |message, flags, sequence, out| {
                let payload = &request::bytes_of(message);
                let kind = RTM_NEWADDR;
                request::append(out, Raw { kind, payload }, flags | NLM_F_CREATE, sequence);
            });
        if let Some(errno) = results.into_iter().find(|errno| *errno != 0) {
            log::warn!(target: ident::VRRP, "{address} cannot be added to {name}: {}", sys::error_text(errno));
        }
    }

    /// Takes the link away; the error number, 0 for success.
    pub(super) fn remove(&mut self, spec: &LinkSpec, buffer: &mut [u8]) -> i32 {
        let mut steps = vec![(RTM_DELLINK, message_of(&spec.name), 0)];
        if let Some(base) = self.below.get_mut(&spec.base) {
            base.above.remove(&spec.name);
            if base.above.is_empty() {
                steps.push((RTM_NEWLINK, set(&base.name, &base.found), 0));
                self.below.remove(&spec.base);
            }
        }
        let results = self.results(&steps, buffer);
        // An interface that is gone has nothing to be set back.
        results.first().copied().unwrap_or(0)
    }

    /// Sets `promote_secondaries`, or gives an interface the value back that it had; the error
    /// number, 0 for success.
    pub(super) fn promote(&mut self, on: IfIndex, wanted: bool, buffer: &mut [u8]) -> i32 {
        let value = u32::from(wanted);
        let name = match (self.promoting.get_mut(&on), wanted) {
            (Some((_, count)), true) => {
                *count += 1;
                return 0;
            }
            (Some((_, count)), false) if *count > 1 => {
                *count -= 1;
                return 0;
            }
            (Some((name, _)), false) => {
                let name = std::mem::take(name);
                self.promoting.remove(&on);
                name
            }
            (None, false) => return 0,
            (None, true) => {
                let Some(name) = interface_name(on) else {
                    return libc::ENODEV;
                };
                if setting(&name, "promote_secondaries") != 0 {
                    return 0;
                }
                self.promoting.insert(on, (name.clone(), 1));
                name
            }
        };
        let message = set(&name, &[(PROMOTE_SECONDARIES, value)]);
        self.carry_out(&[(RTM_NEWLINK, message, 0)], buffer)
    }

    /// Puts a link into a VRF, or takes it out of one; the error number, 0 for success.
    pub(super) fn set_vrf(
        &mut self,
        link: IfIndex,
        vrf: Option<IfIndex>,
        buffer: &mut [u8],
    ) -> i32 {
        let mut message = LinkMessage::default();
        message.header.index = link.get();
        let master = vrf.map_or(0, IfIndex::get);
        message.attributes.push(LinkAttribute::Controller(master));
        self.carry_out(&[(RTM_NEWLINK, message, 0)], buffer)
    }

    /// Takes a link away that a crashed run left; the error number, 0 for success.
    pub(super) fn remove_by_name(&mut self, name: &str, buffer: &mut [u8]) -> i32 {
        self.carry_out(&[(RTM_DELLINK, message_of(name), 0)], buffer)
    }

    /// The only setting that has no other way than the file. That files cannot be written is the
    /// same for all interfaces, and said once.
    fn disable_ipv6(&mut self, interface: &str) {
        let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
        let Err(error) = fs::write(&path, "1") else {
            return;
        };
        match error.kind() {
            io::ErrorKind::NotFound => {}
            io::ErrorKind::ReadOnlyFilesystem if self.told => {}
            io::ErrorKind::ReadOnlyFilesystem => {
                self.told = true;
                log::warn!(
                    target: ident::VRRP,
                    "IPv6 cannot be kept off VMAC interfaces such as {interface}, as /proc/sys is \
                     read-only; they may send router solicitations from the virtual MAC address. \
                     Switch IPv6 off for them otherwise (in a container: --sysctl \
                     net.ipv6.conf.default.disable_ipv6=1)"
                );
            }
            _ => log::warn!(
                target: ident::VRRP,
                "IPv6 cannot be kept off {interface}: {path}: {error}; it may send router \
                 solicitations from the virtual MAC address"
            ),
        }
    }

    /// Keeps the interface below from answering ARP for the VMAC's addresses.
    fn quieten(&mut self, spec: &LinkSpec) -> Option<Step> {
        if let Some(base) = self.below.get_mut(&spec.base) {
            base.above.insert(spec.name.clone());
            return None;
        }
        let name = interface_name(spec.base)?;
        let found = [
            (ARP_IGNORE, setting(&name, "arp_ignore")),
            (ARP_FILTER, setting(&name, "arp_filter")),
        ];
        let step = (
            RTM_NEWLINK,
            set(&name, &[(ARP_IGNORE, 1), (ARP_FILTER, 1)]),
            0,
        );
        let above = BTreeSet::from([spec.name.clone()]);
        let base = Base { name, found, above };
        self.below.insert(spec.base, base);
        Some(step)
    }

    fn carry_out(&mut self, steps: &[Step], buffer: &mut [u8]) -> i32 {
        let results = self.results(steps, buffer);
        results.into_iter().find(|errno| *errno != 0).unwrap_or(0)
    }

    fn results(&mut self, steps: &[Step], buffer: &mut [u8]) -> Vec<i32> {
        self.socket.batch(
            steps,
            buffer,
            |(kind, message, more), flags, sequence, out| {
                let payload = &request::bytes_of(message);
                let kind = *kind;
                request::append(out, Raw { kind, payload }, flags | more, sequence);
            },
        )
    }
}

fn interface_name(index: IfIndex) -> Option<String> {
    let name = nix::net::if_::if_indextoname(index.get()).ok()?;
    name.into_string().ok()
}

/// A setting of IPv4 on an interface; 0, the kernel's default for those here, if unreadable.
fn setting(interface: &str, name: &str) -> u32 {
    fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{interface}/{name}"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

fn message_of(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn create(spec: &LinkSpec) -> Step {
    let mut message = message_of(&spec.name);
    let attributes = &mut message.attributes;
    attributes.push(LinkAttribute::Link(spec.base.get()));
    if let Some(vrf) = spec.vrf {
        attributes.push(LinkAttribute::Controller(vrf.get()));
    }
    let (kind, data) = match spec.kind {
        LinkKind::Macvlan(mac) => {
            attributes.push(LinkAttribute::Address(mac.0.to_vec()));
            let private = vec![InfoMacVlan::Mode(MacVlanMode::Private)];
            (InfoKind::MacVlan, InfoData::MacVlan(private))
        }
        LinkKind::Ipvlan => {
            let layer2 = vec![
                InfoIpVlan::Mode(IpVlanMode::L2),
                InfoIpVlan::Flags(IpVlanFlags::empty()),
            ];
            (InfoKind::IpVlan, InfoData::IpVlan(layer2))
        }
    };
    attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(kind),
        LinkInfo::Data(data),
    ]));
    (RTM_NEWLINK, message, NLM_F_CREATE | NLM_F_EXCL)
}

/// The settings of the link itself, by name: the kernel numbers it.
fn settings(spec: &LinkSpec) -> Vec<AfSpecUnspec> {
    let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let mut settings = vec![AfSpecUnspec::Inet6(vec![none])];
    if matches!(spec.kind, LinkKind::Macvlan(_)) && spec.family == Family::V4 {
        settings.push(ipv4(&[
            (ARP_IGNORE, 1),
            (ACCEPT_LOCAL, 1),
            (RP_FILTER, 0),
            (PROMOTE_SECONDARIES, 1),
        ]));
    }
    settings
}

fn named(spec: &LinkSpec, settings: Vec<AfSpecUnspec>) -> Step {
    let mut message = message_of(&spec.name);
    message
        .attributes
        .push(LinkAttribute::AfSpecUnspec(settings));
    (RTM_NEWLINK, message, 0)
}

fn set(name: &str, values: &[(u16, u32)]) -> LinkMessage {
    let mut message = message_of(name);
    message
        .attributes
        .push(LinkAttribute::AfSpecUnspec(vec![ipv4(values)]));
    message
}

/// Only the settings named are changed.
fn ipv4(values: &[(u16, u32)]) -> AfSpecUnspec {
    let mut bytes = Vec::new();
    for (setting, value) in values {
        bytes.extend(8u16.to_ne_bytes());
        bytes.extend(setting.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
    }
    AfSpecUnspec::Inet(vec![AfSpecInet::Other(DefaultNla::new(
        IFLA_INET_CONF,
        bytes,
    ))])
}

fn link_local(index: u32, address: Ipv6Addr) -> AddressMessage {
    let mut lifetimes = CacheInfo::default();
    lifetimes.ifa_preferred = 0;
    lifetimes.ifa_valid = u32::MAX;
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.prefix_len = 64;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(address.into()),
        AddressAttribute::Address(address.into()),
        AddressAttribute::Flags(AddressFlags::Nodad),
        AddressAttribute::CacheInfo(lifetimes),
    ];
    message
}

fn up(spec: &LinkSpec) -> Step {
    let mut message = message_of(&spec.name);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    (RTM_NEWLINK, message, 0)
}

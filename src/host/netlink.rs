//! Links and addresses: what the kernel has, and the addresses that we put there.
//!
//! Owns: the monitor socket with a mirror of what it told, and the messages that add and remove
//! addresses. Never does: decide which address should be where. Driven by: `event_loop`
//! (monitor), `exec` and `supervisor` (addresses).
//!
//! The mirror is here because the kernel drops messages when a receiver is slow (`ENOBUFS`): then
//! everything is listed anew, and what the list lacks is reported as gone. It also keeps back what
//! changes nothing, such as the running lifetime of an address.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
};
use netlink_packet_core::{NetlinkBuffer, NlasIterator};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkLayerType};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::request::{self, Raw, Requester};
use crate::base::{IfIndex, Mac, ident};
use crate::conf::model::Buffer;
use crate::ops::{AddressChange, AddressSpec, AddressTraits, LinkChange, LinkState};
use crate::wire::rtnl::Kind;

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_DELROUTE: u16 = 25;
const RTM_DELRULE: u16 = 33;
const RTNLGRP_LINK: u32 = 1;
/// `RTNLGRP_IPV4_ROUTE`, `IPV4_RULE`, `IPV6_ROUTE`, `IPV6_RULE`
const ROUTING_GROUPS: [u32; 4] = [7, 8, 11, 19];
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV6_IFADDR: u32 = 9;
// linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INET6_CONF: u16 = 2;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
// linux/netlink.h
const NLA_TYPE_MASK: u16 = 0x3fff;
// linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
const IFA_F_SECONDARY: u32 = 1;

/// `IFA_PROTO` of addresses that keepalived adds, as iproute2 shows it (`proto keepalived`).
const PROTO_KEEPALIVED: u8 = 18;

/// Lengths of the headers that follow the netlink header.
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;

/// What the monitor has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// A link.
    Link(LinkChange),
    /// An address.
    Address(AddressChange),
    /// A route or a rule that somebody else removed, as the kernel tells of it.
    RoutingGone(Kind, Vec<u8>),
    /// Such messages were lost.
    RoutingUncertain,
}

/// Messages of this many datagrams are handled in one turn.
const BUDGET: usize = 32;

/// Lists in a row, before other work has its turn.
const LISTS: usize = 4;

/// Whether a reading reached the end of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// Yes; the next message will be announced.
    All,
    /// No, the budget was used up.
    Rest,
}

type AddressKey = (IfIndex, IpAddr, u8);

/// What is known to exist.
#[derive(Debug, Default)]
struct Mirror {
    links: BTreeMap<IfIndex, LinkChange>,
    /// With whether it is a secondary one, and its protocol.
    addresses: BTreeMap<AddressKey, (bool, u8)>,
}

/// The socket that hears of every change of links and addresses.
pub(super) struct Monitor {
    socket: Socket,
    mirror: Mirror,
    sequence: u32,
    /// Routes and rules are listened to; what this port removes is not told.
    routing: Option<u32>,
    /// Messages were lost, and the list that makes up for them is still to be made.
    stale: bool,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("mirror", &self.mirror)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// Opens the socket and subscribes to changes.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        for group in [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] {
            socket.add_membership(group)?;
        }
        Ok(Self {
            socket,
            mirror: Mirror::default(),
            sequence: 0,
            routing: None,
            stale: false,
        })
    }

    /// Sets the size of the socket's receive buffer (`vrrp_netlink_monitor_rcv_bufs`,
    /// `lvs_netlink_monitor_rcv_bufs`).
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        request::set_buffer(&self.socket, wanted);
    }

    /// Listens to removals of routes and rules from now on, but for those by `own`, the port of the
    /// socket that this daemon changes them with.
    pub(super) fn follow_routing(&mut self, own: Option<u32>) {
        if self.routing.is_some() || own.is_none() {
            return;
        }
        self.routing = own;
        for group in ROUTING_GROUPS {
            if let Err(error) = self.socket.add_membership(group) {
                log::warn!(target: ident::VRRP, "Netlink: removals of routes and rules go unnoticed: {error}");
            }
        }
    }

    /// Lists everything that exists and tells the difference to what was known. Should the kernel
    /// drop messages meanwhile again and again, the rest is left to the next [`Monitor::read`].
    ///
    /// # Errors
    /// What the kernel says; the mirror is then what could be read.
    pub(super) fn list(&mut self, buffer: &mut [u8], out: &mut Vec<Change>) -> io::Result<()> {
        for _ in 0..LISTS {
            self.stale = false;
            // What waits is older than the list. Read later it would pass for newer.
            self.drain(usize::MAX, buffer, out)?;
            self.list_once(buffer, out)?;
            if !self.stale {
                break;
            }
        }
        Ok(())
    }

    /// A list during which something changes is marked as inconsistent, but the change itself
    /// arrives on this very socket, in its place in the order of things: nothing is missed.
    fn list_once(&mut self, buffer: &mut [u8], out: &mut Vec<Change>) -> io::Result<()> {
        let mut seen = Mirror::default();
        let mut payload = vec![0u8; LINK_HEADER];
        payload.extend_from_slice(&8u16.to_ne_bytes());
        payload.extend_from_slice(&IFLA_EXT_MASK.to_ne_bytes());
        payload.extend_from_slice(&RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        let links = Raw {
            kind: RTM_GETLINK,
            payload: &payload,
        };
        self.list_one(links, buffer, &mut seen, out)?;
        let addresses = Raw {
            kind: RTM_GETADDR,
            payload: &[0u8; ADDRESS_HEADER],
        };
        self.list_one(addresses, buffer, &mut seen, out)?;
        for change in self.mirror.missing_from(&seen) {
            self.mirror.take(change, out);
        }
        Ok(())
    }

    fn list_one(
        &mut self,
        raw: Raw<'_>,
        buffer: &mut [u8],
        seen: &mut Mirror,
        out: &mut Vec<Change>,
    ) -> io::Result<()> {
        self.sequence += 1;
        let sequence = self.sequence;
        let mut bytes = Vec::new();
        request::append(&mut bytes, raw, NLM_F_REQUEST | NLM_F_DUMP, sequence);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        let mut end = false;
        let mut scrap = Vec::new();
        while !end {
            let read = match self.receive(buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The list itself is complete, but not what happened since.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.stale = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (mirror, own) = (&mut self.mirror, self.routing);
            request::each_message(&buffer[..read], |message| {
                let ours = message.sequence_number() == sequence;
                match message.message_type() {
                    NLMSG_DONE | NLMSG_ERROR if ours => end = true,
                    _ => {
                        if let Some(change) = decode(message, own) {
                            // Also what arrives between: it is later than the list's view of it.
                            seen.take(change.clone(), &mut scrap);
                            scrap.clear();
                            mirror.take(change, out);
                        }
                    }
                }
            });
        }
        Ok(())
    }

    /// Reads what has been announced.
    ///
    /// # Errors
    /// Only what makes the socket useless.
    pub(super) fn read(&mut self, buffer: &mut [u8], out: &mut Vec<Change>) -> io::Result<Drained> {
        let drained = self.drain(BUDGET, buffer, out)?;
        if !self.stale {
            return Ok(drained);
        }
        log::warn!(target: ident::VRRP, "Netlink: the kernel dropped messages, listing links and addresses anew");
        self.list(buffer, out)?;
        if self.routing.is_some() {
            out.push(Change::RoutingUncertain);
        }
        // The list has read past what epoll announced.
        Ok(Drained::Rest)
    }

    /// Reads up to `budget` datagrams that are there.
    fn drain(
        &mut self,
        budget: usize,
        buffer: &mut [u8],
        out: &mut Vec<Change>,
    ) -> io::Result<Drained> {
        for _ in 0..budget {
            let read = match self.receive(buffer) {
                Ok(read) => read,
                Err(error) => match (error.kind(), error.raw_os_error()) {
                    (io::ErrorKind::WouldBlock, _) => return Ok(Drained::All),
                    (io::ErrorKind::Interrupted, _) => continue,
                    (_, Some(libc::ENOBUFS)) => {
                        self.stale = true;
                        continue;
                    }
                    _ => return Err(error),
                },
            };
            let (mirror, own) = (&mut self.mirror, self.routing);
            request::each_message(&buffer[..read], |message| {
                if let Some(change) = decode(message, own) {
                    mirror.take(change, out);
                }
            });
        }
        Ok(Drained::Rest)
    }

    fn receive(&self, mut buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(&mut buffer, 0)
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Mirror {
    /// What is known here and not in `other`, as changes that say it is gone.
    fn missing_from(&self, other: &Self) -> Vec<Change> {
        let addresses = self
            .addresses
            .iter()
            .filter(|(key, _)| !other.addresses.contains_key(key))
            .map(|(&(index, address, prefix_len), &(secondary, protocol))| {
                Change::Address(AddressChange {
                    index,
                    address,
                    prefix_len,
                    secondary,
                    protocol,
                    present: false,
                })
            });
        let links = self
            .links
            .iter()
            .filter(|(index, _)| !other.links.contains_key(index))
            .map(|(_, link)| {
                Change::Link(LinkChange {
                    state: None,
                    ..link.clone()
                })
            });
        addresses.chain(links).collect()
    }

    /// Notes a change and passes it on if it is one.
    fn take(&mut self, change: Change, out: &mut Vec<Change>) {
        let news = match &change {
            Change::Link(link) if link.state.is_none() => {
                // The kernel does not always say that the addresses went with the link.
                let index = link.index;
                self.addresses.retain(|key, _| key.0 != index);
                self.links.remove(&index).is_some()
            }
            Change::Link(link) => {
                self.links.insert(link.index, link.clone()).as_ref() != Some(link)
            }
            Change::RoutingGone(..) | Change::RoutingUncertain => true,
            Change::Address(address) => {
                let key = (address.index, address.address, address.prefix_len);
                if address.present {
                    let is = (address.secondary, address.protocol);
                    self.addresses.insert(key, is) != Some(is)
                } else {
                    self.addresses.remove(&key).is_some()
                }
            }
        };
        if news {
            out.push(change);
        }
    }
}

/// What a message says, if it concerns us. Only the attributes that we need are looked at, so that
/// a kernel with attributes of a newer kind is no trouble.
fn decode(message: &NetlinkBuffer<&[u8]>, own: Option<u32>) -> Option<Change> {
    let payload = message.payload();
    let foreign = own.is_some_and(|own| message.port_number() != own);
    let change = match message.message_type() {
        RTM_NEWLINK => decode_link(payload, true),
        RTM_DELLINK => decode_link(payload, false),
        RTM_NEWADDR => decode_address(payload, true),
        RTM_DELADDR => decode_address(payload, false),
        RTM_DELROUTE if foreign => return Some(Change::RoutingGone(Kind::Route, payload.to_vec())),
        RTM_DELRULE if foreign => return Some(Change::RoutingGone(Kind::Rule, payload.to_vec())),
        _ => return None,
    };
    change.unwrap_or_else(|| {
        log::debug!(target: ident::VRRP, "Netlink: skipping a message of type {} that cannot be read", message.message_type());
        None
    })
}

/// `None`: unreadable. `Some(None)`: not for us.
fn decode_link(payload: &[u8], present: bool) -> Option<Option<Change>> {
    let header = LinkHeader::parse(payload).ok()?;
    // A bridge tells of its ports by messages of its own family; "deleted" means "no longer a
    // port" there.
    if header.interface_family != AddressFamily::Unspec {
        return Some(None);
    }
    let index = IfIndex::new(header.index)?;
    let mut name = None;
    let mut mac = None;
    let mut mtu = 0;
    let mut forwards_v6 = false;
    let (mut master, mut in_vrf) = (None, false);
    for attribute in NlasIterator::new(payload.get(LINK_HEADER..)?).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => name = Some(text_of(value)),
            IFLA_ADDRESS if header.link_layer_type == LinkLayerType::Ether => {
                mac = value.first_chunk().copied().map(Mac);
            }
            IFLA_MTU => mtu = u32::from_ne_bytes(*value.first_chunk()?),
            IFLA_AF_SPEC => forwards_v6 = forwarding_v6(value),
            IFLA_MASTER => master = IfIndex::new(u32::from_ne_bytes(*value.first_chunk()?)),
            IFLA_LINKINFO => in_vrf = nested(value, IFLA_INFO_SLAVE_KIND) == Some(b"vrf\0"),
            _ => {}
        }
    }
    let state = present.then(|| LinkState {
        admin_up: header.flags.contains(LinkFlags::Up),
        running: header.flags.contains(LinkFlags::Running),
        loopback: header.flags.contains(LinkFlags::Loopback),
        mac,
        mtu,
        forwards_v6,
        vrf: master.filter(|_| in_vrf),
    });
    Some(Some(Change::Link(LinkChange {
        index,
        name: name?,
        state,
    })))
}

/// Whether the IPv6 settings of a link, as the kernel lists them, have forwarding on: the first of
/// them (`DEVCONF_FORWARDING`).
fn forwarding_v6(families: &[u8]) -> bool {
    let v6 = u16::from(u8::from(AddressFamily::Inet6));
    let settings = nested(families, v6).and_then(|v6| nested(v6, IFLA_INET6_CONF));
    settings
        .and_then(|settings| settings.first_chunk::<4>())
        .is_some_and(|forwarding| *forwarding != [0; 4])
}

/// The value of the attribute of that kind.
fn nested(attributes: &[u8], kind: u16) -> Option<&[u8]> {
    let (header, rest) = attributes.split_at_checked(4)?;
    let length = usize::from(u16::from_ne_bytes(*header.first_chunk()?));
    let this = u16::from_ne_bytes(*header.last_chunk()?) & NLA_TYPE_MASK;
    let value = rest.get(..length.checked_sub(4)?)?;
    if this == kind {
        return Some(value);
    }
    nested(attributes.get(length.next_multiple_of(4)..)?, kind)
}

fn decode_address(payload: &[u8], present: bool) -> Option<Option<Change>> {
    let header = AddressHeader::parse(payload).ok()?;
    let index = IfIndex::new(header.index)?;
    let v4 = match header.family {
        AddressFamily::Inet => true,
        AddressFamily::Inet6 => false,
        _ => return Some(None),
    };
    let mut address = None;
    let mut local = None;
    let mut flags = u32::from(header.flags.bits());
    let mut protocol = 0;
    for attribute in NlasIterator::new(payload.get(ADDRESS_HEADER..)?).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            IFA_ADDRESS => address = ip_of(value),
            IFA_LOCAL => local = ip_of(value),
            IFA_FLAGS => flags = u32::from_ne_bytes(*value.first_chunk()?),
            IFA_PROTO => protocol = *value.first()?,
            _ => {}
        }
    }
    Some(Some(Change::Address(AddressChange {
        index,
        // On a point-to-point link IFA_ADDRESS is the peer's.
        address: local.or(address)?,
        prefix_len: header.prefix_len,
        // For IPv6 the same bit says "temporary".
        secondary: v4 && flags & IFA_F_SECONDARY != 0,
        protocol,
        present,
    })))
}

fn text_of(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn ip_of(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(value).ok().map(IpAddr::from)
}

/// Adding or removing an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressOp<'a> {
    /// `RTM_NEWADDR`, which fails if it is there already.
    Add(&'a AddressSpec),
    /// `RTM_DELADDR`.
    Remove(&'a AddressSpec),
}

/// The socket that changes addresses.
#[derive(Debug)]
pub(super) struct Addresses(Requester);

impl Addresses {
    /// Sets the size of the socket's receive buffer (`vrrp_netlink_cmd_rcv_bufs`).
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        self.0.set_buffer(wanted);
    }

    /// Opens the socket.
    pub(super) fn open() -> io::Result<Self> {
        Requester::open(NETLINK_ROUTE).map(Self)
    }

    /// Carries out `ops` in order; returns the error number of each, 0 for success.
    pub(super) fn carry_out(&mut self, ops: &[AddressOp<'_>], buffer: &mut [u8]) -> Vec<i32> {
        self.0.batch(ops, buffer, |op, flags, sequence, out| {
            let (kind, more) = match op {
                AddressOp::Add(_) => (RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL),
                AddressOp::Remove(_) => (RTM_DELADDR, 0),
            };
            let payload = &encode(*op);
            request::append(out, Raw { kind, payload }, flags | more, sequence);
        })
    }
}

fn flags(more: &AddressTraits) -> AddressFlags {
    [
        (more.no_detection, AddressFlags::Nodad),
        (more.home, AddressFlags::Homeaddress),
        (more.manage_temporary, AddressFlags::Managetempaddr),
        (more.no_prefix_route, AddressFlags::Noprefixroute),
        (more.auto_join, AddressFlags::Mcautojoin),
    ]
    .into_iter()
    .filter_map(|(wanted, flag)| wanted.then_some(flag))
    .collect()
}

fn encode(op: AddressOp<'_>) -> Vec<u8> {
    let (AddressOp::Add(spec) | AddressOp::Remove(spec)) = op;
    let mut message = AddressMessage::default();
    message.header.family = match spec.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = spec.prefix_len;
    message.header.scope = AddressScope::from(spec.scope);
    message.header.index = spec.interface.get();
    let attributes = &mut message.attributes;
    attributes.push(AddressAttribute::Local(spec.address));
    // A removal names the address alone. The kernel would also compare a label and a prefix, and
    // somebody may have changed the label meanwhile.
    if let AddressOp::Add(_) = op {
        let ends = spec.more.peer.unwrap_or(spec.address);
        attributes.push(AddressAttribute::Address(ends));
        if let Some(broadcast) = spec.broadcast {
            attributes.push(AddressAttribute::Broadcast(broadcast));
        }
        if let Some(label) = &spec.label {
            attributes.push(AddressAttribute::Label(label.clone()));
        }
        let flags = flags(&spec.more);
        if !flags.is_empty() {
            attributes.push(AddressAttribute::Flags(flags));
        }
        if let Some(preferred) = spec.more.preferred {
            let mut lifetimes = CacheInfo::default();
            lifetimes.ifa_preferred = preferred;
            lifetimes.ifa_valid = u32::MAX;
            attributes.push(AddressAttribute::CacheInfo(lifetimes));
        }
        attributes.push(AddressAttribute::Protocol(PROTO_KEEPALIVED.into()));
    }
    request::bytes_of(&message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AddressSpec {
        AddressSpec {
            interface: IfIndex::new(2).unwrap(),
            address: "192.0.2.9".parse().unwrap(),
            prefix_len: 24,
            scope: 0,
            broadcast: Some("192.0.2.255".parse().unwrap()),
            label: Some("eth0:1".to_owned()),
            more: AddressTraits::default(),
        }
    }

    // Input: an address with everything. Output: the bytes that `ip addr add 192.0.2.9/24 brd
    // 192.0.2.255 label eth0:1 proto 18 dev #2` sends after its header, in keepalived's order.
    #[test]
    #[cfg(target_endian = "little")]
    fn an_added_address_is_encoded_with_label_broadcast_and_protocol() {
        let bytes = encode(AddressOp::Add(&spec()));
        let mut expected = vec![2, 24, 0, 0, 2, 0, 0, 0];
        expected.extend([8, 0, 2, 0, 192, 0, 2, 9]);
        expected.extend([8, 0, 1, 0, 192, 0, 2, 9]);
        expected.extend([8, 0, 4, 0, 192, 0, 2, 255]);
        expected.extend([11, 0, 3, 0]);
        expected.extend(b"eth0:1\0\0");
        expected.extend([5, 0, 11, 0, 18, 0, 0, 0]);
        assert_eq!(bytes, expected);
        assert_eq!(encode(AddressOp::Remove(&spec())).len(), 16);
    }

    fn link(up: bool) -> Change {
        Change::Link(LinkChange {
            index: IfIndex::new(2).unwrap(),
            name: "eth0".to_owned(),
            state: Some(LinkState {
                admin_up: up,
                running: up,
                loopback: false,
                mac: None,
                mtu: 1500,
                forwards_v6: false,
                vrf: None,
            }),
        })
    }

    fn address(present: bool) -> Change {
        Change::Address(AddressChange {
            index: IfIndex::new(2).unwrap(),
            address: "192.0.2.9".parse().unwrap(),
            prefix_len: 24,
            secondary: false,
            protocol: 0,
            present,
        })
    }

    // Input: the same facts twice, then a change, then a removal twice. Output: each change once.
    #[test]
    fn the_mirror_passes_on_changes_only() {
        let mut mirror = Mirror::default();
        let mut out = Vec::new();
        for change in [
            link(true),
            link(true),
            address(true),
            address(true),
            link(false),
        ] {
            mirror.take(change, &mut out);
        }
        assert_eq!(out, [link(true), address(true), link(false)]);
        out.clear();
        for change in [address(false), address(false)] {
            mirror.take(change, &mut out);
        }
        assert_eq!(out, [address(false)]);
    }

    // Input: two links with an address each, of which the list has one. Output: the other's address
    // is gone, then the link.
    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let mut known = Mirror::default();
        let mut listed = Mirror::default();
        let mut out = Vec::new();
        for change in [link(true), address(true)] {
            known.take(change, &mut out);
        }
        assert_eq!(
            known.missing_from(&listed),
            [
                address(false),
                Change::Link(LinkChange {
                    index: IfIndex::new(2).unwrap(),
                    name: "eth0".to_owned(),
                    state: None,
                })
            ]
        );
        listed.take(link(true), &mut out);
        listed.take(address(true), &mut out);
        assert_eq!(known.missing_from(&listed), []);
    }

    // The loopback link of this machine, whatever else it has.
    #[test]
    fn listing_tells_of_the_loopback_link_once() {
        let mut monitor = Monitor::open().unwrap();
        let mut buffer = vec![0; 65536];
        let mut out = Vec::new();
        monitor.list(&mut buffer, &mut out).unwrap();
        let loopbacks = out
            .iter()
            .filter(|change| matches!(change, Change::Link(link) if link.name == "lo" && link.state.is_some_and(|state| state.loopback)))
            .count();
        assert_eq!(loopbacks, 1);
        let mut again = Vec::new();
        monitor.list(&mut buffer, &mut again).unwrap();
        assert_eq!(again, []);
    }

    #[test]
    fn a_message_of_a_bridge_about_its_port_is_not_for_us() {
        let mut payload = [0u8; 16];
        payload[0] = 7; // AF_BRIDGE
        payload[4] = 2;
        assert_eq!(decode_link(&payload, false), Some(None));
        assert_eq!(decode_link(&payload[..9], false), None);
    }
}

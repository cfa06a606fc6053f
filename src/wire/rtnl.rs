//! Routes and policy rules as netlink messages (`struct rtmsg`, `struct fib_rule_hdr`).
//!
//! Owns: headers, attributes and their byte order (all in that of the host but for addresses, MPLS
//! labels and tunnel ids), what of a message identifies the object, and whether a message of the
//! kernel tells of it. Never does: know what an object is for. Driven by: the VRRP domain, which
//! fills messages in; `host` and the domain, which recognise them again.
//!
//! ```text
//!  0        8        16       24      32
//!  | family | dst len| src len|  tos   |     rtmsg
//!  | table  |protocol| scope  |  type  |     fib_rule_hdr: table, 0, 0, action
//!  |              flags                |
//!  | attributes: length, kind, value, padded to 4 bytes ...
//! ```

use std::net::IpAddr;

use crate::base::Family;

/// Bytes before the attributes.
const HEADER: usize = 12;
const NESTED: u16 = 1 << 15;
const KIND_MASK: u16 = 0x3fff;
/// `RT_TABLE_COMPAT`: the table's number is in an attribute.
const TABLE_IN_ATTRIBUTE: u8 = 252;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A route.
    Route,
    /// A policy rule.
    Rule,
}

/// `RTA_*` of a route.
pub mod route {
    #![allow(missing_docs)]
    pub const DST: u16 = 1;
    pub const SRC: u16 = 2;
    pub const OIF: u16 = 4;
    pub const GATEWAY: u16 = 5;
    pub const PRIORITY: u16 = 6;
    pub const PREFSRC: u16 = 7;
    pub const METRICS: u16 = 8;
    pub const MULTIPATH: u16 = 9;
    pub const FLOW: u16 = 11;
    pub const TABLE: u16 = 15;
    pub const VIA: u16 = 18;
    pub const PREF: u16 = 20;
    pub const ENCAP_TYPE: u16 = 21;
    pub const ENCAP: u16 = 22;
    pub const EXPIRES: u16 = 23;
    pub const TTL_PROPAGATE: u16 = 26;
    /// `RTNH_F_ONLINK`
    pub const ON_LINK: u8 = 4;
}

/// `FRA_*` of a rule.
pub mod rule {
    #![allow(missing_docs)]
    pub const DST: u16 = 1;
    pub const SRC: u16 = 2;
    pub const IIFNAME: u16 = 3;
    pub const GOTO: u16 = 4;
    pub const PRIORITY: u16 = 6;
    pub const FWMARK: u16 = 10;
    pub const FLOW: u16 = 11;
    pub const TUN_ID: u16 = 12;
    pub const SUPPRESS_IFGROUP: u16 = 13;
    pub const SUPPRESS_PREFIXLEN: u16 = 14;
    pub const TABLE: u16 = 15;
    pub const FWMASK: u16 = 16;
    pub const OIFNAME: u16 = 17;
    pub const L3MDEV: u16 = 19;
    pub const UID_RANGE: u16 = 20;
    pub const PROTOCOL: u16 = 21;
    pub const IP_PROTO: u16 = 22;
    pub const SPORT_RANGE: u16 = 23;
    pub const DPORT_RANGE: u16 = 24;
    /// `FIB_RULE_INVERT`
    pub const INVERT: u32 = 2;
}

/// The attributes of a route that say which one it is; the others say what it is like.
const IDENTITY: [u16; 8] = [
    route::DST,
    route::SRC,
    route::OIF,
    route::GATEWAY,
    route::VIA,
    route::PRIORITY,
    route::PREFSRC,
    route::TABLE,
];

/// The fields before the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Of the object.
    pub family: Family,
    /// Bits of the destination.
    pub destination_len: u8,
    /// Bits of the source.
    pub source_len: u8,
    /// Type of service.
    pub tos: u8,
    /// The table.
    pub table: u32,
    /// Who made it; routes only, rules have an attribute.
    pub protocol: u8,
    /// Routes only.
    pub scope: u8,
    /// Type of the route, or action of the rule.
    pub kind: u8,
    /// `RTNH_F_*` or `FIB_RULE_*`.
    pub flags: u32,
}

/// A message, or the value of a nested attribute, under construction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A message with this header and its table's number as an attribute.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let family = match header.family {
            Family::V4 => 2,
            Family::V6 => 10,
        };
        let table = u8::try_from(header.table).unwrap_or(TABLE_IN_ATTRIBUTE);
        let mut bytes = vec![
            family,
            header.destination_len,
            header.source_len,
            header.tos,
            table,
            header.protocol,
            header.scope,
            header.kind,
        ];
        bytes.extend(header.flags.to_ne_bytes());
        let mut writer = Self(bytes);
        if header.table != 0 {
            writer.u32(route::TABLE, header.table);
        }
        writer
    }

    /// Its bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Appends an attribute.
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Appends a byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    /// Appends a number in the byte order of the host.
    pub fn u16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Appends a number in the byte order of the host.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Appends two numbers in the byte order of the host.
    pub fn u32_pair(&mut self, kind: u16, (a, b): (u32, u32)) {
        self.put(kind, &[a.to_ne_bytes(), b.to_ne_bytes()].concat());
    }

    /// Appends two numbers in the byte order of the host.
    pub fn u16_pair(&mut self, kind: u16, (a, b): (u16, u16)) {
        self.put(kind, &[a.to_ne_bytes(), b.to_ne_bytes()].concat());
    }

    /// Appends a number in network byte order.
    pub fn u16_be(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Appends a number in network byte order.
    pub fn u64_be(&mut self, kind: u16, value: u64) {
        self.put(kind, &value.to_be_bytes());
    }

    /// Appends an address.
    pub fn address(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.put(kind, &v4.octets()),
            IpAddr::V6(v6) => self.put(kind, &v6.octets()),
        }
    }

    /// Appends a gateway (`RTA_GATEWAY`), or where it is of another family than the route, with
    /// its family (`RTA_VIA`).
    pub fn gateway(&mut self, family: Family, gateway: IpAddr) {
        if Family::of(gateway) == family {
            return self.address(route::GATEWAY, gateway);
        }
        let mut value = match gateway {
            IpAddr::V4(_) => 2u16,
            IpAddr::V6(_) => 10u16,
        }
        .to_ne_bytes()
        .to_vec();
        match gateway {
            IpAddr::V4(v4) => value.extend(v4.octets()),
            IpAddr::V6(v6) => value.extend(v6.octets()),
        }
        self.put(route::VIA, &value);
    }

    /// Appends a text with the zero at its end.
    pub fn text(&mut self, kind: u16, text: &str) {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.put(kind, &value);
    }

    /// Appends a stack of MPLS labels (RFC 3032 §2.1), the outermost first.
    pub fn labels(&mut self, kind: u16, labels: &[u32]) {
        let entry = |(place, label): (usize, &u32)| {
            let bottom = u32::from(place + 1 == labels.len()) << 8;
            (label << 12 | bottom).to_be_bytes()
        };
        let stack: Vec<[u8; 4]> = labels.iter().enumerate().map(entry).collect();
        self.put(kind, &stack.concat());
    }

    /// Appends an attribute that is made of others.
    pub fn nest(&mut self, kind: u16, inner: &Self) {
        self.put(kind | NESTED, &inner.0);
    }

    /// Appends a next hop to the value of `RTA_MULTIPATH`: `hops` is its weight less one.
    pub fn next_hop(&mut self, flags: u8, hops: u8, interface: u32, inner: &Self) {
        let length = u16::try_from(inner.0.len() + 8).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend([flags, hops]);
        self.0.extend(interface.to_ne_bytes());
        self.0.extend(&inner.0);
    }
}

/// The attributes of a message; stops at the first that is none.
fn attributes(message: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = message.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, _) = rest.split_at_checked(4)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & KIND_MASK;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// What of a message says which object it is about, as it is asked to be removed with.
#[must_use]
pub fn identity(kind: Kind, message: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Rule => message.to_vec(),
        Kind::Route => {
            let mut writer = Writer(message.get(..HEADER).unwrap_or_default().to_vec());
            for (kind, value) in attributes(message) {
                if IDENTITY.contains(&kind) {
                    writer.put(kind, value);
                }
            }
            writer.finish()
        }
    }
}

/// Whether `told`, of the kernel, is about the object of `message`: what that names is the same
/// there. The kernel adds what it has chosen itself.
#[must_use]
pub fn is_about(kind: Kind, told: &[u8], message: &[u8]) -> bool {
    let (Some(theirs), Some(ours)) = (
        told.first_chunk::<HEADER>(),
        message.first_chunk::<HEADER>(),
    ) else {
        return false;
    };
    // The rest of the header: the table is an attribute; scope and flags are the kernel's to change.
    let fields: &[usize] = match kind {
        Kind::Route => &[0, 1, 2, 3, 5, 7],
        Kind::Rule => &[0, 1, 2, 3, 7],
    };
    let own = match kind {
        Kind::Route => |attribute: u16| IDENTITY.contains(&attribute),
        Kind::Rule => |_: u16| true,
    };
    fields.iter().all(|&at| theirs[at] == ours[at])
        && attributes(message)
            .filter(|(attribute, _)| own(*attribute))
            .all(|(attribute, value)| attributes(told).any(|there| there == (attribute, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route() -> Vec<u8> {
        let mut writer = Writer::new(&Header {
            family: Family::V4,
            destination_len: 24,
            source_len: 0,
            tos: 0,
            table: 1000,
            protocol: 18,
            scope: 0,
            kind: 1,
            flags: 0,
        });
        writer.address(route::DST, [192, 0, 2, 0].into());
        writer.u32(route::OIF, 2);
        let mut metrics = Writer::default();
        metrics.u32(2, 1400);
        writer.nest(route::METRICS, &metrics);
        writer.finish()
    }

    // Input: 192.0.2.0/24 dev #2 table 1000 mtu 1400. Output: the bytes that `ip route add` sends
    // for it, after its message header.
    #[test]
    #[cfg(target_endian = "little")]
    fn a_route_is_written_as_ip_does() {
        let mut expected = vec![2, 24, 0, 0, 252, 18, 0, 1, 0, 0, 0, 0];
        expected.extend([8, 0, 15, 0, 0xe8, 3, 0, 0]);
        expected.extend([8, 0, 1, 0, 192, 0, 2, 0]);
        expected.extend([8, 0, 4, 0, 2, 0, 0, 0]);
        expected.extend([12, 0, 8, 0x80, 8, 0, 2, 0, 0x78, 5, 0, 0]);
        assert_eq!(route(), expected);
        assert_eq!(identity(Kind::Route, &route()), expected[..36]);
    }

    // Input: what the kernel tells of the route, with a metric of its own; of another table; cut.
    #[test]
    fn the_kernel_s_message_of_a_route_is_recognised() {
        let mut told = route();
        told[6] = 253;
        let mut writer = Writer(told.clone());
        writer.u32(route::PRIORITY, 1024);
        assert!(is_about(Kind::Route, &writer.finish(), &route()));
        told[16] = 7;
        assert!(!is_about(Kind::Route, &told, &route()));
        for end in 0..route().len() - 12 {
            assert!(!is_about(Kind::Route, &route()[..end], &route()));
        }
    }

    #[test]
    fn labels_end_with_the_bottom_of_the_stack() {
        let mut writer = Writer::default();
        writer.labels(1, &[100, 200]);
        assert_eq!(
            writer.finish()[4..],
            [0x00, 0x06, 0x40, 0x00, 0x00, 0x0c, 0x81, 0x00]
        );
    }
}

//! Attributes of the `IPVS` family.
//!
//! Owns: number, length and byte order of each. Ports are big-endian; an IPv4 client mask is a
//! big-endian address while an IPv6 one is a prefix length in the byte order of the host; all
//! other numbers are in the byte order of the host. An address takes 16 bytes in either family,
//! IPv4 in the first four.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{
    DecodeError, NLA_F_NESTED, NLA_TYPE_MASK, Nla, emit_u16, emit_u16_be, emit_u32, parse_string,
    parse_u8, parse_u16, parse_u16_be, parse_u32,
};

use crate::base::Family;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

const SERVICE_FAMILY: u16 = 1;
const SERVICE_PROTOCOL: u16 = 2;
const SERVICE_ADDRESS: u16 = 3;
const SERVICE_PORT: u16 = 4;
const SERVICE_MARK: u16 = 5;
const SERVICE_SCHEDULER: u16 = 6;
const SERVICE_FLAGS: u16 = 7;
const SERVICE_TIMEOUT: u16 = 8;
const SERVICE_NETMASK: u16 = 9;
const SERVICE_ENGINE: u16 = 11;

const DEST_ADDRESS: u16 = 1;
const DEST_PORT: u16 = 2;
const DEST_FORWARD: u16 = 3;
const DEST_WEIGHT: u16 = 4;
const DEST_UPPER_THRESHOLD: u16 = 5;
const DEST_LOWER_THRESHOLD: u16 = 6;
const DEST_FAMILY: u16 = 11;
const DEST_TUNNEL_KIND: u16 = 13;
const DEST_TUNNEL_PORT: u16 = 14;
const DEST_TUNNEL_FLAGS: u16 = 15;

/// `union nf_inet_addr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address([u8; 16]);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Self([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl Address {
    pub(super) fn of_family(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => {
                let [a, b, c, d, ..] = self.0;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::V6 => IpAddr::V6(Ipv6Addr::from(self.0)),
        }
    }

    /// The family that an address of unstated family has.
    pub(super) fn likely_family(self) -> Family {
        let [_, _, _, _, rest @ ..] = self.0;
        if rest == [0; 12] {
            Family::V4
        } else {
            Family::V6
        }
    }
}

/// `AF_INET` or `AF_INET6`.
pub(super) const fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

/// The family of that number, if it is one of the two.
pub(super) const fn family(number: u16) -> Option<Family> {
    match number {
        AF_INET => Some(Family::V4),
        AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

/// The four bytes that say that clients of a common prefix count as one.
pub(super) fn netmask(family: Family, prefix: u8) -> [u8; 4] {
    match family {
        Family::V4 => {
            let host_bits = 32_u32.saturating_sub(u32::from(prefix));
            u32::MAX.checked_shl(host_bits).unwrap_or(0).to_be_bytes()
        }
        Family::V6 => u32::from(prefix).to_ne_bytes(),
    }
}

/// The prefix length of such four bytes, 0 if it cannot be said.
pub(super) fn prefix(family: Family, raw: [u8; 4]) -> u8 {
    match family {
        Family::V4 => {
            let mask = u32::from_be_bytes(raw);
            let length = mask.leading_ones();
            if mask.count_ones() == length {
                u8::try_from(length).unwrap_or(0)
            } else {
                0
            }
        }
        Family::V6 => u8::try_from(u32::from_ne_bytes(raw))
            .ok()
            .filter(|&length| length <= 128)
            .unwrap_or(0),
    }
}

/// Attributes of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServiceAttr {
    Family(u16),
    Protocol(u16),
    Address(Address),
    Port(u16),
    Mark(u32),
    Scheduler(String),
    Engine(String),
    Flags { value: u32, mask: u32 },
    Timeout(u32),
    Netmask([u8; 4]),
}

/// Attributes of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DestinationAttr {
    Address(Address),
    Port(u16),
    Forward(u32),
    Weight(u32),
    UpperThreshold(u32),
    LowerThreshold(u32),
    Family(u16),
    TunnelKind(u8),
    TunnelPort(u16),
    TunnelFlags(u16),
}

impl Nla for ServiceAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::Family(_) | Self::Protocol(_) | Self::Port(_) => 2,
            Self::Mark(_) | Self::Timeout(_) | Self::Netmask(_) => 4,
            Self::Flags { .. } => 8,
            Self::Address(_) => 16,
            Self::Scheduler(name) | Self::Engine(name) => name.len() + 1,
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Family(_) => SERVICE_FAMILY,
            Self::Protocol(_) => SERVICE_PROTOCOL,
            Self::Address(_) => SERVICE_ADDRESS,
            Self::Port(_) => SERVICE_PORT,
            Self::Mark(_) => SERVICE_MARK,
            Self::Scheduler(_) => SERVICE_SCHEDULER,
            Self::Engine(_) => SERVICE_ENGINE,
            Self::Flags { .. } => SERVICE_FLAGS,
            Self::Timeout(_) => SERVICE_TIMEOUT,
            Self::Netmask(_) => SERVICE_NETMASK,
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Family(number) | Self::Protocol(number) => put_u16(buffer, *number),
            Self::Port(number) => put_u16_be(buffer, *number),
            Self::Mark(number) | Self::Timeout(number) => put_u32(buffer, *number),
            Self::Netmask(raw) => buffer.copy_from_slice(raw),
            Self::Address(Address(raw)) => buffer.copy_from_slice(raw),
            Self::Flags { value, mask } => {
                let (first, second) = buffer.split_at_mut(4);
                put_u32(first, *value);
                put_u32(second, *mask);
            }
            Self::Scheduler(name) | Self::Engine(name) => {
                let (text, nul) = buffer.split_at_mut(name.len());
                text.copy_from_slice(name.as_bytes());
                nul.fill(0);
            }
        }
    }
}

impl ServiceAttr {
    /// The attribute, `None` if it is none that we read.
    pub(super) fn parse(kind: u16, value: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            SERVICE_FAMILY => Self::Family(parse_u16(value)?),
            SERVICE_PROTOCOL => Self::Protocol(parse_u16(value)?),
            SERVICE_ADDRESS => Self::Address(parse_address(value)?),
            SERVICE_PORT => Self::Port(parse_u16_be(value)?),
            SERVICE_MARK => Self::Mark(parse_u32(value)?),
            SERVICE_SCHEDULER => Self::Scheduler(parse_string(value)?),
            SERVICE_ENGINE => Self::Engine(parse_string(value)?),
            SERVICE_FLAGS => {
                let (flags, mask) = value
                    .split_at_checked(4)
                    .ok_or_else(|| DecodeError::from("IPVS flags are too short"))?;
                Self::Flags {
                    value: parse_u32(flags)?,
                    mask: parse_u32(mask)?,
                }
            }
            SERVICE_TIMEOUT => Self::Timeout(parse_u32(value)?),
            SERVICE_NETMASK => Self::Netmask(parse_array(value)?),
            _ => return Ok(None),
        }))
    }
}

impl Nla for DestinationAttr {
    fn value_len(&self) -> usize {
        match self {
            Self::TunnelKind(_) => 1,
            Self::Port(_) | Self::Family(_) | Self::TunnelPort(_) | Self::TunnelFlags(_) => 2,
            Self::Forward(_)
            | Self::Weight(_)
            | Self::UpperThreshold(_)
            | Self::LowerThreshold(_) => 4,
            Self::Address(_) => 16,
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Address(_) => DEST_ADDRESS,
            Self::Port(_) => DEST_PORT,
            Self::Forward(_) => DEST_FORWARD,
            Self::Weight(_) => DEST_WEIGHT,
            Self::UpperThreshold(_) => DEST_UPPER_THRESHOLD,
            Self::LowerThreshold(_) => DEST_LOWER_THRESHOLD,
            Self::Family(_) => DEST_FAMILY,
            Self::TunnelKind(_) => DEST_TUNNEL_KIND,
            Self::TunnelPort(_) => DEST_TUNNEL_PORT,
            Self::TunnelFlags(_) => DEST_TUNNEL_FLAGS,
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Address(Address(raw)) => buffer.copy_from_slice(raw),
            Self::Port(number) | Self::TunnelPort(number) => put_u16_be(buffer, *number),
            Self::Family(number) | Self::TunnelFlags(number) => put_u16(buffer, *number),
            Self::TunnelKind(number) => buffer.fill(*number),
            Self::Forward(number)
            | Self::Weight(number)
            | Self::UpperThreshold(number)
            | Self::LowerThreshold(number) => put_u32(buffer, *number),
        }
    }
}

impl DestinationAttr {
    /// The attribute, `None` if it is none that we read.
    pub(super) fn parse(kind: u16, value: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            DEST_ADDRESS => Self::Address(parse_address(value)?),
            DEST_PORT => Self::Port(parse_u16_be(value)?),
            DEST_FORWARD => Self::Forward(parse_u32(value)?),
            DEST_WEIGHT => Self::Weight(parse_u32(value)?),
            DEST_UPPER_THRESHOLD => Self::UpperThreshold(parse_u32(value)?),
            DEST_LOWER_THRESHOLD => Self::LowerThreshold(parse_u32(value)?),
            DEST_FAMILY => Self::Family(parse_u16(value)?),
            DEST_TUNNEL_KIND => Self::TunnelKind(parse_u8(value)?),
            DEST_TUNNEL_PORT => Self::TunnelPort(parse_u16_be(value)?),
            DEST_TUNNEL_FLAGS => Self::TunnelFlags(parse_u16(value)?),
            _ => return Ok(None),
        }))
    }
}

/// Length of the head of an attribute.
const HEAD: usize = 4;

/// The kinds and values of attributes that stand one behind the other, as far as they are whole. A
/// look at the table goes through some ten thousand of them, most of which are statistics that
/// nobody here reads.
pub(super) fn each(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let &[low, high, kind_low, kind_high, ..] = rest else {
            return None;
        };
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let kind = u16::from_ne_bytes([kind_low, kind_high]) & NLA_TYPE_MASK;
        let value = rest.get(HEAD..length)?;
        rest = rest
            .get(length.next_multiple_of(HEAD)..)
            .unwrap_or_default();
        Some((kind, value))
    })
}

/// Appends an attribute.
#[inline]
pub(super) fn put(attribute: &impl Nla, out: &mut Vec<u8>) {
    let length = attribute.value_len();
    // No attribute of this family comes near 64 KiB.
    let whole = u16::try_from(HEAD + length).unwrap_or(u16::MAX);
    out.extend(whole.to_ne_bytes());
    out.extend(attribute.kind().to_ne_bytes());
    let begin = out.len();
    out.resize(begin + length.next_multiple_of(HEAD), 0);
    if let Some(value) = out.get_mut(begin..begin + length) {
        attribute.emit_value(value);
    }
}

/// Appends attributes one behind the other.
pub(super) fn put_all<A: Nla>(attributes: &[A], out: &mut Vec<u8>) {
    for attribute in attributes {
        put(attribute, out);
    }
}

/// Appends an attribute of this kind that holds those which `fill` appends.
#[inline]
pub(super) fn nest(kind: u16, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend([0; 2]);
    out.extend((kind | NLA_F_NESTED).to_ne_bytes());
    fill(out);
    let length = u16::try_from(out.len() - begin).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(begin..begin + 2) {
        place.copy_from_slice(&length.to_ne_bytes());
    }
}

/// The buffers of these are cut by `value_len`, so they have the length of the number.
fn put_u16(buffer: &mut [u8], number: u16) {
    let done = emit_u16(buffer, number);
    debug_assert!(done.is_ok(), "{} bytes for a u16", buffer.len());
}

fn put_u16_be(buffer: &mut [u8], number: u16) {
    let done = emit_u16_be(buffer, number);
    debug_assert!(done.is_ok(), "{} bytes for a u16", buffer.len());
}

fn put_u32(buffer: &mut [u8], number: u32) {
    let done = emit_u32(buffer, number);
    debug_assert!(done.is_ok(), "{} bytes for a u32", buffer.len());
}

fn parse_array<const N: usize>(value: &[u8]) -> Result<[u8; N], DecodeError> {
    value
        .try_into()
        .map_err(|_| DecodeError::from(format!("{} bytes instead of {N}", value.len())))
}

fn parse_address(value: &[u8]) -> Result<Address, DecodeError> {
    parse_array(value).map(Address)
}

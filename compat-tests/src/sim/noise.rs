//! Packets that nobody may act upon.
//!
//! Owns: adverts with exactly one thing wrong, each of which RFC 3768 §7.1 or RFC 9568 §7.1 has a
//! receiver discard. Never does: send what would be a legitimate rival. Driven by: `random`, at
//! any time, also in the calm: noise is no excuse for a transition.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_rs::base::{Duration, Family};
use keepalived_rs::conf::model::options::Version;
use keepalived_rs::conf::model::{Transport, VrrpInstance};

use super::shadow::{advertised, auth, version};
use super::wire::{self, Advert};

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It came through a router (TTL below 255).
    Ttl,
    /// The VRRP checksum.
    Checksum,
    /// The password, or that there is one.
    Password,
    /// The other version.
    Version,
    /// Not an advertisement.
    Type,
    /// The advertisement interval: another one, in version 3 none.
    Interval,
    /// A virtual router id that nobody has.
    Vrid,
    /// It ends too early.
    Short,
    /// It is empty after the IP header.
    Empty,
    /// It has more addresses than bytes.
    Count,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 10] = [
        Self::Ttl,
        Self::Checksum,
        Self::Password,
        Self::Version,
        Self::Type,
        Self::Interval,
        Self::Vrid,
        Self::Short,
        Self::Empty,
        Self::Count,
    ];

    /// Whether it is one to `instance`: version 3 knows no password, and a unicast advert may come
    /// through routers.
    #[must_use]
    pub const fn concerns(self, instance: &VrrpInstance) -> bool {
        match self {
            Self::Ttl => matches!(instance.transport, Transport::Multicast(_)),
            Self::Password => matches!(instance.version, Version::V2),
            Self::Checksum
            | Self::Version
            | Self::Type
            | Self::Interval
            | Self::Vrid
            | Self::Short
            | Self::Empty
            | Self::Count => true,
        }
    }
}

/// An advert that would win, or resign, against `instance`, but for one flaw; with unicast it is
/// for the host of the address `unicast`.
#[must_use]
pub fn packet(instance: &VrrpInstance, unicast: IpAddr, priority: u8, flaw: Flaw) -> Vec<u8> {
    let to = match instance.transport {
        Transport::Multicast(group) => group,
        Transport::Unicast => unicast,
    };
    let source = match Family::of(to) {
        Family::V4 => Ipv4Addr::new(192, 0, 2, 254).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0xff, 0, 0, 0xfe).into(),
    };
    let mut advert = Advert {
        ends: (source, to),
        version: version(instance),
        vrid: instance.vrid.get(),
        priority,
        interval: instance.advert_interval,
        auth: auth(instance),
        addresses: advertised(instance),
    };
    match flaw {
        Flaw::Password => advert.auth = (1, *b"wrong\0\0\0"),
        Flaw::Interval if instance.version == Version::V3 => advert.interval = Duration::ZERO,
        Flaw::Interval => advert.interval += Duration::from_secs(1),
        Flaw::Vrid => advert.vrid = 250,
        Flaw::Ttl
        | Flaw::Checksum
        | Flaw::Version
        | Flaw::Type
        | Flaw::Short
        | Flaw::Empty
        | Flaw::Count => {}
    }
    let mut bytes = advert.write();
    let message = wire::message_at(&bytes);
    match flaw {
        Flaw::Ttl => bytes[if message == 40 { 7 } else { 8 }] = 64,
        Flaw::Checksum => bytes[message + 6] ^= 0x10,
        Flaw::Version => bytes[message] ^= 0x10,
        Flaw::Type => bytes[message] ^= 0x03,
        Flaw::Short => bytes.truncate(bytes.len() - 5),
        Flaw::Empty => bytes.truncate(message),
        Flaw::Count => bytes[message + 3] = 200,
        Flaw::Password | Flaw::Interval | Flaw::Vrid => {}
    }
    if message == 40 {
        let length = u16::try_from(bytes.len() - message).unwrap_or(0);
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
    }
    if flaw != Flaw::Checksum {
        wire::seal(&mut bytes);
    }
    wire::complete_ip_header(&mut bytes, None, 1);
    bytes
}

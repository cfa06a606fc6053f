//! Packets that nobody may act upon.
//!
//! Owns: adverts with exactly one thing wrong, each of which RFC 3768 §7.1 has a receiver discard.
//! Never does: send what would be a legitimate rival. Driven by: `random`, at any time, also in
//! the calm: noise is no excuse for a transition.

use std::net::Ipv4Addr;

use keepalived_rs::conf::model::VrrpInstance;

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
    /// Version 3.
    Version,
    /// Not an advertisement.
    Type,
    /// The advertisement interval.
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
}

/// An advert that would win, or resign, against `instance`, but for one flaw.
#[must_use]
pub fn packet(instance: &VrrpInstance, priority: u8, flaw: Flaw) -> Vec<u8> {
    let auth = instance.auth.map_or((0, [0; 8]), |pass| (1, pass.0));
    let mut advert = Advert {
        source: Ipv4Addr::new(192, 0, 2, 254),
        vrid: instance.vrid.get(),
        priority,
        interval: u8::try_from(instance.advert_interval.as_secs()).unwrap_or(u8::MAX),
        auth,
        addresses: super::shadow::addresses_v4(instance),
    };
    match flaw {
        Flaw::Password => advert.auth = (1, *b"wrong\0\0\0"),
        Flaw::Interval => advert.interval += 1,
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
    match flaw {
        Flaw::Ttl => bytes[8] = 64,
        Flaw::Checksum => bytes[26] ^= 0x10,
        Flaw::Version => bytes[20] = 0x31,
        Flaw::Type => bytes[20] = 0x22,
        Flaw::Short => bytes.truncate(bytes.len() - 5),
        Flaw::Empty => bytes.truncate(20),
        Flaw::Count => bytes[23] = 200,
        Flaw::Password | Flaw::Interval | Flaw::Vrid => {}
    }
    if flaw != Flaw::Checksum {
        wire::seal(&mut bytes);
    }
    wire::complete_ip_header(&mut bytes, None, 1);
    bytes
}

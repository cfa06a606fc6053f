//! Sending adverts.
//!
//! Owns: the packet, built from current state each time one is sent, and its identification.
//! Never does: decide when. Driven by: `instance`.

use std::net::{IpAddr, Ipv4Addr};

use super::instance::{Cx, Instance, Timer};
use crate::base::{Duration, Instant};
use crate::conf::model::{Priority, VrrpInstance};
use crate::ops::{Effect, Frame};
use crate::wire::ip::{self, Ipv4};
use crate::wire::vrrp::{AdvertV2, advert_v2_len, write_advert_v2};

/// How many addresses an advert can name: what its count can tell and what fits in a packet of
/// `mtu` bytes.
pub(super) fn room(mtu: u32) -> usize {
    let bytes = usize::try_from(mtu).unwrap_or(usize::MAX);
    let fixed = ip::IPV4_HEADER_LEN + advert_v2_len(0);
    (bytes.saturating_sub(fixed) / 4).min(usize::from(u8::MAX))
}

/// The addresses of `config` that an advert names, in the order of the file.
pub(super) fn advertised(config: &VrrpInstance, mtu: u32) -> Vec<Ipv4Addr> {
    let addresses = config.addresses.iter();
    addresses
        .filter_map(|vip| match vip.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .take(room(mtu))
        .collect()
}

impl Instance {
    /// The advert with `priority`, IP header first; `None` without a source address.
    fn advert(&mut self, priority: Priority) -> Option<Vec<u8>> {
        let source = self.source?;
        // With 0 the kernel would choose an identification of its own (raw(7), IP_HDRINCL).
        self.ip_id = self.ip_id.checked_add(1).unwrap_or(1);
        let len = advert_v2_len(self.advertised.len());
        let mut packet = Vec::with_capacity(ip::IPV4_HEADER_LEN + len);
        let header = Ipv4 {
            source,
            destination: ip::VRRP_GROUP_V4,
            identification: self.ip_id,
            ttl: 255,
            protocol: ip::PROTOCOL_VRRP,
        };
        ip::write_ipv4(&header, len, &mut packet);
        let advert = AdvertV2 {
            vrid: self.config.vrid.get(),
            priority: priority.0,
            interval_secs: u8::try_from(self.config.advert_interval.as_secs()).unwrap_or(u8::MAX),
            auth: self.config.auth.map(|auth| auth.0),
            addresses: &self.advertised,
        };
        write_advert_v2(&advert, &mut packet);
        Some(packet)
    }

    /// Sends an advert now; returns whether there was a way to.
    pub(super) fn send_advert(&mut self, cx: &mut Cx<'_>, priority: Priority) -> bool {
        let Some(socket) = self.socket else {
            return false;
        };
        let Some(bytes) = self.advert(priority) else {
            return false;
        };
        let to = IpAddr::V4(ip::VRRP_GROUP_V4);
        cx.effect(Effect::Send(socket, Frame::Ip { to, bytes }));
        if priority == Priority::RESIGN {
            self.stats.pri_zero_sent += 1;
        } else {
            self.stats.advert_sent += 1;
        }
        self.last_sent = Some(cx.now);
        true
    }

    /// Sends the advert that was due at `due` and arms the timer for the next one. The period is
    /// counted from when this one was due, so that late wake-ups do not add up.
    pub(super) fn advertise(&mut self, cx: &mut Cx<'_>, due: Instant) {
        self.send_advert(cx, self.priority());
        let mut next = due + self.config.advert_interval;
        if next <= cx.now {
            next = cx.now + self.config.advert_interval;
        }
        cx.arm(self.id, Timer::Advert, next);
    }

    /// RFC 3768 §6.1: `Skew_Time`, (256 - priority) / 256 seconds.
    pub(super) fn skew(&self) -> Duration {
        let steps = 256 - u64::from(self.priority().0);
        Duration::from_micros(steps * 1_000_000 / 256)
    }

    /// RFC 3768 §6.1: `Master_Down_Interval`.
    pub(super) fn master_down_interval(&self) -> Duration {
        self.config.advert_interval * 3 + self.skew()
    }

    /// How long silence lasts before the quickest possible rival, one of priority 255, takes over.
    pub(super) fn quickest_takeover(&self) -> Duration {
        self.config.advert_interval * 3 + MIN_SKEW
    }

    /// How long an instance that hopes to be master listens first.
    pub(super) fn listen_interval(&self) -> Duration {
        self.config.advert_interval + MIN_SKEW
    }
}

/// The skew of priority 255.
const MIN_SKEW: Duration = Duration::from_micros(1_000_000 / 256);

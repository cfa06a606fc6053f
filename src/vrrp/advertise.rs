//! Sending adverts.
//!
//! Owns: the packet, built from current state each time one is sent, and its identification.
//! Never does: decide when. Driven by: `instance`.

use std::net::IpAddr;

use super::instance::{Cx, Instance, Timer};
use crate::base::{Duration, Family, Instant};
use crate::conf::model::options::Version;
use crate::conf::model::{Priority, VrrpInstance};
use crate::ops::{Effect, Frame};
use crate::wire::ah::{self, AH_LEN};
use crate::wire::ip::{self, Ipv4};
use crate::wire::signature::{self, TRAILER_LEN, Trailer};
use crate::wire::vrrp::{
    self, AUTH_AH, AUTH_NONE, AUTH_PASS, Advert, Form, advert_v2_len, advert_v3_len, write_advert,
};

/// How many addresses an advert of `config` can name: what its count can tell and what fits in a
/// packet of `mtu` bytes.
pub(super) fn room(config: &VrrpInstance, mtu: u32) -> usize {
    let bytes = usize::try_from(mtu).unwrap_or(usize::MAX);
    let header = match config.family {
        Family::V4 => ip::IPV4_HEADER_LEN,
        Family::V6 => ip::IPV6_HEADER_LEN,
    };
    let ah = if config.ah { AH_LEN } else { 0 };
    let size = usize::from(config.family.bits() / 8);
    let signing = config.options.signing.as_deref();
    // keepalived keeps the room for everybody who has keys.
    let trailer = signing.map_or(0, |_| TRAILER_LEN);
    let fixed = header + ah + trailer + message_len(config, 0);
    (bytes.saturating_sub(fixed) / size).min(usize::from(u8::MAX))
}

/// Bytes of the VRRP message with so many addresses.
fn message_len(config: &VrrpInstance, addresses: usize) -> usize {
    match config.version {
        Version::V2 => advert_v2_len(addresses),
        Version::V3 => advert_v3_len(addresses, config.family),
    }
}

/// The addresses of `config` that an advert names, in the order of the file.
pub(super) fn advertised(config: &VrrpInstance, mtu: u32) -> Vec<IpAddr> {
    let addresses = config.addresses.iter().map(|vip| vip.address);
    let mut advertised: Vec<IpAddr> = addresses
        .filter(|&address| Family::of(address) == config.family)
        .take(room(config, mtu))
        .collect();
    advertised.shrink_to_fit();
    advertised
}

/// Hop limit of unicast adverts over IPv6, which is the kernel's default and so keepalived's.
const UNICAST_HOP_LIMIT: u8 = 64;

impl Instance {
    /// The advert with `priority` to `to`, IP header first; `None` without a source address.
    fn advert(
        &mut self,
        priority: Priority,
        to: IpAddr,
        signature: Option<&(Trailer, Vec<u8>)>,
    ) -> Option<Vec<u8>> {
        let source = self.source?;
        let message = message_len(&self.config, self.advertised.len());
        let ah = self.config.ah && self.config.auth.is_some();
        let len = message + if ah { AH_LEN } else { 0 } + self.signature_len();
        let mut packet = Vec::with_capacity(ip::IPV6_HEADER_LEN + len);
        let protocol = if ah {
            ip::PROTOCOL_AH
        } else {
            ip::PROTOCOL_VRRP
        };
        let ttl = self.ttl(to);
        match (source, to) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                // With 0 the kernel would choose one of its own (raw(7), IP_HDRINCL).
                self.ip_id = self.ip_id.checked_add(1).unwrap_or(1);
                let header = Ipv4 {
                    source,
                    destination,
                    identification: self.ip_id,
                    ttl,
                    protocol,
                };
                ip::write_ipv4(&header, len, &mut packet);
                if ah {
                    ah::write_ah(source, self.seals.next(), &mut packet);
                }
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                ip::write_ipv6((source, destination), ttl, protocol, len, &mut packet);
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        }
        let advert = Advert {
            vrid: self.config.vrid.get(),
            priority: priority.0,
            form: self.form(source, to),
            addresses: &self.advertised,
        };
        let start = packet.len();
        write_advert(&advert, &mut packet);
        if let Some((trailer, secret)) = signature {
            signature::sign(*trailer, source, secret, start, &mut packet);
            let pseudo = match advert.form {
                Form::V2 { .. } => None,
                Form::V3 { pseudo, .. } => pseudo,
            };
            vrrp::seal(packet.get_mut(start..).unwrap_or_default(), pseudo);
        }
        if let (true, Some(key)) = (ah, &self.config.auth) {
            ah::seal(&mut packet, &key.0);
        }
        Some(packet)
    }

    fn ttl(&self, to: IpAddr) -> u8 {
        if to.is_multicast() {
            return 255;
        }
        let usual = match to {
            IpAddr::V4(_) => 255,
            IpAddr::V6(_) => UNICAST_HOP_LIMIT,
        };
        self.config.options.ttl.unwrap_or(usual)
    }

    fn form(&self, source: IpAddr, to: IpAddr) -> Form {
        let interval = self.config.advert_interval;
        match self.config.version {
            Version::V2 => Form::V2 {
                interval_secs: u8::try_from(interval.as_secs()).unwrap_or(u8::MAX),
                auth_type: match (self.config.auth, self.config.ah) {
                    (None, _) => AUTH_NONE,
                    (Some(_), false) => AUTH_PASS,
                    (Some(_), true) => AUTH_AH,
                },
                auth: match self.config.auth {
                    Some(auth) if !self.config.ah => auth.0,
                    Some(_) | None => Default::default(),
                },
            },
            Version::V3 => Form::V3 {
                interval_centis: u16::try_from(interval.as_millis() / 10).unwrap_or(u16::MAX),
                pseudo: self.checksum_ends(source, to),
            },
        }
    }

    /// Sends an advert now, to each peer where there is no group; returns whether there was a way
    /// to.
    pub(super) fn send_advert(&mut self, cx: &mut Cx<'_>, priority: Priority) -> bool {
        let Some(socket) = self.socket else {
            return false;
        };
        if self.source.is_none() {
            return false;
        }
        let signature = self.next_signature(cx.wall);
        let mut index = 0;
        while let Some(to) = self.config.destination(index) {
            if let Some(bytes) = self.advert(priority, to, signature.as_ref()) {
                cx.effect(Effect::Send(socket, Frame::Ip { to, bytes }));
            }
            index += 1;
        }
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

    /// `Skew_Time` of `priority` after a master of this interval: (256 - priority) / 256 of a
    /// second (RFC 3768 §6.1), in version 3 of its interval (RFC 9568 §6.1), there in whole
    /// hundredths as keepalived counts.
    fn skew_of(&self, priority: Priority, interval: Duration) -> Duration {
        let steps = 256 - u64::from(priority.0);
        match self.config.version {
            Version::V2 => Duration::from_micros(steps * 1_000_000 / 256),
            Version::V3 => {
                let centis = u64::try_from(interval.as_millis() / 10).unwrap_or(u64::MAX);
                Duration::from_millis(steps.saturating_mul(centis) / 256 * 10)
            }
        }
    }

    /// The own skew.
    pub(super) fn skew(&self) -> Duration {
        self.skew_of(self.priority(), self.master_interval)
    }

    /// `Master_Down_Interval`: three intervals unless `down_timer_adverts` says otherwise, and the
    /// skew.
    pub(super) fn master_down_interval(&self) -> Duration {
        self.master_interval * self.patience() + self.skew()
    }

    fn patience(&self) -> u32 {
        u32::from(self.config.options.down_timer_adverts.unwrap_or(3))
    }

    /// How long silence lasts before the quickest possible rival, one of priority 255, takes over.
    pub(super) fn quickest_takeover(&self) -> Duration {
        let interval = self.config.advert_interval;
        interval * self.patience() + self.skew_of(Priority::OWNER, interval)
    }

    /// How long an instance that hopes to be master listens first.
    pub(super) fn listen_interval(&self) -> Duration {
        let interval = self.config.advert_interval;
        interval + self.skew_of(Priority::OWNER, interval)
    }
}

//! The ladder of checks that a received packet has to climb (RFC 3768 §7.1, RFC 9568 §7.1).
//!
//! Owns: the order of the checks, their counters, and the rule that each kind of complaint is
//! logged once until state or master change. Never does: change state by itself. Driven by:
//! `domain`, which has found the instance by socket and VRID.

use std::net::IpAddr;

use super::instance::{Cx, Heard, Instance};
use super::messages::{Complaint, Line, Note, note, say};
use crate::base::{Duration, Family};
use crate::conf::model::options::Version;
use crate::conf::model::{Priority, Transport, VRRP_GROUP_V4};
use crate::wire::ah;
use crate::wire::ip::{IPV4_HEADER_LEN, Packet};
use crate::wire::vrrp::{
    AUTH_AH, AUTH_LEN, AUTH_NONE, AUTH_PASS, Body, Header, TYPE_ADVERT, checksum_is_right,
};

impl Instance {
    /// Checks an advert of this virtual router, whose VRRP message is `message`; returns what the
    /// machine has to know of it.
    pub(super) fn receive(
        &mut self,
        cx: &Cx<'_>,
        packet: &Packet<'_>,
        header: &Header,
        message: &[u8],
    ) -> Option<Heard> {
        let from = packet.source;
        // RFC 9568 §7.1, erratum 8298; keepalived, and so this, wants to be told to.
        if self.config.options.owner_ignores == Some(true) && self.priority().is_owner() {
            self.peers.heard = true;
            return None;
        }
        let body = match self.check(cx, packet, header, message) {
            Ok(body) => body,
            Err(complaint) => {
                // It is refused, but it did arrive: no firewall is in the way.
                self.peers.heard = true;
                self.complain(cx, complaint, from);
                return None;
            }
        };
        let priority = Priority(header.priority);
        self.stats.advert_rcvd += 1;
        if priority == Priority::RESIGN {
            self.stats.pri_zero_rcvd += 1;
        }
        if std::mem::replace(&mut self.peers.missed, false) {
            note(cx.style, &self.config.name, Note::Heard { from, priority });
        }
        self.peers.heard = true;
        let known = self.peers.master == Some(from);
        if !(known && self.config.options.skip_address_check) {
            self.compare_addresses(cx, from, header, &body);
        }
        let interval = match self.config.version {
            Version::V2 => self.config.advert_interval,
            Version::V3 => centis(header.interval_centis()),
        };
        // RFC 9568 §7.1: another interval is accepted and worth a line.
        if interval != self.config.advert_interval {
            let complaint = Complaint::OtherInterval {
                got: interval,
                expected: self.config.advert_interval,
            };
            self.complain(cx, complaint, from);
        }
        Some(Heard {
            from,
            priority,
            interval,
        })
    }

    fn check<'a>(
        &mut self,
        cx: &Cx<'_>,
        packet: &Packet<'_>,
        header: &Header,
        message: &'a [u8],
    ) -> Result<Body<'a>, Complaint> {
        let expected = match self.config.version {
            Version::V2 => 2,
            Version::V3 => 3,
        };
        if header.version != expected {
            self.stats.errors.version_err += 1;
            return Err(Complaint::Version {
                got: header.version,
                expected,
            });
        }
        if header.kind != TYPE_ADVERT {
            self.stats.errors.invalid_type_rcvd += 1;
            return Err(Complaint::Type(header.kind));
        }
        let family = self.config.family;
        let signed = self.config.options.signing.is_some();
        let body = Body::read(header, family, message);
        let body = body.filter(|body| body.trailer.is_empty() || signed);
        let Some(body) = body else {
            self.stats.errors.packet_len_err += 1;
            // keepalived counts the IPv4 header in.
            let before = match family {
                Family::V4 => IPV4_HEADER_LEN,
                Family::V6 => 0,
            };
            return Err(Complaint::Length {
                got: message.len() + before,
                expected: header.len(family) + before,
            });
        };
        self.check_sender(packet)?;
        self.check_auth(packet, header, &body)?;
        let doubt = self.check_signature(packet, message, body.trailer, cx.wall)?;
        self.check_interval(header)?;
        // RFC 9568 §7.1, erratum 8299. Version 2 knows routers without addresses.
        if expected == 3 && header.count == 0 && !self.advertised.is_empty() {
            self.stats.errors.addr_list_err += 1;
            return Err(Complaint::NoAddresses);
        }
        self.check_checksum(packet, message)?;
        if let Some(doubt) = doubt {
            self.complain(cx, doubt, packet.source);
        }
        Ok(body)
    }

    /// By multicast nobody is further away than this link; with unicast who may speak, and from
    /// how far away, is a matter of the configuration.
    fn check_sender(&mut self, packet: &Packet<'_>) -> Result<(), Complaint> {
        let ttl = packet.ttl;
        let allowed = match self.config.transport {
            Transport::Multicast(_) => 255..=255,
            Transport::Unicast => match self.peer(packet.source) {
                Some(peer) => peer.min_ttl..=peer.max_ttl,
                None if self.config.options.check_source => return Err(Complaint::NotAPeer),
                None => 0..=255,
            },
        };
        if allowed.contains(&ttl) {
            return Ok(());
        }
        self.stats.errors.ip_ttl_err += 1;
        Err(Complaint::Ttl {
            got: ttl,
            min: *allowed.start(),
            max: *allowed.end(),
        })
    }

    fn check_auth(
        &mut self,
        packet: &Packet<'_>,
        header: &Header,
        body: &Body<'_>,
    ) -> Result<(), Complaint> {
        if self.config.version == Version::V3 {
            return Ok(()); // There is none in its header.
        }
        let expected = match (&self.config.auth, self.config.ah) {
            (None, _) => AUTH_NONE,
            (Some(_), false) => AUTH_PASS,
            (Some(_), true) => AUTH_AH,
        };
        if header.auth_type != expected {
            if header.auth_type > AUTH_AH {
                self.stats.errors.invalid_authtype += 1;
            } else {
                self.stats.errors.authtype_mismatch += 1;
            }
            return Err(Complaint::AuthType {
                got: header.auth_type,
                expected,
            });
        }
        let Some(password) = self.config.auth else {
            return Ok(());
        };
        if self.config.ah {
            return self.check_ah(packet, &password.0);
        }
        if !same(&password.0, &body.auth) {
            self.stats.errors.auth_failure += 1;
            return Err(Complaint::Password);
        }
        Ok(())
    }

    /// RFC 2402 §3.4; the channel has taken the header off, so there is one.
    fn check_ah(&mut self, packet: &Packet<'_>, key: &[u8]) -> Result<(), Complaint> {
        let complaint = match (ah::read(packet.payload), packet.source) {
            (Some((header, _)), IpAddr::V4(source)) if header.spi == source.octets() => {
                if !ah::is_right(packet.whole, key) {
                    Complaint::AhValue
                } else if self.seals.is_new(header.sequence) {
                    return Ok(());
                } else {
                    Complaint::AhSequence(header.sequence)
                }
            }
            (Some((header, _)), _) => Complaint::AhSpi(u32::from_be_bytes(header.spi)),
            (None, _) => Complaint::AhValue,
        };
        self.stats.errors.auth_failure += 1;
        Err(complaint)
    }

    /// Version 2 refuses another interval. Version 3 learns it, but not one of nothing, which
    /// would let every backup time out at once (RFC 9568, erratum 8301).
    fn check_interval(&mut self, header: &Header) -> Result<(), Complaint> {
        match self.config.version {
            Version::V2 => {
                let expected = self.config.advert_interval.as_secs();
                if u64::from(header.interval_secs) == expected {
                    return Ok(());
                }
                self.stats.errors.advert_interval_err += 1;
                let got = header.interval_secs;
                Err(Complaint::Interval { got, expected })
            }
            Version::V3 if header.interval_centis() == 0 => {
                self.stats.errors.advert_interval_err += 1;
                Err(Complaint::NoInterval)
            }
            Version::V3 => Ok(()),
        }
    }

    fn check_checksum(&mut self, packet: &Packet<'_>, message: &[u8]) -> Result<(), Complaint> {
        let ends = Some((packet.source, packet.destination));
        let right = match (self.config.version, self.config.family) {
            (Version::V2, _) => checksum_is_right(message, None),
            (Version::V3, Family::V6) => checksum_is_right(message, ends),
            (Version::V3, Family::V4) => {
                let as_v2 = self.config.options.old_checksum_v3 == Some(true);
                let learns = self.learns_checksum();
                let new = checksum_is_right(message, ends);
                let old = (learns || self.sends_old_checksum())
                    && checksum_is_right(message, Some((packet.source, VRRP_GROUP_V4)));
                if learns && (new || old) {
                    self.seals.old_checksum = Some(!new);
                }
                new || old || as_v2 && checksum_is_right(message, None)
            }
        };
        if right {
            return Ok(());
        }
        self.stats.errors.checksum_err += 1;
        Err(Complaint::Checksum(self.config.version))
    }

    /// Before 1.3.6 keepalived took the group for the destination in the checksum of unicast
    /// adverts of version 3. Unless the configuration settles it, the first advert does.
    fn learns_checksum(&self) -> bool {
        self.config.transport == Transport::Unicast
            && self.config.options.old_checksum_unicast.is_none()
            && self.seals.old_checksum.is_none()
    }

    /// Whether checksums of version 3 over IPv4 are those of unicast before 1.3.6.
    fn sends_old_checksum(&self) -> bool {
        let said = self.config.options.old_checksum_unicast;
        let old = said.or(self.seals.old_checksum).unwrap_or(false);
        self.config.transport == Transport::Unicast && old
    }

    /// The ends in the checksum of a version 3 advert, if there are any.
    pub(super) fn checksum_ends(&self, source: IpAddr, to: IpAddr) -> Option<(IpAddr, IpAddr)> {
        if self.config.family == Family::V6 {
            return Some((source, to));
        }
        if self.config.options.old_checksum_v3 == Some(true) {
            return None;
        }
        let to = if self.sends_old_checksum() {
            VRRP_GROUP_V4
        } else {
            to
        };
        Some((source, to))
    }

    /// A list that differs from ours is worth a line, but no reason to ignore a master: keepalived
    /// has it so since 2.3.3.
    fn compare_addresses(&mut self, cx: &Cx<'_>, from: IpAddr, header: &Header, body: &Body<'_>) {
        if body.addresses().eq(self.advertised.iter().copied()) {
            return;
        }
        let complaint = if body.addresses().len() != self.advertised.len() {
            Complaint::Count {
                got: header.count,
                expected: self.advertised.len(),
            }
        } else {
            let theirs: std::collections::BTreeSet<IpAddr> = body.addresses().collect();
            let missing = self.advertised.iter().find(|ours| !theirs.contains(ours));
            let Some(&address) = missing else {
                return; // The same in another order.
            };
            let vrid = self.config.vrid.get();
            Complaint::Address { vrid, address }
        };
        self.stats.errors.addr_list_err += 1;
        self.complain(cx, complaint, from);
    }

    fn complain(&mut self, cx: &Cx<'_>, complaint: Complaint, from: IpAddr) {
        let bit = complaint.bit();
        if self.peers.complaints & bit == 0 {
            self.peers.complaints |= bit;
            say(cx.style, &self.config.name, Line::Invalid(complaint, from));
        }
    }
}

/// Hundredths of a second.
fn centis(count: u16) -> Duration {
    Duration::from_millis(u64::from(count) * 10)
}

/// Compares in a time that does not tell how many bytes agree.
fn same(a: &[u8; AUTH_LEN], b: &[u8; AUTH_LEN]) -> bool {
    a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

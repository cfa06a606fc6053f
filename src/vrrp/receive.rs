//! The ladder of checks that a received packet has to climb (RFC 3768 §7.1).
//!
//! Owns: the order of the checks, their counters, and the rule that each kind of complaint is
//! logged once until state or master change. Never does: change state by itself. Driven by:
//! `domain`, which has found the instance by interface and VRID.

use std::net::Ipv4Addr;

use super::instance::{Cx, Heard, Instance};
use super::messages::{Complaint, Line, Note, note, say};
use crate::conf::model::Priority;
use crate::wire::ip::IPV4_HEADER_LEN;
use crate::wire::vrrp::{AUTH_LEN, AUTH_NONE, AUTH_PASS, BodyV2, Header, TYPE_ADVERT};

impl Instance {
    /// Checks an advert of this virtual router; returns what the machine has to know of it.
    pub(super) fn receive(
        &mut self,
        cx: &Cx<'_>,
        from: Ipv4Addr,
        ttl: u8,
        header: &Header,
        payload: &[u8],
    ) -> Option<Heard> {
        let body = match self.check(ttl, header, payload) {
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
        self.compare_addresses(cx, from, header, &body);
        Some(Heard { from, priority })
    }

    fn check<'a>(
        &mut self,
        ttl: u8,
        header: &Header,
        payload: &'a [u8],
    ) -> Result<BodyV2<'a>, Complaint> {
        if header.version != 2 {
            self.stats.version_err += 1;
            return Err(Complaint::Version(header.version));
        }
        if header.kind != TYPE_ADVERT {
            self.stats.invalid_type_rcvd += 1;
            return Err(Complaint::Type(header.kind));
        }
        let Some(body) = BodyV2::read(header, payload) else {
            self.stats.packet_len_err += 1;
            // keepalived counts the IP header in.
            return Err(Complaint::Length {
                got: payload.len() + IPV4_HEADER_LEN,
                expected: header.len_v2() + IPV4_HEADER_LEN,
            });
        };
        if ttl != 255 {
            self.stats.ip_ttl_err += 1;
            return Err(Complaint::Ttl(ttl));
        }
        self.check_auth(header, &body)?;
        if u64::from(header.interval_secs) != self.config.advert_interval.as_secs() {
            self.stats.advert_interval_err += 1;
            return Err(Complaint::Interval {
                got: header.interval_secs,
                expected: self.config.advert_interval.as_secs(),
            });
        }
        if !body.checksum_ok {
            self.stats.checksum_err += 1;
            return Err(Complaint::Checksum);
        }
        Ok(body)
    }

    fn check_auth(&mut self, header: &Header, body: &BodyV2<'_>) -> Result<(), Complaint> {
        let expected = if self.config.auth.is_some() {
            AUTH_PASS
        } else {
            AUTH_NONE
        };
        if header.auth_type != expected {
            if header.auth_type > AUTH_AH {
                self.stats.invalid_authtype += 1;
            } else {
                self.stats.authtype_mismatch += 1;
            }
            return Err(Complaint::AuthType {
                got: header.auth_type,
                expected,
            });
        }
        if let Some(password) = &self.config.auth
            && !same(&password.0, &body.auth)
        {
            self.stats.auth_failure += 1;
            return Err(Complaint::Password);
        }
        Ok(())
    }

    /// A list that differs from ours is worth a line, but no reason to ignore a master: keepalived
    /// has it so since 2.3.3.
    fn compare_addresses(
        &mut self,
        cx: &Cx<'_>,
        from: Ipv4Addr,
        header: &Header,
        body: &BodyV2<'_>,
    ) {
        if body.addresses().eq(self.advertised.iter().copied()) {
            return;
        }
        let complaint = if body.addresses().len() != self.advertised.len() {
            Complaint::Count {
                got: header.count,
                expected: self.advertised.len(),
            }
        } else {
            let theirs: std::collections::BTreeSet<Ipv4Addr> = body.addresses().collect();
            let missing = self.advertised.iter().find(|ours| !theirs.contains(ours));
            let Some(&address) = missing else {
                return; // The same in another order.
            };
            let vrid = self.config.vrid.get();
            Complaint::Address { vrid, address }
        };
        self.stats.addr_list_err += 1;
        self.complain(cx, complaint, from);
    }

    fn complain(&mut self, cx: &Cx<'_>, complaint: Complaint, from: Ipv4Addr) {
        let bit = complaint.bit();
        if self.peers.complaints & bit == 0 {
            self.peers.complaints |= bit;
            say(cx.style, &self.config.name, Line::Invalid(complaint, from));
        }
    }
}

/// `Auth Type` 2 of RFC 2338, which version 2 routers may still use.
const AUTH_AH: u8 = 2;

/// Compares in a time that does not tell how many bytes agree.
fn same(a: &[u8; AUTH_LEN], b: &[u8; AUTH_LEN]) -> bool {
    a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

//! Routers that speak for virtual routers which are not here.
//!
//! Owns: telling of them (`log_unknown_vrids`), each once. Never does: answer them. Driven by:
//! `domain`, for packets that concern no instance.

use std::net::IpAddr;

use super::domain::Domain;
use crate::base::IfIndex;
use crate::base::ident::VRRP;

impl Domain {
    /// `log_unknown_vrids`: whether VRIDs that are in no instance are told of, each once.
    pub fn log_unknown_vrids(&mut self, wanted: bool) {
        if wanted {
            self.unknown.get_or_insert_default();
        } else {
            self.unknown = None;
        }
    }

    /// Somebody speaks for a VRID that no instance has on this socket.
    pub(super) fn stranger(&mut self, on: IfIndex, vrid: u8, from: IpAddr) {
        // One that an instance has by another way (unicast beside multicast) is none.
        if self.sockets.serves(on, vrid) {
            return;
        }
        self.links.set_stranger(on, vrid, from);
        if let Some(unknown) = &mut self.unknown
            && let Some(facts) = self.links.by_index(on)
            && unknown.insert((on, vrid))
        {
            log::info!(
                target: VRRP,
                "Unknown VRID({vrid}) received on interface({}) from {from}. ignoring...",
                facts.name
            );
        }
    }
}

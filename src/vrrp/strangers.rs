//! Routers that speak for virtual routers which are not here.
//!
//! Owns: telling of them (`log_unknown_vrids`), each once, and the guess why the right ones are not heard. Never
//! does: answer them. Driven by: `domain`, for packets that concern no instance, and `messages`.

use std::fmt;
use std::net::IpAddr;

use super::domain::Domain;
use crate::base::IfIndex;
use crate::base::ident::VRRP;
use crate::conf::model::Transport;

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

/// Why nobody may have been heard for the virtual router `vrid` on that interface, and who speaks for another
/// one there.
pub(super) fn write_unheard(
    f: &mut fmt::Formatter<'_>,
    (vrid, interface): (u8, &str),
    to: Transport,
    stranger: Option<(u8, IpAddr)>,
) -> fmt::Result {
    write!(
        f,
        "is master, and no other router has ever been heard for VRID {vrid} on {interface}; if there is one, \
         look for a firewall that drops protocol 112"
    )?;
    match to {
        Transport::Multicast(group) => write!(f, " or {group}")?,
        Transport::Unicast => write!(f, ", for a unicast_peer that is missing there")?,
    }
    write!(
        f,
        ", for another virtual_router_id, or for another interface"
    )?;
    match stranger {
        Some((other, from)) => write!(f, " ({from} speaks for VRID {other} there)"),
        None => Ok(()),
    }
}

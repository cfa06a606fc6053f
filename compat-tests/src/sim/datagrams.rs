//! UDP between hosts, and the way of any packet onto a segment.
//!
//! Owns: that way, and the addresses that a socket may be bound to.
//! Never does: look into a payload. Driven by: `world`.

use std::net::{IpAddr, SocketAddr};

use keepalived_rs::base::{Family, IfIndex};

use super::network::Place;
use super::wire;
use super::world::World;

impl World {
    /// Whether a socket of `host` may be bound to `address`.
    pub(super) fn may_bind(&self, host: usize, address: IpAddr) -> bool {
        address.is_unspecified() || self.hosts[host].kernel.has(address)
    }

    /// Sends a datagram on every segment that the sender is on; who has the address takes it.
    pub(super) fn send_datagram(
        &mut self,
        host: usize,
        (bind, to): (SocketAddr, SocketAddr),
        ttl: u8,
        payload: &[u8],
    ) {
        for interface in self.hosts[host].kernel.indexes() {
            let mut from = bind;
            if from.ip().is_unspecified() {
                let Some(source) = self.hosts[host].kernel.primary(interface, Family::V4) else {
                    continue;
                };
                from.set_ip(source);
            }
            if let Some(bytes) = wire::datagram(from, to, ttl, payload) {
                self.fan_out(host, interface, &bytes);
            }
        }
    }

    /// Delivers a packet to every other host on the segment.
    pub(super) fn fan_out(&mut self, from: usize, interface: IfIndex, bytes: &[u8]) {
        let link = self.hosts[from].kernel.link(interface);
        let Some(link) = link.filter(|link| link.works()) else {
            return;
        };
        let segment = link.segment;
        self.spread(segment, Place::Host(from), bytes);
    }
}

//! How an instance reaches its peers: source address, destinations, and what stands in the way.
//!
//! Owns: the choice of the source, the channel that adverts come and go by, and the reasons for
//! FAULT that follow from the host. Never does: send or open anything. Driven by: `domain`
//! whenever something changes that this depends on, and `instance` when it recovers.

use std::net::IpAddr;

use super::TrackerKind;
use super::advertise::advertised;
use super::instance::{Cx, FaultReason, Instance};
use super::own_link::{OwnLinkState, transmits_below};
use crate::base::{Family, IfIndex};
use crate::conf::model::options::Peer;
use crate::conf::model::options::Version;
use crate::conf::model::{Transport, VrrpInstance};
use crate::ops::SocketSpec;
use crate::wire::ip::{IPV4_HEADER_LEN, PROTOCOL_AH, PROTOCOL_VRRP};
use crate::wire::vrrp::{advert_v2_len, advert_v3_len};

/// What adverts come and go by; instances with the same one share a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Channel {
    pub(super) on: IfIndex,
    /// The group, or with unicast the own address.
    pub(super) address: IpAddr,
    /// With an authentication header.
    pub(super) ah: bool,
}

impl Channel {
    /// The IP protocol of what passes.
    pub(super) const fn protocol(self) -> u8 {
        if self.ah { PROTOCOL_AH } else { PROTOCOL_VRRP }
    }

    /// The socket for it.
    pub(super) const fn spec(self) -> SocketSpec {
        SocketSpec::Vrrp {
            interface: self.on,
            address: self.address,
            protocol: self.protocol(),
        }
    }
}

impl Instance {
    /// Looks its interface up anew; returns the reason for FAULT, if there is one.
    pub(super) fn look_up(&mut self, cx: &Cx<'_>) -> Option<FaultReason> {
        let facts = cx.links.by_name(&self.config.interface);
        let base = facts.map(|facts| facts.index);
        let home = match self.home_state() {
            OwnLinkState::Settled => cx.links.by_name(self.home()),
            OwnLinkState::Coming | OwnLinkState::Missing => None,
        };
        self.link = home.map(|home| home.index);
        let own = base.and_then(|base| cx.links.source(base, self.config.family));
        let source = self.config.options.source.or(own);
        // The last one is kept to resign with; without one the instance is in FAULT.
        self.source = source.or(self.source);
        let on = if transmits_below(&self.config) {
            base
        } else {
            self.link
        };
        self.channel = on.and_then(|on| channel(&self.config, on, source));
        let mtu = facts.map_or(1500, |facts| facts.mtu);
        self.advertised = advertised(&self.config, mtu);
        let options = &self.config.options;
        let facts = match facts {
            None => return Some(FaultReason::NoInterface),
            Some(facts) if !facts.up && !options.ignore_own_interface => {
                return Some(FaultReason::InterfaceDown);
            }
            Some(facts) => facts,
        };
        match home {
            None => return Some(FaultReason::NoOwnLink),
            Some(home) if !home.up && !options.ignore_own_interface => {
                return Some(FaultReason::OwnLinkDown);
            }
            Some(_) => {}
        }
        if let Some(reason) = self.address_links_fault(cx) {
            return Some(reason);
        }
        if self.config.transport == Transport::Unicast && options.peers.is_empty() {
            return Some(FaultReason::NoPeers);
        }
        match source {
            None => return Some(FaultReason::NoAddress(self.config.family)),
            Some(source) if options.track_source && !self.has_source(cx, facts.index, source) => {
                return Some(FaultReason::NoSource);
            }
            Some(_) => {}
        }
        if self.fight.given_up {
            return Some(FaultReason::Contested);
        }
        self.socket_error.map(FaultReason::Socket)
    }

    /// Whether the address to speak from is there: in a VRF it may be on any interface of it.
    fn has_source(&self, cx: &Cx<'_>, own: IfIndex, source: IpAddr) -> bool {
        match self.config.options.vrf {
            Some(_) => cx.links.anywhere(source),
            None => cx.links.has_address(own, source),
        }
    }

    /// The interfaces that concern the instance.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &str> {
        let excluded = self.config.options.excluded.iter();
        let carriers = self.config.addresses.iter().chain(excluded);
        let carriers = carriers.filter_map(|vip| vip.interface.as_deref());
        let tracked = self.uses.iter();
        let tracked = tracked.filter(|one| one.kind == TrackerKind::Interface);
        let carriers = carriers.chain(tracked.map(|one| one.name.as_str()));
        let own = self.config.own_link.iter().map(|own| own.name.as_str());
        let own = own.chain(self.address_links().map(|(name, _)| name));
        let ways = self.fixtures.interfaces();
        let carriers = carriers.chain([self.config.interface.as_str()]);
        carriers.chain(own).chain(ways)
    }

    /// `track_src_ip`: the address that it cannot be without.
    pub(super) fn tracked_source(&self) -> Option<IpAddr> {
        let options = &self.config.options;
        options.source.filter(|_| options.track_source)
    }

    /// Bytes that the kernel hands over for an advert like its own: IPv4's header comes with it.
    pub(super) fn received_bytes(&self) -> u32 {
        let (count, family) = (self.advertised.len(), self.config.family);
        let bytes = match self.config.version {
            Version::V2 => advert_v2_len(count),
            Version::V3 => advert_v3_len(count, family),
        };
        let header = match family {
            Family::V4 => IPV4_HEADER_LEN,
            Family::V6 => 0,
        };
        u32::try_from(bytes + header).unwrap_or(u32::MAX)
    }

    /// The peer of that address.
    pub(super) fn peer(&self, address: IpAddr) -> Option<&Peer> {
        let peers = &self.config.options.peers;
        peers.iter().find(|peer| peer.address == address)
    }
}

/// What the adverts of `config` come and go by on this interface, with this source.
fn channel(config: &VrrpInstance, on: IfIndex, source: Option<IpAddr>) -> Option<Channel> {
    let address = match config.transport {
        Transport::Multicast(group) => group,
        Transport::Unicast => source?,
    };
    let ah = config.ah && config.auth.is_some();
    Some(Channel { on, address, ah })
}

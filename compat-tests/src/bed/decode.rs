//! Captured frames as the fields that tests look at.
//!
//! Owns a decoder that shares no line with the daemon's own, so that a mistake there cannot hide
//! here: Ethernet, IP, ARP and TCP by etherparse, the eight bytes of a VRRP header by hand.
//! Never fails: what it does not know is [`Content::Other`]. Driven by tests through
//! [`super::Frame::packet`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// Protocol number of VRRP (RFC 9568 §5.1.1.4).
const VRRP: u8 = 112;

/// A frame by its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Hardware address it comes from.
    pub source_mac: [u8; 6],
    /// Hardware address it goes to.
    pub target_mac: [u8; 6],
    /// What it carries.
    pub content: Content,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// ARP for IPv4 over Ethernet.
    Arp(Arp),
    /// A VRRP advert.
    Advert(Advert),
    /// A TCP segment.
    Tcp(Segment),
    /// Anything else.
    Other,
}

/// ARP (RFC 826).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Hardware address of the sender.
    pub sender_mac: [u8; 6],
    /// Protocol address of the sender.
    pub sender: Ipv4Addr,
    /// Hardware address of the target.
    pub target_mac: [u8; 6],
    /// Protocol address of the target.
    pub target: Ipv4Addr,
}

/// A VRRP advert (RFC 3768 §5, RFC 9568 §5) and the IP header's part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub target: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// 2 or 3.
    pub version: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority; 0 says that the master leaves.
    pub priority: u8,
    /// The whole VRRP message, from its first byte.
    pub message: Vec<u8>,
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port.
    pub target: SocketAddr,
    /// SYN.
    pub syn: bool,
    /// ACK.
    pub ack: bool,
    /// FIN.
    pub fin: bool,
    /// RST.
    pub rst: bool,
    /// Bytes of payload.
    pub payload: usize,
}

impl Arp {
    /// True for a gratuitous ARP: sender and target are the same address.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

impl Packet {
    /// Decodes an Ethernet frame.
    #[must_use]
    pub fn decode(frame: &[u8]) -> Self {
        let mac = |from: usize| {
            let bytes = frame
                .get(from..from + 6)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.unwrap_or_default()
        };
        let content = SlicedPacket::from_ethernet(frame)
            .ok()
            .and_then(|sliced| content(&sliced));
        Self {
            target_mac: mac(0),
            source_mac: mac(6),
            content: content.unwrap_or(Content::Other),
        }
    }

    /// The ARP message, if it is one.
    #[must_use]
    pub fn arp(&self) -> Option<&Arp> {
        if let Content::Arp(arp) = &self.content {
            Some(arp)
        } else {
            None
        }
    }

    /// The VRRP advert, if it is one.
    #[must_use]
    pub fn advert(&self) -> Option<&Advert> {
        if let Content::Advert(advert) = &self.content {
            Some(advert)
        } else {
            None
        }
    }

    /// The TCP segment, if it is one.
    #[must_use]
    pub fn tcp(&self) -> Option<&Segment> {
        if let Content::Tcp(segment) = &self.content {
            Some(segment)
        } else {
            None
        }
    }
}

fn content(packet: &SlicedPacket<'_>) -> Option<Content> {
    let (source, target, ttl) = match packet.net.as_ref()? {
        NetSlice::Arp(arp) => {
            return Some(Content::Arp(Arp {
                operation: arp.operation().0,
                sender_mac: arp.sender_hw_addr().try_into().ok()?,
                sender: <[u8; 4]>::try_from(arp.sender_protocol_addr()).ok()?.into(),
                target_mac: arp.target_hw_addr().try_into().ok()?,
                target: <[u8; 4]>::try_from(arp.target_protocol_addr()).ok()?.into(),
            }));
        }
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            (
                IpAddr::V4(header.source_addr()),
                IpAddr::V4(header.destination_addr()),
                header.ttl(),
            )
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            (
                IpAddr::V6(header.source_addr()),
                IpAddr::V6(header.destination_addr()),
                header.hop_limit(),
            )
        }
    };
    if let Some(TransportSlice::Tcp(tcp)) = &packet.transport {
        return Some(Content::Tcp(Segment {
            source: SocketAddr::new(source, tcp.source_port()),
            target: SocketAddr::new(target, tcp.destination_port()),
            syn: tcp.syn(),
            ack: tcp.ack(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            payload: tcp.payload().len(),
        }));
    }
    let payload = packet.ip_payload()?;
    let message = payload.payload;
    let [first, vrid, priority, ..] = *message else {
        return None;
    };
    (payload.ip_number.0 == VRRP).then(|| {
        let version = first >> 4;
        Content::Advert(Advert {
            source,
            target,
            ttl,
            version,
            vrid,
            priority,
            message: message.to_vec(),
        })
    })
}

/// The priority in a frame that is an advert, behind an authentication header or not; for frames that
/// are only compared, as it looks at nothing else.
#[must_use]
pub fn priority_of(frame: &[u8]) -> Option<u8> {
    let (protocol, payload) = match frame.get(12..14)? {
        [8, 0] => (*frame.get(23)?, frame.get(34..)?),
        [0x86, 0xdd] => (*frame.get(20)?, frame.get(54..)?),
        _ => return None,
    };
    match protocol {
        112 => payload.get(2).copied(),
        51 => payload.get(26).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input: RFC 826 request written out by hand, sender 192.0.2.1 asking for itself.
    /// Output: a gratuitous ARP of that sender.
    #[test]
    fn a_gratuitous_arp_is_recognised() {
        let mut frame = vec![0xff; 6];
        frame.extend([
            2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1,
        ]);
        frame.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
        let packet = Packet::decode(&frame);
        let arp = packet.arp().unwrap();
        assert!(arp.is_gratuitous());
        assert_eq!(
            (arp.operation, arp.sender),
            (1, Ipv4Addr::new(192, 0, 2, 1))
        );
        assert_eq!(packet.target_mac, [0xff; 6]);
    }

    /// Input: an IPv4 packet of protocol 112 with the RFC 3768 §5.1 message of VRID 51, priority 90.
    /// Output: its fields.
    #[test]
    fn an_advert_is_decoded_by_its_ip_protocol() {
        let message = [0x21, 51, 90, 1, 1, 1, 0, 0, 192, 0, 2, 9];
        let mut frame = vec![1, 0, 0x5e, 0, 0, 18, 2, 0, 0, 0, 0, 1, 8, 0];
        frame.extend([
            0x45, 0, 0, 32, 0, 0, 0, 0, 255, 112, 0, 0, 192, 0, 2, 1, 224, 0, 0, 18,
        ]);
        frame.extend(message);
        let packet = Packet::decode(&frame);
        let advert = packet.advert().unwrap();
        assert_eq!(
            (advert.version, advert.vrid, advert.priority, advert.ttl),
            (2, 51, 90, 255)
        );
        assert_eq!(advert.message, message);
    }
}

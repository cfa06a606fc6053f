//! The IP header of VRRP packets.
//!
//! Owns: writing it as keepalived does (precedence 6, own identification, no flags) and taking it
//! off a received packet. Never does: reassemble; a fragment is refused. Driven by:
//! `vrrp::advertise` and `vrrp::domain`, whose packets carry the header in both directions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpDscp, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6Header, Ipv6HeaderSlice};

/// IP protocol number of VRRP (RFC 3768 §5.2.4).
pub const PROTOCOL_VRRP: u8 = 112;
/// The group that version 2 and 3 adverts go to (RFC 3768 §5.2.2).
pub const VRRP_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The same for IPv6 (RFC 9568 §5.1.2.2).
pub const VRRP_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// IP protocol number of the authentication header (RFC 4302).
pub const PROTOCOL_AH: u8 = 51;
/// Bytes of a header without options.
pub const IPV4_HEADER_LEN: usize = Ipv4Header::MIN_LEN;
/// Bytes of an IPv6 header.
pub const IPV6_HEADER_LEN: usize = Ipv6Header::LEN;

/// What is worth knowing of an IPv4 header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4 {
    /// Sender.
    pub source: Ipv4Addr,
    /// Destination.
    pub destination: Ipv4Addr,
    /// Identification.
    pub identification: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
}

/// Why bytes are not an IPv4 packet that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv4Error {
    /// Not version 4, or a header length below 20.
    Header,
    /// Fewer bytes than the header says.
    Truncated,
    /// A part of a packet.
    Fragment,
}

/// Appends the header for a VRRP packet with `payload_len` bytes behind it: precedence "internet
/// control" (RFC 791), as keepalived sends. A payload past 65,515 bytes gets a length of 65,535;
/// no caller makes one.
pub fn write_ipv4(header: &Ipv4, payload_len: usize, out: &mut Vec<u8>) {
    let total = payload_len.saturating_add(IPV4_HEADER_LEN);
    let mut raw = Ipv4Header {
        dscp: IpDscp::CS6,
        total_len: u16::try_from(total).unwrap_or(u16::MAX),
        identification: header.identification,
        dont_fragment: false,
        time_to_live: header.ttl,
        protocol: IpNumber(header.protocol),
        source: header.source.octets(),
        destination: header.destination.octets(),
        ..Ipv4Header::default()
    };
    raw.header_checksum = raw.calc_header_checksum();
    out.extend_from_slice(&raw.to_bytes());
}

/// Takes the header off `packet`; returns it and the payload that its total length covers (the
/// link may have padded the frame).
///
/// # Errors
/// The first reason why it cannot be read.
pub fn parse_ipv4(packet: &[u8]) -> Result<(Ipv4, &[u8]), Ipv4Error> {
    if packet.len() < IPV4_HEADER_LEN {
        return Err(Ipv4Error::Truncated);
    }
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| Ipv4Error::Header)?;
    if header.more_fragments() || header.fragments_offset().value() != 0 {
        return Err(Ipv4Error::Fragment);
    }
    let from = header.slice().len();
    let until = usize::from(header.total_len());
    let payload = packet.get(from..until).ok_or(Ipv4Error::Truncated)?;
    Ok((
        Ipv4 {
            source: header.source_addr(),
            destination: header.destination_addr(),
            identification: header.identification(),
            ttl: header.ttl(),
            protocol: header.protocol().0,
        },
        payload,
    ))
}

/// Appends the header for a packet of this protocol with `payload_len` bytes behind it: traffic
/// class as IPv4's precedence, no flow label.
pub fn write_ipv6(
    ends: (Ipv6Addr, Ipv6Addr),
    hop_limit: u8,
    protocol: u8,
    payload_len: usize,
    out: &mut Vec<u8>,
) {
    let header = Ipv6Header {
        traffic_class: 0xc0,
        payload_length: u16::try_from(payload_len).unwrap_or(u16::MAX),
        next_header: IpNumber(protocol),
        hop_limit,
        source: ends.0.octets(),
        destination: ends.1.octets(),
        ..Ipv6Header::default()
    };
    out.extend_from_slice(&header.to_bytes());
}

/// A received packet of either family without its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Sender.
    pub source: IpAddr,
    /// Destination.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// The payload; what the link padded is cut off.
    pub payload: &'a [u8],
    /// Header and payload.
    pub whole: &'a [u8],
}

/// Takes the IP header of either family off; IPv6 with extension headers has the first of these
/// as its payload, which no caller takes for VRRP.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    if packet.first()? >> 4 == 4 {
        let (header, payload) = parse_ipv4(packet).ok()?;
        let total = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
        return Some(Packet {
            source: header.source.into(),
            destination: header.destination.into(),
            ttl: header.ttl,
            protocol: header.protocol,
            payload,
            whole: packet.get(..usize::from(total))?,
        });
    }
    let header = Ipv6HeaderSlice::from_slice(packet).ok()?;
    let until = IPV6_HEADER_LEN + usize::from(header.payload_length());
    Some(Packet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        ttl: header.hop_limit(),
        protocol: header.next_header().0,
        payload: packet.get(IPV6_HEADER_LEN..until)?,
        whole: packet.get(..until)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Ipv4 {
        Ipv4 {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: VRRP_GROUP_V4,
            identification: 1,
            ttl: 255,
            protocol: PROTOCOL_VRRP,
        }
    }

    // Output: header of the first advert that keepalived 2.2.7 sent from 192.0.2.1 with one
    // address (tcpdump -xx on the peer's end of a veth pair, Ethernet header cut off).
    #[test]
    fn header_is_the_real_daemons() {
        let mut out = vec![0xa5];
        write_ipv4(&sample(), 20, &mut out);
        let expected = [
            0xa5, 0x45, 0xc0, 0x00, 0x28, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x18, 0x91, 0xc0,
            0x00, 0x02, 0x01, 0xe0, 0x00, 0x00, 0x12,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn padding_behind_the_packet_is_cut_off() {
        let mut packet = Vec::new();
        write_ipv4(&sample(), 2, &mut packet);
        packet.extend_from_slice(&[1, 2, 0, 0, 0]);
        assert_eq!(parse_ipv4(&packet), Ok((sample(), &[1, 2][..])));
    }

    #[test]
    fn what_is_no_whole_packet_is_refused() {
        let mut packet = Vec::new();
        write_ipv4(&sample(), 2, &mut packet);
        packet.push(1);
        assert_eq!(parse_ipv4(&packet), Err(Ipv4Error::Truncated));
        packet.push(2);
        packet[6] = 0x20;
        assert_eq!(parse_ipv4(&packet), Err(Ipv4Error::Fragment));
        packet[6] = 0;
        packet[0] = 0x65;
        assert_eq!(parse_ipv4(&packet), Err(Ipv4Error::Header));
        assert_eq!(parse_ipv4(&packet[..19]), Err(Ipv4Error::Truncated));
    }

    // Output: IPv6 header of an advert of keepalived 2.2.7 but for the flow label, which its
    // kernel chose (tcpdump -xx as above).
    #[test]
    fn ipv6_header_is_the_real_daemons() {
        let ends = ("fe80::ff:fe00:1".parse().unwrap(), VRRP_GROUP_V6);
        let mut out = Vec::new();
        write_ipv6(ends, 255, PROTOCOL_VRRP, 40, &mut out);
        let mut expected = vec![0x6c, 0, 0, 0, 0, 0x28, 0x70, 0xff, 0xfe, 0x80];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1, 0xff, 2]);
        expected.extend([0; 13]);
        expected.push(0x12);
        assert_eq!(out, expected);
        out.extend([7; 42]);
        let packet = parse(&out).unwrap();
        assert_eq!(
            (packet.ttl, packet.protocol, packet.payload),
            (255, 112, &[7; 40][..])
        );
        assert_eq!(parse(&out[..79]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _packet = parse(&bytes);
            if let Ok((_, payload)) = parse_ipv4(&bytes) {
                prop_assert!(payload.len() + IPV4_HEADER_LEN <= bytes.len());
            }
        }
    }
}

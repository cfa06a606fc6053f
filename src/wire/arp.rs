//! Gratuitous ARP frames (RFC 826, RFC 5227 §3).
//!
//! Owns: the Ethernet frame that tells a segment where an address is now. Never does: decide when
//! to send one, or read any. Driven by: `vrrp::garp`.
//!
//! ```text
//!  dst ff:ff:ff:ff:ff:ff | src MAC | 0806 | 0001 0800 06 04 0001 | MAC | address | ff:..:ff | address
//! ```
//!
//! keepalived fills the target hardware address with ones where RFC 5227 has zero; switches and
//! hosts ignore it in a request.

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, EtherType, Ethernet2Header};

use crate::base::Mac;

/// Bytes of a gratuitous ARP frame, without padding.
pub const GRATUITOUS_ARP_LEN: usize = Ethernet2Header::LEN + ArpEthIpv4Packet::LEN;

/// The request by which the owner of `mac` announces that it holds `address`.
#[must_use]
pub fn gratuitous_request(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let ethernet = Ethernet2Header {
        destination: Mac::BROADCAST.0,
        source: mac.0,
        ether_type: EtherType::ARP,
    };
    let arp = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: mac.0,
        sender_ipv4: address.octets(),
        target_mac: Mac::BROADCAST.0,
        target_ipv4: address.octets(),
    };
    let mut frame = Vec::with_capacity(GRATUITOUS_ARP_LEN);
    frame.extend_from_slice(&ethernet.to_bytes());
    frame.extend_from_slice(&arp.to_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output: frame that keepalived 2.2.7 sent for 192.0.2.101 (tcpdump -xx on the peer's end of
    // a veth pair).
    #[test]
    fn frame_is_the_real_daemons() {
        let frame = gratuitous_request(Mac([2, 0, 0, 0, 0, 10]), Ipv4Addr::new(192, 0, 2, 101));
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x08, 0x06,
            0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x0a,
            0xc0, 0x00, 0x02, 0x65, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x00, 0x02, 0x65,
        ];
        assert_eq!(frame, expected);
        assert_eq!(frame.len(), GRATUITOUS_ARP_LEN);
    }
}

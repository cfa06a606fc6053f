//! Unsolicited neighbour advertisements (RFC 4861 §4.4, §7.2.6).
//!
//! Owns: the Ethernet frame that tells a segment where an IPv6 address is now. Never does: decide
//! when to send one, or read any. Driven by: `vrrp::garp`.
//!
//! ```text
//!  dst 33:33:00:00:00:01 | src MAC | 86dd | IPv6 address -> ff02::1, hop limit 255
//!  | 88 00 checksum | R S O, 29 bits reserved | address | 02 01 MAC (target link-layer address)
//! ```
//!
//! As keepalived sends it: the announced address is the source itself; of the flags O (override)
//! is set, S (solicited) is not, and R (router) is where the interface forwards.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{EtherType, Ethernet2Header, IpNumber, Ipv6Header};

use super::checksum;
use crate::base::Mac;

/// Bytes of such a frame.
pub const UNSOLICITED_NA_LEN: usize = Ethernet2Header::LEN + Ipv6Header::LEN + MESSAGE_LEN;
/// Bytes of the ICMPv6 message.
const MESSAGE_LEN: usize = 32;
/// The nodes of the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// `O`: what a neighbour had stored of the address is to be replaced.
const OVERRIDE: u8 = 0x20;
/// `R`: the sender is a router.
const ROUTER: u8 = 0x80;

/// The advertisement by which the owner of `mac` announces that it holds `address`.
#[must_use]
pub fn unsolicited_advert(mac: Mac, address: Ipv6Addr, router: bool) -> Vec<u8> {
    let ethernet = Ethernet2Header {
        destination: [0x33, 0x33, 0, 0, 0, 1],
        source: mac.0,
        ether_type: EtherType::IPV6,
    };
    let ip = Ipv6Header {
        payload_length: 32,
        next_header: IpNumber::IPV6_ICMP,
        hop_limit: 255,
        source: address.octets(),
        destination: ALL_NODES.octets(),
        ..Ipv6Header::default()
    };
    let mut message = [0; MESSAGE_LEN];
    message[0] = 136;
    message[4] = OVERRIDE | if router { ROUTER } else { 0 };
    message[8..24].copy_from_slice(&address.octets());
    // Option 2, target link-layer address, of one unit of eight bytes.
    message[24..26].copy_from_slice(&[2, 1]);
    message[26..].copy_from_slice(&mac.0);
    let ends = (IpAddr::V6(address), IpAddr::V6(ALL_NODES));
    let sum = checksum::with_pseudo_header(ends, IpNumber::IPV6_ICMP.0, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = Vec::with_capacity(UNSOLICITED_NA_LEN);
    frame.extend_from_slice(&ethernet.to_bytes());
    frame.extend_from_slice(&ip.to_bytes());
    frame.extend_from_slice(&message);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output: frame that keepalived 2.2.7 sent for fd00::100 (tcpdump -xx on the peer's end of a
    // veth pair).
    #[test]
    fn frame_is_the_real_daemons() {
        let address = "fd00::100".parse().unwrap();
        let frame = unsolicited_advert(Mac([2, 0, 0, 0, 0, 1]), address, false);
        let text = "333300000001020000000001 86dd 6000000000203aff \
                    fd000000000000000000000000000100 ff020000000000000000000000000001 \
                    8800589d20000000 fd000000000000000000000000000100 0201020000000001";
        let digits: Vec<u8> = text
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|digit| u8::try_from(digit).unwrap())
            .collect();
        let expected: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect();
        assert_eq!(frame, expected);
        assert_eq!(frame.len(), UNSOLICITED_NA_LEN);
        // With net.ipv6.conf.all.forwarding.
        let frame = unsolicited_advert(Mac([2, 0, 0, 0, 0, 1]), address, true);
        assert_eq!(frame[54..62], [0x88, 0, 0xd8, 0x9c, 0xa0, 0, 0, 0]);
    }
}

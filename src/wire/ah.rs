//! The authentication header of VRRP version 2 (RFC 2338 §5.3.6.3, RFC 2402, RFC 2403).
//!
//! Owns: its form, and the HMAC-MD5-96 over a whole IPv4 packet. Never does: judge a sequence
//! number. Driven by: `vrrp::advertise`, `vrrp::domain` and `vrrp::receive`.
//!
//! ```text
//! +---------------+---------------+---------------+---------------+
//! | next: 112     | length: 4     |           reserved            |
//! +---------------+---------------+---------------+---------------+
//! |   security parameters index: the sender's IPv4 address        |
//! +---------------------------------------------------------------+
//! |                       sequence number                         |
//! +---------------------------------------------------------------+
//! |                integrity check value, 12 bytes                |
//! +---------------------------------------------------------------+
//! ```
//!
//! The value covers the IP header, this header and the message. Fields that routers may change
//! count as zero: type of service, flags and fragment offset, checksum, and with unicast the TTL,
//! which multicast fixes. So does keepalived (recomputed from its packets).

use std::net::Ipv4Addr;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::ip::{IPV4_HEADER_LEN, PROTOCOL_VRRP};

/// Bytes of the header.
pub const AH_LEN: usize = 24;
/// Bytes of the integrity check value.
const ICV_LEN: usize = 12;
/// Where it stands in a packet whose IP header has no options.
const ICV_AT: usize = IPV4_HEADER_LEN + AH_LEN - ICV_LEN;

/// What a received header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ah {
    /// Security parameters index.
    pub spi: [u8; 4],
    /// Sequence number.
    pub sequence: u32,
}

/// Appends the header, its check value still zero; [`seal`] makes it once the message is there.
pub fn write_ah(source: Ipv4Addr, sequence: u32, out: &mut Vec<u8>) {
    // The length counts units of four bytes less two.
    out.extend_from_slice(&[PROTOCOL_VRRP, 4, 0, 0]);
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&[0; ICV_LEN]);
}

/// Reads the header before a VRRP message; returns it and the message.
#[must_use]
pub fn read(payload: &[u8]) -> Option<(Ah, &[u8])> {
    let (header, message) = payload.split_first_chunk::<AH_LEN>()?;
    let [next, length, _, _, a, b, c, d, e, f, g, h, ..] = *header;
    let ours = next == PROTOCOL_VRRP && length == 4;
    let ah = Ah {
        spi: [a, b, c, d],
        sequence: u32::from_be_bytes([e, f, g, h]),
    };
    ours.then_some((ah, message))
}

/// Puts the check value of a packet, IP header first and without options, right.
pub fn seal(packet: &mut [u8], key: &[u8]) {
    if let Some(icv) = icv(packet, key)
        && let Some(place) = packet.get_mut(ICV_AT..ICV_AT + ICV_LEN)
    {
        place.copy_from_slice(&icv);
    }
}

/// Whether the check value of a packet is right; one with options in its IP header, which VRRP
/// does not send, is not.
#[must_use]
pub fn is_right(packet: &[u8], key: &[u8]) -> bool {
    let there = packet.get(ICV_AT..ICV_AT + ICV_LEN);
    icv(packet, key).is_some_and(|icv| {
        let differences = there.into_iter().flatten().zip(icv);
        there.is_some() && differences.fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
    })
}

fn icv(packet: &[u8], key: &[u8]) -> Option<[u8; ICV_LEN]> {
    let (header, rest) = packet.split_first_chunk::<{ ICV_AT }>()?;
    let message = rest.get(ICV_LEN..)?;
    if header[0] != 0x45 {
        return None;
    }
    let mut header = *header;
    header[1] = 0;
    header[6..8].fill(0);
    if !Ipv4Addr::new(header[16], header[17], header[18], header[19]).is_multicast() {
        header[8] = 0;
    }
    header[10..12].fill(0);
    let mut mac = Hmac::<Md5>::new_from_slice(key).ok()?;
    mac.update(&header);
    mac.update(&[0; ICV_LEN]);
    mac.update(message);
    mac.finalize().into_bytes().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip::{Ipv4, PROTOCOL_AH, VRRP_GROUP_V4, write_ipv4};
    use proptest::prelude::*;

    /// The second advert of keepalived 2.2.7 with `auth_type AH`, `auth_pass 1111` (tcpdump -xx on
    /// the peer's end of a veth pair, Ethernet header cut off).
    const REAL: &str = "45c000400002 0000ff33d1b30a01ff01e0000012 70040000 0a01ff01 00000002 \
                        32d3cd9e125e5267c613bccf 2133c80102010ac80a0100010000000000000000";
    const KEY: &[u8] = b"1111\0\0\0\0";

    fn real() -> Vec<u8> {
        let digits: Vec<u8> = REAL
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|digit| u8::try_from(digit).unwrap())
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    #[test]
    fn packets_are_the_real_daemons() {
        let source = Ipv4Addr::new(10, 1, 255, 1);
        let header = Ipv4 {
            source,
            destination: VRRP_GROUP_V4,
            identification: 2,
            ttl: 255,
            protocol: PROTOCOL_AH,
        };
        let mut out = Vec::new();
        write_ipv4(&header, AH_LEN + 20, &mut out);
        write_ah(source, 2, &mut out);
        out.extend_from_slice(&real()[44..]);
        seal(&mut out, KEY);
        assert_eq!(out, real());
        assert!(is_right(&out, KEY));
        let (ah, message) = read(&out[20..]).unwrap();
        assert_eq!((ah.spi, ah.sequence), (source.octets(), 2));
        assert_eq!(message, &real()[44..]);
    }

    // Output: the first advert of the same by unicast to 10.1.255.2.
    #[test]
    fn unicast_packets_are_the_real_daemons() {
        let mut packet = real();
        packet[4..6].copy_from_slice(&[0, 1]);
        packet[16..20].copy_from_slice(&[10, 1, 255, 2]);
        packet[31] = 1;
        seal(&mut packet, KEY);
        let icv = [
            0xde, 0xf5, 0x48, 0x84, 0xb2, 0x9d, 0x3c, 0x7b, 0x85, 0x35, 0x11, 0x54,
        ];
        assert_eq!(packet[32..44], icv);
        packet[8] = 60;
        assert!(is_right(&packet, KEY));
    }

    // Input: each bit of the packet flipped, and another key. Output: refused, but for the fields
    // that routers may change and the reserved one, which the check of RFC 2402 covers.
    #[test]
    fn a_flipped_bit_or_another_key_is_noticed() {
        assert!(!is_right(&real(), b"1112\0\0\0\0"));
        for byte in (0..real().len()).filter(|byte| ![1, 6, 7, 10, 11].contains(byte)) {
            let mut bad = real();
            bad[byte] ^= 1;
            assert!(!is_right(&bad, KEY), "byte {byte}");
        }
        let mut relayed = real();
        relayed[1] = 0;
        assert!(is_right(&relayed, KEY));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..90),
        ) {
            let _read = read(&bytes);
            prop_assert!(!is_right(&bytes, KEY));
        }
    }
}

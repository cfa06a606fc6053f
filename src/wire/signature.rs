//! The signature behind an advert (`auth_hmac` of keepalived 2.4).
//!
//! Owns: the form of the trailer, and what its HMAC-SHA256 covers. Never does: judge time or repetition
//! (`vrrp::signed`). Driven by: `vrrp::advertise` and `vrrp::receive`.
//!
//! ```text
//! +---------------+---------------+---------------+---------------+
//! |    type: 1    |    key id     |         reserved: 0           |
//! +---------------+---------------+---------------+---------------+
//! |                  seconds since 1970, mod 2^32                 |
//! +---------------------------------------------------------------+
//! |    fraction, in 1/65536 s     |            counter            |
//! +---------------------------------------------------------------+
//! |        HMAC-SHA256, the first 16 bytes of 32                  |
//! +---------------------------------------------------------------+
//! ```
//!
//! **Assumption.** Known of keepalived 2.4.3 are: 28 bytes, type 1, a key id, a sequence of seconds (32
//! bits), their fraction (16) and a counter (16), 16 bytes of HMAC-SHA256 over a pseudo-header of family,
//! version, virtual router id and source, and over the message with checksum and HMAC zero. Not known are
//! the two bytes behind the key id (here zero when sent, any when received) and the pseudo-header's
//! exact form (here: one byte each of the Internet protocol's version, 4 or 6, the VRRP version, the
//! id, and zero, then the source). Peers that run this program agree; keepalived 2.4.3 was not there
//! to ask. The checksum of the message covers the trailer.

use std::net::IpAddr;

use super::sha256;

/// Bytes of the trailer.
pub const TRAILER_LEN: usize = 28;
/// Its type.
const TYPE: u8 = 1;
/// Bytes of the HMAC, at its end.
const HMAC_LEN: usize = 16;
/// Where the checksum of a VRRP message is.
const CHECKSUM: std::ops::Range<usize> = 6..8;

/// What a trailer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Which key signed.
    pub key: u8,
    /// When, and which of that moment: see [`stamp`].
    pub sequence: u64,
}

/// A sequence of this moment: microseconds since 1970, and a counter for those that are alike.
#[must_use]
pub fn stamp(wall_micros: u64, counter: u16) -> u64 {
    let seconds = wall_micros / 1_000_000 % (1 << 32);
    let fraction = (wall_micros % 1_000_000) * 65_536 / 1_000_000;
    seconds << 32 | fraction << 16 | u64::from(counter)
}

/// Reads the trailer; `None` if it is none.
#[must_use]
pub fn read(trailer: &[u8]) -> Option<Trailer> {
    let trailer: &[u8; TRAILER_LEN] = trailer.try_into().ok()?;
    let [kind, key, _, _, rest @ ..] = trailer;
    let sequence = rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))?;
    (*kind == TYPE).then_some(Trailer {
        key: *key,
        sequence,
    })
}

/// Appends a trailer to the VRRP message that `out` ends with from `start` on. The message's
/// checksum has to be made anew afterwards.
pub fn sign(trailer: Trailer, source: IpAddr, secret: &[u8], start: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[TYPE, trailer.key, 0, 0]);
    out.extend_from_slice(&trailer.sequence.to_be_bytes());
    out.extend_from_slice(&[0; HMAC_LEN]);
    let Some(message) = out.get_mut(start..) else {
        return;
    };
    if let Some(value) = value(message, source, secret)
        && let Some(place) = message.last_chunk_mut::<HMAC_LEN>()
    {
        *place = value;
    }
}

/// Whether the HMAC at the end of a VRRP message, trailer included, is right; in a time that does not
/// tell how many bytes are.
#[must_use]
pub fn is_right(message: &[u8], source: IpAddr, secret: &[u8]) -> bool {
    let there = message.last_chunk::<HMAC_LEN>();
    match (value(message, source, secret), there) {
        (Some(value), Some(there)) => {
            let pairs = value.iter().zip(there);
            pairs.fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
        }
        (None, _) | (_, None) => false,
    }
}

fn value(message: &[u8], source: IpAddr, secret: &[u8]) -> Option<[u8; HMAC_LEN]> {
    let (signed, _) = message.split_last_chunk::<HMAC_LEN>()?;
    let [first, vrid, ..] = signed else {
        return None;
    };
    let before = signed.get(..CHECKSUM.start)?;
    let after = signed.get(CHECKSUM.end..)?;
    let (family, octets) = match source {
        IpAddr::V4(source) => (4, source.octets().to_vec()),
        IpAddr::V6(source) => (6, source.octets().to_vec()),
    };
    let pseudo = [family, first >> 4, *vrid, 0];
    let parts: [&[u8]; 6] = [&pseudo, &octets, before, &[0; 2], after, &[0; HMAC_LEN]];
    sha256::hmac(secret, &parts).first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const TRAILER: Trailer = Trailer {
        key: 7,
        sequence: 0x6745_2301_8000_0003,
    };

    fn signed() -> Vec<u8> {
        let mut out = vec![0xa5; 3];
        out.extend([0x31, 51, 100, 1, 0, 100, 0xff, 0xff, 192, 0, 2, 100]);
        sign(TRAILER, SOURCE, SECRET, 3, &mut out);
        assert_eq!(out.drain(..3).as_slice(), [0xa5; 3]);
        out
    }

    // Input: an advert of version 3. Output: the trailer byte by byte; its HMAC as Python's hmac
    // module gives it for the bytes that the module's head names.
    #[test]
    fn a_trailer_is_laid_out_as_the_head_says() {
        let message = signed();
        assert_eq!(message.len(), 12 + TRAILER_LEN);
        let expected = [1, 7, 0, 0, 0x67, 0x45, 0x23, 0x01, 0x80, 0, 0, 3];
        assert_eq!(message[12..24], expected);
        assert_eq!(message[24..], HMAC);
        assert_eq!(read(&message[12..]), Some(TRAILER));
    }

    const HMAC: [u8; 16] = [
        0x8c, 0xca, 0x40, 0x75, 0x4a, 0x51, 0xa5, 0x5c, 0x50, 0x3d, 0xbe, 0xc4, 0x79, 0x2f, 0x7c,
        0xd1,
    ];

    // Input: each bit of message and trailer flipped, another key, another sender. Output: refused,
    // but for the checksum, which is none of its business.
    #[test]
    fn a_flipped_bit_another_key_or_sender_is_noticed() {
        let message = signed();
        assert!(is_right(&message, SOURCE, SECRET));
        assert!(!is_right(&message, SOURCE, &[0; 32]));
        assert!(!is_right(&message, "192.0.2.2".parse().unwrap(), SECRET));
        for bit in 0..message.len() * 8 {
            let mut bad = message.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let checksum = CHECKSUM.contains(&(bit / 8));
            assert_eq!(is_right(&bad, SOURCE, SECRET), checksum, "bit {bit}");
        }
    }

    #[test]
    fn a_stamp_is_seconds_a_fraction_and_a_counter() {
        assert_eq!(stamp(0, 0), 0);
        assert_eq!(stamp(1_500_000, 2), 1 << 32 | 0x8000 << 16 | 2);
        // In 2106 the seconds begin anew.
        assert_eq!(stamp((1 << 32) * 1_000_000, 0), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..90)) {
            let _read = read(&bytes);
            prop_assert!(!is_right(&bytes, SOURCE, SECRET));
        }

        #[test]
        fn what_is_signed_is_read_back(key in 1u8.., sequence: u64, body in proptest::collection::vec(any::<u8>(), 8..200)) {
            let mut out = body;
            let trailer = Trailer { key, sequence };
            sign(trailer, SOURCE, SECRET, 0, &mut out);
            prop_assert_eq!(read(&out[out.len() - TRAILER_LEN..]), Some(trailer));
            prop_assert!(is_right(&out, SOURCE, SECRET));
        }
    }
}

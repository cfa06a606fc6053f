//! The Internet checksum (RFC 1071).
//!
//! Owns: the ones' complement sum over 16-bit words. Never does: know where in a packet the sum
//! stands; the caller leaves that field zero when it makes one, and in place when it checks one.
//! Driven by: the codecs of this layer.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;

/// The checksum over `bytes`, ready to be stored big endian. Over data that holds its own right
/// checksum it is 0.
#[must_use]
pub fn internet(bytes: &[u8]) -> u16 {
    // The library sums in the machine's byte order, which commutes with the fold (RFC 1071 §2 B).
    u16::from_be(Sum16BitWords::new().add_slice(bytes).ones_complement())
}

/// The checksum over `bytes` and the pseudo-header of a packet with these ends and this protocol
/// (RFC 768, RFC 8200 §8.1). Ends of different families give that of neither.
#[must_use]
pub fn with_pseudo_header(ends: (IpAddr, IpAddr), protocol: u8, bytes: &[u8]) -> u16 {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut sum = Sum16BitWords::new();
    let mut sum = match ends {
        (IpAddr::V4(source), IpAddr::V4(destination)) => sum
            .add_4bytes(source.octets())
            .add_4bytes(destination.octets()),
        (IpAddr::V6(source), IpAddr::V6(destination)) => sum
            .add_16bytes(source.octets())
            .add_16bytes(destination.octets()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => sum,
    };
    // The lengths of both families sum up alike: the upper half of IPv6's is zero.
    let sum = sum
        .add_4bytes(len.to_be_bytes())
        .add_2bytes([0, protocol])
        .add_slice(bytes);
    u16::from_be(sum.ones_complement())
}

#[cfg(test)]
mod tests {
    use super::internet;

    // Input: the example of RFC 1071 §3, whose sum is ddf2. Output: its complement.
    #[test]
    fn sum_is_that_of_the_rfc() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(internet(&bytes), !0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half_of_a_word() {
        assert_eq!(internet(&[0x12]), !0x1200);
        assert_eq!(internet(&[]), 0xffff);
    }

    #[test]
    fn data_with_its_own_checksum_sums_to_zero() {
        let mut bytes = [0x45, 0x00, 0x12, 0x34, 0, 0, 0xfe, 0xdc];
        let sum = internet(&bytes);
        bytes[4..6].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(internet(&bytes), 0);
    }
}

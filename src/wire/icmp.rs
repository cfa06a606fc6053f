//! ICMP and ICMPv6 echoes as a ping socket takes and gives them: from the ICMP header on.
//!
//! Owns: their layout. Never does: send. The kernel puts its own identifier in, and for IPv6 the
//! checksum.
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------+---------------+-------------------------------+
//! |     Type      |     Code      |           Checksum            |
//! +---------------+---------------+-------------------------------+
//! |           Identifier          |        Sequence Number        |
//! +-------------------------------+-------------------------------+   RFC 792, RFC 4443 §4
//! ```

use super::checksum;
use crate::base::Family;

const HEADER: usize = 8;

/// Echo and its reply.
const fn types(family: Family) -> (u8, u8) {
    match family {
        Family::V4 => (8, 0),
        Family::V6 => (128, 129),
    }
}

/// An echo with this number and body.
#[must_use]
pub fn echo(family: Family, sequence: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&[types(family).0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(body);
    if family == Family::V4 {
        let sum = checksum::internet(&bytes);
        if let Some(slot) = bytes.get_mut(2..4) {
            slot.copy_from_slice(&sum.to_be_bytes());
        }
    }
    bytes
}

/// Number and body of an echo reply; `None` if it is something else.
#[must_use]
pub fn echo_reply(family: Family, bytes: &[u8]) -> Option<(u16, &[u8])> {
    match bytes {
        [kind, 0, _, _, _, _, high, low, body @ ..] if *kind == types(family).1 => {
            Some((u16::from_be_bytes([*high, *low]), body))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: `ping -c 1 -s 4 -p 61626364 127.0.0.1` with its identifier zeroed. Output: its bytes.
    #[test]
    fn an_echo_has_its_header() {
        let bytes = echo(Family::V4, 1, b"abcd");
        assert_eq!(bytes[..2], [8, 0]);
        assert_eq!(bytes[4..8], [0, 0, 0, 1]);
        assert_eq!(checksum::internet(&bytes), 0, "the sum is right");
        assert_eq!(echo(Family::V6, 1, b"")[..4], [128, 0, 0, 0]);
    }

    // Input: a reply, an echo, a short one. Output: only the reply counts.
    #[test]
    fn only_replies_are_replies() {
        let mut bytes = echo(Family::V4, 7, b"xy");
        assert_eq!(echo_reply(Family::V4, &bytes), None);
        bytes[0] = 0;
        assert_eq!(echo_reply(Family::V4, &bytes), Some((7, &b"xy"[..])));
        assert_eq!(echo_reply(Family::V6, &bytes), None);
        assert_eq!(echo_reply(Family::V4, &bytes[..7]), None);
    }
}

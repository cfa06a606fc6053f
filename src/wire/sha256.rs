//! SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104), over parts that need not lie together.
//!
//! Owns: the way to OpenSSL's digest. Never does: keep a key. Driven by: `wire::signature`.

use openssl::sha::Sha256;

/// Bytes of a digest.
pub const DIGEST_LEN: usize = 32;
/// Bytes that are mixed in at a time.
const BLOCK: usize = 64;

/// The SHA-256 digest of `parts`, one after the other.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finish()
}

/// The HMAC of `parts` with `key`.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut padded = [0; BLOCK];
    if let Some(place) = padded.get_mut(..key.len()) {
        place.copy_from_slice(key);
    } else {
        padded[..DIGEST_LEN].copy_from_slice(&digest(&[key]));
    }
    let inner_key = padded.map(|byte| byte ^ 0x36);
    let outer_key = padded.map(|byte| byte ^ 0x5c);
    let mut inner: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
    inner.push(&inner_key);
    inner.extend_from_slice(parts);
    digest(&[&outer_key, &digest(&inner)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    // Input: the messages of FIPS 180-4's examples, the empty one, and one of 1,000,000 letters.
    #[test]
    fn digests_are_those_of_the_standard() {
        for (message, expected) in [
            (
                "abc".to_owned(),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".to_owned(),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                String::new(),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "a".repeat(1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
        ] {
            assert_eq!(hex(&digest(&[message.as_bytes()])), expected);
            let (one, other) = message.as_bytes().split_at(message.len() / 3);
            assert_eq!(hex(&digest(&[one, other])), expected);
        }
    }

    // Input: cases 1, 2, 3 and 6 of RFC 4231 §4.
    #[test]
    fn hmacs_are_those_of_rfc_4231() {
        for (key, message, expected) in [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(&key, &[&message])), expected);
        }
    }
}

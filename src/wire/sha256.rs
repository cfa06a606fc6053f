//! SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104).
//!
//! Owns: the two functions, over parts that need not lie together. Never does: keep a key. Driven by:
//! `wire::signature`. A message here is an advert: speed does not matter, one key is used at a time.

/// Bytes of a digest.
pub const DIGEST_LEN: usize = 32;
/// Bytes that are mixed in at a time.
const BLOCK: usize = 64;

/// The first 32 bits of the fractional parts of the square roots of the first 8 primes.
const BEGIN: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The same of the cube roots of the first 64 primes.
#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The SHA-256 digest of `parts`, one after the other.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut state = BEGIN;
    let mut block = [0; BLOCK];
    let (mut filled, mut length) = (0, 0_u64);
    for &byte in parts.iter().copied().flatten() {
        block[filled] = byte;
        filled += 1;
        length += 8;
        if filled == BLOCK {
            mix(&mut state, &block);
            filled = 0;
        }
    }
    // A one bit, zeros, and the length in bits at the end of a block.
    block[filled] = 0x80;
    block[filled + 1..].fill(0);
    if filled + 1 > BLOCK - 8 {
        mix(&mut state, &block);
        block.fill(0);
    }
    block[BLOCK - 8..].copy_from_slice(&length.to_be_bytes());
    mix(&mut state, &block);
    let mut out = [0; DIGEST_LEN];
    for (place, word) in out.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    out
}

/// FIPS 180-4 §6.2.2.
fn mix(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    let mut schedule = [0_u32; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .first_chunk()
            .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    }
    for at in 16..64 {
        let (before, last) = (schedule[at - 15], schedule[at - 2]);
        let small = before.rotate_right(7) ^ before.rotate_right(18) ^ (before >> 3);
        let large = last.rotate_right(17) ^ last.rotate_right(19) ^ (last >> 10);
        schedule[at] = schedule[at - 16]
            .wrapping_add(small)
            .wrapping_add(schedule[at - 7])
            .wrapping_add(large);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in schedule.iter().zip(ROUNDS) {
        let large = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let first = h
            .wrapping_add(large)
            .wrapping_add(choice)
            .wrapping_add(constant)
            .wrapping_add(*word);
        let small = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let second = small.wrapping_add(majority);
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(second));
    }
    for (sum, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *sum = sum.wrapping_add(word);
    }
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

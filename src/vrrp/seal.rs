//! What proves that an advert comes from a peer, beyond the readable password.
//!
//! Owns: the sequence number of authentication headers, and which form of the checksum unicast
//! peers use. Never does: compute a value (`wire` does). Driven by: `advertise` and `receive`.
//!
//! The routers of one virtual router share the sequence, as keepalived's do: who hears a number
//! goes on from there when it becomes master. So a router that starts anew, at zero, is not taken
//! for an attacker who repeats old adverts, provided that it listens first.

/// What an instance keeps of it; survives a reload.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// Sequence number of the last authentication header sent or accepted.
    sequence: u32,
    /// Version 3 unicast over IPv4: peers send checksums without pseudo-header.
    pub(super) old_checksum: Option<bool>,
}

impl Seals {
    /// The number of the next authentication header to send; after the last one they start anew.
    pub(super) const fn next(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Whether a header is newer than all before, and if so takes its number over. Numbers are
    /// compared as in RFC 1982, so that they may wrap.
    pub(super) const fn is_new(&mut self, sequence: u32) -> bool {
        let ahead = sequence.wrapping_sub(self.sequence);
        let new = ahead != 0 && ahead < 1 << 31;
        if new {
            self.sequence = sequence;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: 5, 5 again, 4, then the far end of the numbers. Output: only what is ahead counts.
    #[test]
    fn a_number_counts_once_and_wraps() {
        let mut seals = Seals::default();
        assert!(seals.is_new(5));
        assert!(!seals.is_new(5));
        assert!(!seals.is_new(4));
        assert_eq!(seals.next(), 6);
        seals.sequence = u32::MAX;
        assert!(seals.is_new(0));
        assert_eq!(seals.next(), 1);
    }
}

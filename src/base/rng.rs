//! Seeded random numbers (`SplitMix64`), for jitter and warm-up.
//!
//! Owns: a state that the host seeds once. Never does: ask the system for entropy, so that a
//! simulation with the same seed makes the same choices. Not for secrets.

use super::time::{Duration, micros};

/// A small generator; the same seed gives the same sequence on every machine and release.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator that starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: the bias is below 2^-64 * bound, nothing for jitter.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A duration from zero up to, not including, `bound`.
    pub fn duration_below(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(micros(bound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output from the reference sequence of SplitMix64 with seed 1234567.
    #[test]
    fn sequence_is_the_reference_one() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(7);
        assert_eq!(rng.below(0), 0);
        let mut seen = [false; 6];
        for _ in 0..1000 {
            let n = rng.below(6);
            assert!(n < 6);
            seen[usize::try_from(n).unwrap()] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert!(rng.duration_below(Duration::from_secs(6)) < Duration::from_secs(6));
    }
}

//! Signatures of adverts: their order in time.
//!
//! Owns: the sequence that this router signs with, what was heard last of each sender, and how far
//! clocks may be apart. Never does: compute a signature (`wire::signature` does), read a clock.
//! Driven by: `advertise` and `receive`.
//!
//! A sequence is a time. Clocks that step do not end that for good: a sender whose clock went back by
//! less than the window goes on counting from where it was, one whose clock went further follows it;
//! a receiver forgets what it heard last where its own clock says that this lies beyond the
//! window, as nobody could repeat that anyway.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::instance::Instance;
use super::messages::Complaint;
use crate::base::{Blank, Duration};
use crate::conf::model::signing::{AntiReplay, Signing, SigningMode};
use crate::wire::ip::Packet;
use crate::wire::signature::{self, TRAILER_LEN, Trailer};

/// How many senders are remembered; none gets that far without a key.
const MOST_SENDERS: usize = 256;

/// What an instance keeps of it; survives a reload.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    /// The sequence signed with last.
    sent: u64,
    /// The last one accepted of each sender.
    heard: BTreeMap<IpAddr, u64>,
}

impl Blank for Sequences {
    const BLANK: &'static Self = &Self {
        sent: 0,
        heard: BTreeMap::new(),
    };
}

/// What is wrong with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Untimely {
    /// It is that many seconds from ours.
    Stale(i64),
    /// It was there before.
    Repeated,
}

/// The seconds of a sequence less those of another, as in RFC 1982: they may wrap.
fn seconds_between(later: u64, earlier: u64) -> i64 {
    let seconds = |sequence: u64| u32::try_from(sequence >> 32).unwrap_or(0);
    i64::from(seconds(later).wrapping_sub(seconds(earlier)).cast_signed())
}

/// Whether one sequence follows another, compared as in RFC 1982.
const fn follows(one: u64, other: u64) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

impl Sequences {
    /// The sequence for the next signature, at so many microseconds since 1970.
    fn next(&mut self, wall: u64, window: Duration, replay: AntiReplay) -> u64 {
        let clock = signature::stamp(wall, 0);
        let behind = seconds_between(self.sent, clock);
        let near = behind <= i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
        let goes_on = near || replay == AntiReplay::Monotonic;
        self.sent = if follows(clock, self.sent) || self.sent == 0 || !goes_on {
            clock
        } else {
            self.sent.wrapping_add(1)
        };
        self.sent
    }

    /// Takes the sequence of a right signature over, or refuses it; returns how many seconds the
    /// sender's clock is ahead of ours.
    fn accept(
        &mut self,
        from: IpAddr,
        sequence: u64,
        clock: u64,
        window: i64,
        replay: AntiReplay,
    ) -> Result<i64, Untimely> {
        let skew = seconds_between(sequence, clock);
        if replay == AntiReplay::Time && skew.abs() > window {
            return Err(Untimely::Stale(skew));
        }
        if let Some(&last) = self.heard.get(&from) {
            let obsolete = replay == AntiReplay::Time && seconds_between(last, clock) > window;
            if !follows(sequence, last) && !obsolete {
                return Err(Untimely::Repeated);
            }
        }
        if self.heard.len() >= MOST_SENDERS && !self.heard.contains_key(&from) {
            self.heard.pop_first();
        }
        self.heard.insert(from, sequence);
        Ok(skew)
    }
}

impl Instance {
    /// Trailer and key for the adverts of this moment, if they are signed: the same to every peer.
    pub(super) fn next_signature(&mut self, wall: u64) -> Option<(Trailer, Vec<u8>)> {
        let signing = self.config.options.signing.as_deref()?;
        let key = signing.signs()?;
        let window = signing.window(self.config.advert_interval);
        let trailer = Trailer {
            key: key.id,
            sequence: self.sequences.next(wall, window, signing.replay),
        };
        Some((trailer, key.secret.clone()))
    }

    /// Bytes that signatures add to adverts.
    pub(super) fn signature_len(&self) -> usize {
        let signing = self.config.options.signing.as_deref();
        let signs = signing.and_then(Signing::signs);
        signs.map_or(0, |_| TRAILER_LEN)
    }

    /// Verifies what stands behind an advert.
    pub(super) fn check_signature(
        &mut self,
        packet: &Packet<'_>,
        message: &[u8],
        trailer: &[u8],
        wall: u64,
    ) -> Result<Option<Complaint>, Complaint> {
        let Some(signing) = self.config.options.signing.as_deref() else {
            return Ok(None);
        };
        if trailer.is_empty() {
            if signing.mode == SigningMode::Enforce {
                self.stats.errors.auth_ext_missing += 1;
                return Err(Complaint::SignatureMissing);
            }
            return Ok(None);
        }
        let Some(said) = signature::read(trailer) else {
            self.stats.errors.auth_ext_malformed += 1;
            return Err(Complaint::SignatureMalformed);
        };
        let Some(key) = signing.key(said.key) else {
            self.stats.errors.auth_ext_unknown_key += 1;
            return Err(Complaint::SignatureKey(said.key));
        };
        if !signature::is_right(message, packet.source, &key.secret) {
            self.stats.errors.auth_ext_invalid_hmac += 1;
            return Err(Complaint::SignatureWrong);
        }
        let window = signing.window(self.config.advert_interval).as_secs();
        let window = i64::try_from(window).unwrap_or(i64::MAX);
        let clock = signature::stamp(wall, 0);
        let replay = signing.replay;
        let accepted = self
            .sequences
            .accept(packet.source, said.sequence, clock, window, replay);
        match accepted {
            Ok(skew) if replay == AntiReplay::Time && 2 * skew.abs() > window => {
                Ok(Some(Complaint::SignatureSkew { skew, window }))
            }
            Ok(_) => Ok(None),
            Err(Untimely::Stale(skew)) => {
                self.stats.errors.auth_ext_stale += 1;
                Err(Complaint::SignatureStale { skew, window })
            }
            Err(Untimely::Repeated) => {
                self.stats.errors.auth_ext_replay += 1;
                Err(Complaint::SignatureRepeated)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_secs(5);
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const SECOND: u64 = 1_000_000;

    fn take(heard: &mut Sequences, sent: u64, clock: u64) -> Result<i64, Untimely> {
        let clock = signature::stamp(clock, 0);
        heard.accept(PEER, sent, clock, 5, AntiReplay::Time)
    }

    // Input: adverts of one moment. Output: each sequence once, all of them accepted in order, none
    // twice.
    #[test]
    fn adverts_of_one_moment_have_an_order() {
        let (mut sender, mut receiver) = (Sequences::default(), Sequences::default());
        let wall = 1_000 * SECOND;
        for _ in 0..100_000 {
            let sent = sender.next(wall, WINDOW, AntiReplay::Time);
            assert!(take(&mut receiver, sent, wall).is_ok());
            assert_eq!(take(&mut receiver, sent, wall), Err(Untimely::Repeated));
        }
    }

    // Input: the sender's clock steps back, by less than the window and by an hour, and an hour
    // ahead. Output: heard without a gap; refused while it is off; heard again when it is right.
    #[test]
    fn a_clock_that_steps_does_no_lasting_harm() {
        let (mut sender, mut receiver) = (Sequences::default(), Sequences::default());
        let begin = 1_000_000 * SECOND;
        let mut say = |receiver: &mut Sequences, theirs: u64, ours: u64| {
            let sent = sender.next(theirs, WINDOW, AntiReplay::Time);
            take(receiver, sent, ours)
        };
        assert!(say(&mut receiver, begin, begin).is_ok());
        assert!(say(&mut receiver, begin - 4 * SECOND, begin + SECOND).is_ok());
        let hour = 3_600 * SECOND;
        let late = begin + 10 * SECOND;
        let stale = say(&mut receiver, late + hour, late);
        assert_eq!(stale, Err(Untimely::Stale(3_600)));
        assert!(say(&mut receiver, late + SECOND, late + SECOND).is_ok());
        let stale = say(&mut receiver, late - hour, late + 2 * SECOND);
        assert_eq!(stale, Err(Untimely::Stale(-3_602)));
        assert!(say(&mut receiver, late + 3 * SECOND, late + 3 * SECOND).is_ok());
    }

    // Input: the receiver's clock steps back by an hour, and the sender's follows. Output: what was
    // heard before lies in the future, so it is forgotten.
    #[test]
    fn what_was_heard_in_the_future_is_forgotten() {
        let (mut sender, mut receiver) = (Sequences::default(), Sequences::default());
        let begin = 1_000_000 * SECOND;
        let sent = sender.next(begin, WINDOW, AntiReplay::Time);
        assert!(take(&mut receiver, sent, begin).is_ok());
        let earlier = begin - 3_600 * SECOND;
        let sent = sender.next(earlier, WINDOW, AntiReplay::Time);
        assert!(take(&mut receiver, sent, earlier).is_ok());
    }

    // Input: the seconds wrap in 2106. Output: nothing happens.
    #[test]
    fn the_end_of_the_seconds_is_not_the_end() {
        let (mut sender, mut receiver) = (Sequences::default(), Sequences::default());
        let wrap = (1 << 32) * SECOND;
        for wall in [wrap - SECOND, wrap - 1, wrap, wrap + SECOND] {
            let sent = sender.next(wall, WINDOW, AntiReplay::Time);
            assert!(take(&mut receiver, sent, wall).is_ok(), "{wall}");
        }
    }

    // Input: clocks an hour apart. Output: with `monotonic` they do not matter, the order does.
    #[test]
    fn monotonic_asks_for_no_common_clock() {
        let (mut sender, mut receiver) = (Sequences::default(), Sequences::default());
        for wall in [5_000, 4_000, 6_000].map(|seconds| seconds * SECOND) {
            let sent = sender.next(wall, WINDOW, AntiReplay::Monotonic);
            let clock = signature::stamp(0, 0);
            let mut take = || receiver.accept(PEER, sent, clock, 5, AntiReplay::Monotonic);
            assert!(take().is_ok());
            assert_eq!(take(), Err(Untimely::Repeated));
        }
    }

    proptest! {
        // Whatever the clocks do, no sequence is accepted twice in the same window.
        #[test]
        fn nothing_is_accepted_twice(steps in proptest::collection::vec((0u64..20, 0u64..20), 1..60)) {
            let (mut sender, mut receiver) = (Sequences::default(), Sequences::default());
            for (theirs, ours) in steps {
                let sent = sender.next((100 + theirs) * SECOND, WINDOW, AntiReplay::Time);
                let ours = (100 + ours) * SECOND;
                if take(&mut receiver, sent, ours).is_ok() {
                    prop_assert_eq!(take(&mut receiver, sent, ours), Err(Untimely::Repeated));
                }
            }
        }
    }
}

//! When the loop lets adverts gather before it reads them.
//!
//! Owns: how many adverts come, and how long the loop may leave them where they are. Never does:
//! wait, or put a deadline off. Driven by: `event_loop`.
//!
//! To wake up costs several times as much as to read an advert. Where a thousand instances are
//! heard, one comes every millisecond, and each would wake the loop anew. So from some hundreds a
//! second on, the loop rests a little after it has read some, and finds the next ones together.
//! Nothing is decided later for it: timers end the rest, and what is in the sockets is read before
//! any of them fires.

use crate::base::{Duration, Instant};

/// The longest rest.
const REST: Duration = Duration::from_millis(4);

/// How long adverts are counted.
const WINDOW: Duration = Duration::from_millis(64);

/// So many in that time are many.
const MANY: usize = 16;

/// Counts adverts.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Since when they are counted.
    since: Instant,
    count: usize,
    /// There were many in the last window.
    many: bool,
    /// Some came in this turn.
    heard: bool,
}

impl Gather {
    /// So many adverts were read at `now`.
    pub(super) fn heard(&mut self, now: Instant, count: usize) {
        let passed = now.saturating_since(self.since);
        if passed >= WINDOW {
            // A window that nothing came in for long says nothing of what comes next.
            self.many = self.count >= MANY && passed < WINDOW * 2;
            self.count = 0;
            self.since = now;
        }
        self.count += count;
        self.heard = true;
    }

    /// How long to rest before the loop waits for what comes next, if at all. Until `deadline` at
    /// the latest, and no longer than `patience`.
    pub(super) fn rest(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        patience: Option<Duration>,
    ) -> Option<Duration> {
        if !std::mem::take(&mut self.heard) || !(self.many || self.count >= MANY) {
            return None;
        }
        let until = deadline.map_or(REST, |deadline| deadline.saturating_since(now));
        let rest = REST.min(until).min(patience.unwrap_or(REST));
        (!rest.is_zero()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// Rests of a second in which an advert comes every so many microseconds.
    fn rests(gather: &mut Gather, begin: u64, every: u64) -> usize {
        let times = (begin..begin + SECOND).step_by(usize::try_from(every).unwrap());
        let rested = times.filter(|&micros| {
            let now = Instant::from_micros(micros);
            gather.heard(now, 1);
            gather.rest(now, None, None).is_some()
        });
        rested.count()
    }

    // Input: an advert every 10 ms for a second, then one each millisecond, then every 10 ms again.
    // Output: no rest, one after nearly each, none but after what was counted still.
    #[test]
    fn only_many_adverts_are_left_to_gather() {
        let mut gather = Gather::default();
        assert_eq!(rests(&mut gather, SECOND, 10_000), 0);
        assert!(rests(&mut gather, 2 * SECOND, 1000) > 900);
        assert!(rests(&mut gather, 3 * SECOND, 10_000) < 20);
    }

    // Input: many adverts, then a turn without one, and deadlines and patience shorter than a rest.
    // Output: no rest without an advert; never past the deadline, and never longer than patience.
    #[test]
    fn a_rest_ends_at_the_next_deadline() {
        let mut gather = Gather::default();
        rests(&mut gather, SECOND, 1000);
        let now = Instant::from_micros(2 * SECOND);
        assert_eq!(gather.rest(now, None, None), None);
        let mut rest = |deadline: Option<u64>, patience| {
            gather.heard(now, 1);
            let deadline = deadline.map(|micros| now + Duration::from_micros(micros));
            gather.rest(now, deadline, patience)
        };
        assert_eq!(rest(None, None), Some(REST));
        assert_eq!(rest(Some(700), None), Some(Duration::from_micros(700)));
        assert_eq!(rest(Some(0), None), None);
        let patience = Some(Duration::from_millis(1));
        assert_eq!(rest(Some(700_000), patience), patience);
        assert_eq!(rest(None, Some(Duration::ZERO)), None);
    }
}

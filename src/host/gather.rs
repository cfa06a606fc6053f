//! When the loop lets adverts gather before it reads them.
//!
//! Owns: how many adverts a socket brings, which sockets are read by the clock, and when. Never
//! does: wait, read, or put a deadline off. Driven by: `event_loop`.
//!
//! To wake up costs several times as much as to read an advert. Where a thousand instances are
//! heard, one comes every millisecond, and each would wake the loop anew. So a socket that brings
//! some hundreds a second is taken out of what the loop waits for, and read every few milliseconds
//! instead; with fewer it is waited for again. Nothing is decided later for it: before a timer
//! fires, what is in such sockets is read.

use crate::base::{Duration, Instant};
use crate::ops::SocketId;

/// How often a socket is read that is not waited for.
const REST: Duration = Duration::from_millis(4);

/// How long adverts are counted.
const WINDOW: Duration = Duration::from_millis(64);

/// So many in that time are many.
const MANY: usize = 16;

/// How a socket is to be heard from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// The loop waits for it.
    Waiting,
    /// It is read by the clock.
    Gathering,
}

/// Counts the adverts of one socket.
#[derive(Debug)]
pub(super) struct Stream {
    /// Since when they are counted.
    since: Instant,
    count: usize,
    hearing: Hearing,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            since: Instant::ZERO,
            count: 0,
            hearing: Hearing::Waiting,
        }
    }
}

impl Stream {
    /// So many adverts were read at `now`. How the socket is to be heard, if that changes.
    pub(super) fn heard(&mut self, now: Instant, count: usize) -> Option<Hearing> {
        let mut few = false;
        if now.saturating_since(self.since) >= WINDOW {
            few = self.count < MANY;
            self.count = 0;
            self.since = now;
        }
        self.count += count;
        let hearing = match self.hearing {
            Hearing::Waiting if self.count >= MANY => Hearing::Gathering,
            Hearing::Gathering if few => Hearing::Waiting,
            Hearing::Waiting | Hearing::Gathering => return None,
        };
        self.hearing = hearing;
        Some(hearing)
    }
}

/// The sockets that are read by the clock.
#[derive(Debug, Default)]
pub(super) struct Gather {
    sockets: Vec<SocketId>,
    /// When they are read next.
    next: Instant,
}

impl Gather {
    /// From `now` on, this socket is heard like this.
    pub(super) fn change(&mut self, now: Instant, socket: SocketId, hearing: Hearing) {
        self.sockets.retain(|&other| other != socket);
        match hearing {
            Hearing::Waiting => {}
            Hearing::Gathering => {
                if self.sockets.is_empty() {
                    self.next = now + REST;
                }
                self.sockets.push(socket);
            }
        }
    }

    /// How long the loop may wait at `now` before it reads them, if there are any.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        let some = !self.sockets.is_empty();
        some.then(|| self.next.saturating_since(now))
    }

    /// The sockets that are to be read at `now`: it is time, or a timer is about to fire, whose
    /// `deadline` an advert among them may move.
    pub(super) fn due(&mut self, now: Instant, deadline: Option<Instant>) -> &[SocketId] {
        let fires = deadline.is_some_and(|deadline| deadline <= now);
        if self.sockets.is_empty() || !(fires || self.next <= now) {
            return &[];
        }
        self.next = now + REST;
        &self.sockets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// What changes while for a second an advert comes every so many microseconds.
    fn changes(stream: &mut Stream, begin: u64, every: u64) -> Vec<Hearing> {
        let times = (begin..begin + SECOND).step_by(usize::try_from(every).unwrap());
        times
            .filter_map(|micros| stream.heard(Instant::from_micros(micros), 1))
            .collect()
    }

    // Input: an advert every 10 ms for a second, then one each millisecond, then every 10 ms again,
    // then none. Output: they are waited for, gathered, and waited for again.
    #[test]
    fn only_many_adverts_are_left_to_gather() {
        let mut stream = Stream::default();
        assert_eq!(changes(&mut stream, SECOND, 10_000), []);
        let many = changes(&mut stream, 2 * SECOND, 1000);
        assert_eq!(many, [Hearing::Gathering]);
        let few = changes(&mut stream, 3 * SECOND, 10_000);
        assert_eq!(few, [Hearing::Waiting]);
        changes(&mut stream, 4 * SECOND, 1000);
        let silence = (0..100).filter_map(|turn| {
            let now = Instant::from_micros(5 * SECOND) + REST * turn;
            stream.heard(now, 0)
        });
        assert_eq!(silence.collect::<Vec<_>>(), [Hearing::Waiting]);
    }

    // Input: one socket that is read by the clock, times before and after it is due, and a deadline
    // that is due before. Output: it is read when it is due, and before the timer fires.
    #[test]
    fn what_has_gathered_is_read_in_time_and_before_a_timer_fires() {
        let at = |micros| Instant::from_micros(SECOND + micros);
        let mut gather = Gather::default();
        assert_eq!(gather.patience(at(0)), None);
        assert!(gather.due(at(0), Some(at(0))).is_empty());
        let socket = SocketId(7);
        gather.change(at(0), socket, Hearing::Gathering);
        assert_eq!(gather.patience(at(1000)), Some(Duration::from_millis(3)));
        assert!(gather.due(at(1000), Some(at(1001))).is_empty());
        assert_eq!(gather.due(at(4000), None), [socket]);
        assert!(gather.due(at(5000), Some(at(5001))).is_empty());
        assert_eq!(gather.due(at(5001), Some(at(5001))), [socket]);
        assert_eq!(gather.patience(at(5001)), Some(REST));
        gather.change(at(6000), socket, Hearing::Waiting);
        assert_eq!(gather.patience(at(6000)), None);
    }
}

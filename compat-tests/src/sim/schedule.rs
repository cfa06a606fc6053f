//! The one heap of things that will happen.
//!
//! Owns: their order: by time, then by rank, then by the order in which they were put in, so that
//! a run depends on its seed alone. Never does: carry anything out. Driven by: `world`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use keepalived_rs::base::Instant;

/// What goes first of two things that happen at the same time: a daemon reads its sockets before
/// it looks at its timers, because a queued advert must beat an expired master down timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Something arrives.
    Arrival,
    /// A timer of a node is due.
    Timer,
    /// The scenario or the shadow looks at the world, after everything else.
    Observer,
}

/// Things that will happen, in order.
#[derive(Debug)]
pub struct Schedule<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    sequence: u64,
}

#[derive(Debug)]
struct Entry<T> {
    key: (Instant, Rank, u64),
    item: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sequence: 0,
        }
    }
}

impl<T> Schedule<T> {
    /// Puts `item` in for `at`.
    pub fn push(&mut self, at: Instant, rank: Rank, item: T) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry {
            key: (at, rank, self.sequence),
            item,
        }));
    }

    /// Takes the next item out, unless it lies after `until`.
    pub fn pop(&mut self, until: Instant) -> Option<(Instant, T)> {
        if self.heap.peek()?.0.key.0 > until {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        Some((entry.key.0, entry.item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: timer, arrival and second arrival at 5, observer at 3. Output: by time, rank, order.
    #[test]
    fn order_is_time_then_rank_then_insertion() {
        let at = Instant::from_micros;
        let mut schedule = Schedule::default();
        schedule.push(at(5), Rank::Timer, 'd');
        schedule.push(at(5), Rank::Arrival, 'b');
        schedule.push(at(5), Rank::Arrival, 'c');
        schedule.push(at(3), Rank::Observer, 'a');
        assert_eq!(schedule.pop(at(2)), None);
        let mut seen = String::new();
        while let Some((_, item)) = schedule.pop(at(9)) {
            seen.push(item);
        }
        assert_eq!(seen, "abcd");
    }
}

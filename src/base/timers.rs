//! Deadlines by key.
//!
//! Owns: at most one deadline for each key, and which of them is the earliest. Never does: fire by
//! itself; the owner asks with `pop_due`. Driven by: the domains.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};

use super::Instant;

/// A set of deadlines, one for each key; of deadlines that are equal the one that was set first fires
/// first, as with keepalived. To put a deadline off, which is what most of them are there for, costs
/// no more than to find its key; the rest is O(log n).
#[derive(Debug, Clone)]
pub struct TimerQueue<K: Ord> {
    by_key: BTreeMap<K, Armed>,
    /// For each key the entry that stands for it, which is never later than its deadline, and what
    /// has stood for it before. The first is a true deadline.
    order: BinaryHeap<Reverse<(Instant, u64, K)>>,
    /// Counts the settings.
    settings: u64,
}

/// A key's deadline with the number of its setting, and the entry in the order that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Armed {
    deadline: (Instant, u64),
    entry: (Instant, u64),
}

/// Entries that stand for nothing any more and are kept for each that does.
const SPARE: usize = 3;

impl<K: Ord> Default for TimerQueue<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            order: BinaryHeap::new(),
            settings: 0,
        }
    }
}

impl<K: Ord + Copy> TimerQueue<K> {
    /// Arms the timer of `key` for `at`, in place of what it was armed for.
    pub fn set(&mut self, key: K, at: Instant) {
        self.settings += 1;
        let deadline = (at, self.settings);
        match self.by_key.get_mut(&key) {
            Some(armed) if armed.entry.0 <= at => armed.deadline = deadline,
            Some(armed) => {
                *armed = Armed {
                    deadline,
                    entry: deadline,
                };
                self.order.push(Reverse((at, self.settings, key)));
            }
            None => {
                let entry = deadline;
                self.by_key.insert(key, Armed { deadline, entry });
                self.order.push(Reverse((at, self.settings, key)));
            }
        }
        self.settle();
    }

    /// Disarms the timer of `key`; returns what it was armed for.
    pub fn cancel(&mut self, key: K) -> Option<Instant> {
        let armed = self.by_key.remove(&key)?;
        self.settle();
        Some(armed.deadline.0)
    }

    /// When the timer of `key` is due, if it is armed.
    #[must_use]
    pub fn get(&self, key: K) -> Option<Instant> {
        self.by_key.get(&key).map(|armed| armed.deadline.0)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.peek().map(|&Reverse((at, ..))| at)
    }

    /// Takes the earliest timer out if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(K, Instant)> {
        let &Reverse((at, _, key)) = self.order.peek()?;
        if at > now {
            return None;
        }
        self.order.pop();
        self.by_key.remove(&key);
        self.settle();
        Some((key, at))
    }

    /// Brings a true deadline to the front: what stands for nothing goes, what was put off moves to
    /// where it belongs.
    fn settle(&mut self) {
        if self.order.len() > (1 + SPARE) * (self.by_key.len() + 1) {
            let entries = self.by_key.iter_mut().map(|(&key, armed)| {
                armed.entry = armed.deadline;
                Reverse((armed.entry.0, armed.entry.1, key))
            });
            self.order = entries.collect();
            return;
        }
        while let Some(mut first) = self.order.peek_mut() {
            let Reverse((at, setting, key)) = *first;
            match self.by_key.get_mut(&key) {
                Some(armed) if armed.entry == (at, setting) => {
                    if armed.deadline == armed.entry {
                        return;
                    }
                    armed.entry = armed.deadline;
                    *first = Reverse((armed.entry.0, armed.entry.1, key));
                }
                Some(_) | None => drop(PeekMut::pop(first)),
            }
        }
    }

    /// How many timers are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no timer is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    // Input: a at 5, b at 3, a again at 1. Output: a, b; nothing before it is due.
    #[test]
    fn a_key_has_one_deadline_and_the_earliest_comes_first() {
        let mut queue = TimerQueue::default();
        queue.set('a', at(5));
        queue.set('b', at(3));
        queue.set('a', at(1));
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.next_deadline(), Some(at(1)));
        assert_eq!(queue.pop_due(at(0)), None);
        assert_eq!(queue.pop_due(at(9)), Some(('a', at(1))));
        assert_eq!(queue.pop_due(at(9)), Some(('b', at(3))));
        assert_eq!(queue.pop_due(at(9)), None);
        assert!(queue.is_empty());
    }

    // Input: b, then a, for the same time. Output: in this order.
    #[test]
    fn of_equal_deadlines_the_first_set_comes_first() {
        let mut queue = TimerQueue::default();
        queue.set('b', at(5));
        queue.set('a', at(5));
        assert_eq!(queue.pop_due(at(5)), Some(('b', at(5))));
        assert_eq!(queue.pop_due(at(5)), Some(('a', at(5))));
    }

    #[test]
    fn a_cancelled_timer_does_not_fire() {
        let mut queue = TimerQueue::default();
        queue.set(1, at(5));
        assert_eq!(queue.cancel(1), Some(at(5)));
        assert_eq!(queue.cancel(1), None);
        assert_eq!(queue.get(1), None);
        assert_eq!(queue.next_deadline(), None);
    }

    proptest! {
        // Input: timers of a few keys that are set, cancelled and popped. Output: what a plain list
        // of deadlines gives; and no more room than for a few of each.
        #[test]
        fn it_does_what_a_list_of_deadlines_does(
            steps in proptest::collection::vec((0_u8..6, 0_u64..20, 0_u8..4), 1..200)
        ) {
            let mut queue = TimerQueue::default();
            let mut list: Vec<(Instant, usize, u8)> = Vec::new();
            for (number, (key, time, what)) in steps.into_iter().enumerate() {
                let known = list.iter().position(|&(.., other)| other == key);
                match what {
                    0 | 1 => {
                        known.map(|place| list.remove(place));
                        list.push((at(time), number, key));
                        queue.set(key, at(time));
                    }
                    2 => {
                        let gone = known.map(|place| list.remove(place).0);
                        prop_assert_eq!(queue.cancel(key), gone);
                    }
                    _ => {
                        list.sort_unstable();
                        let due = list.first().copied().filter(|&(due, ..)| due <= at(time));
                        list.retain(|&one| Some(one) != due);
                        prop_assert_eq!(queue.pop_due(at(time)), due.map(|(due, _, key)| (key, due)));
                    }
                }
                prop_assert_eq!(queue.next_deadline(), list.iter().min().map(|&(due, ..)| due));
                prop_assert_eq!(queue.len(), list.len());
                prop_assert!(queue.order.len() <= (1 + SPARE) * (list.len() + 1));
            }
        }
    }
}

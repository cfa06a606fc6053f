//! Deadlines by key.
//!
//! Owns: at most one deadline for each key, and which of them is the earliest. Never does: fire by
//! itself; the owner asks with `pop_due`. Driven by: the domains.

use std::collections::{BTreeMap, BTreeSet};

use super::Instant;

/// A set of deadlines, one for each key. All operations are O(log n); of deadlines that are equal
/// the one that was set first fires first, as with keepalived.
#[derive(Debug, Clone)]
pub struct TimerQueue<K> {
    order: BTreeSet<(Instant, u64, K)>,
    by_key: BTreeMap<K, (Instant, u64)>,
    /// Counts the settings.
    settings: u64,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        Self {
            order: BTreeSet::new(),
            by_key: BTreeMap::new(),
            settings: 0,
        }
    }
}

impl<K: Ord + Copy> TimerQueue<K> {
    /// Arms the timer of `key` for `at`, in place of what it was armed for.
    pub fn set(&mut self, key: K, at: Instant) {
        self.settings += 1;
        let setting = self.settings;
        if let Some((old, before)) = self.by_key.insert(key, (at, setting)) {
            self.order.remove(&(old, before, key));
        }
        self.order.insert((at, setting, key));
    }

    /// Disarms the timer of `key`; returns what it was armed for.
    pub fn cancel(&mut self, key: K) -> Option<Instant> {
        let (at, setting) = self.by_key.remove(&key)?;
        self.order.remove(&(at, setting, key));
        Some(at)
    }

    /// When the timer of `key` is due, if it is armed.
    #[must_use]
    pub fn get(&self, key: K) -> Option<Instant> {
        self.by_key.get(&key).map(|&(at, _)| at)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.first().map(|&(at, ..)| at)
    }

    /// Takes the earliest timer out if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(K, Instant)> {
        let &(at, _, key) = self.order.first()?;
        if at > now {
            return None;
        }
        self.order.pop_first();
        self.by_key.remove(&key);
        Some((key, at))
    }

    /// How many timers are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no timer is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

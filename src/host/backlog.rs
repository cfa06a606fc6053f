//! Lines that wait for the log daemon, in one piece of memory.
//!
//! Owns: their order. Never does: bound itself, or send. Driven by: `logger`.

use std::collections::VecDeque;

/// Room that is kept while nothing waits.
const KEPT: usize = 4096;

/// Lines one behind the other.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    text: String,
    /// Where the first of them begins; what is before it has gone.
    begin: usize,
    lengths: VecDeque<usize>,
}

impl Backlog {
    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len() - self.begin
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Adds a line behind the others.
    pub(super) fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.lengths.push_back(line.len());
    }

    /// The line that has waited longest.
    pub(super) fn first(&self) -> Option<&str> {
        let length = *self.lengths.front()?;
        self.text.get(self.begin..self.begin + length)
    }

    /// Drops that line.
    pub(super) fn drop_first(&mut self) {
        let Some(length) = self.lengths.pop_front() else {
            return;
        };
        self.begin += length;
        if self.lengths.is_empty() {
            self.text.clear();
            self.begin = 0;
            self.text.shrink_to(KEPT);
            self.lengths.shrink_to(KEPT / size_of::<usize>());
        } else if self.begin > self.text.len() / 2 {
            self.text.drain(..self.begin);
            self.begin = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a thousand lines of different lengths, with one taken for every two that come, then
    // the rest. Output: all of them in order, and their bytes counted.
    #[test]
    fn lines_leave_in_the_order_in_which_they_came() {
        let line = |number: usize| "ä".repeat(number % 7) + &number.to_string();
        let mut backlog = Backlog::default();
        let (mut seen, mut bytes) = (0, 0);
        let mut take = |backlog: &mut Backlog, bytes: &mut usize| {
            assert_eq!(backlog.first(), Some(line(seen).as_str()));
            *bytes -= line(seen).len();
            backlog.drop_first();
            assert_eq!(backlog.bytes(), *bytes);
            seen += 1;
        };
        for number in 0..1000 {
            backlog.push(&line(number));
            bytes += line(number).len();
            if number % 2 == 1 {
                take(&mut backlog, &mut bytes);
            }
        }
        for _ in 0..500 {
            take(&mut backlog, &mut bytes);
        }
        assert!(backlog.is_empty() && backlog.first().is_none());
        assert!(backlog.text.capacity() <= KEPT);
    }
}

//! One FIFO: lines in order, as many as fit, and the state of things for a reader that was away.
//!
//! Owns: the lines that wait for room, and the last state of each object. Never does: block, or
//! grow without bound: of too many lines the oldest go, their number is told in the log, and once
//! there is room the states are repeated. Driven by: `domain`.

use std::collections::{BTreeMap, VecDeque};

use crate::ops::{FifoCmd, FifoId, FifoIo, Lasting, Line};

/// How many lines wait at most; a pipe holds about 1,500 more.
pub(super) const QUEUE: usize = 1000;

/// What can be done with lines now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is not open yet: lines wait.
    Opening,
    /// Lines are written at once.
    Ready,
    /// So many of the first lines are on their way, and not answered.
    Writing(usize),
    /// There is no room: lines wait.
    Full,
    /// It is of no use: lines are dropped.
    Broken,
}

/// One FIFO.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) id: FifoId,
    state: State,
    waiting: VecDeque<Vec<u8>>,
    lost: u64,
    /// The last state of each object, as a line.
    states: BTreeMap<String, Vec<u8>>,
}

impl Queue {
    /// A FIFO that is being opened.
    pub(super) const fn new(id: FifoId) -> Self {
        Self {
            id,
            state: State::Opening,
            waiting: VecDeque::new(),
            lost: 0,
            states: BTreeMap::new(),
        }
    }

    /// Takes a line, which ends with `end`; returns what to do with the FIFO.
    pub(super) fn push(&mut self, line: &Line, end: &[u8]) -> Option<FifoCmd> {
        let mut bytes = format!("{} {}", line.object, line.state).into_bytes();
        bytes.extend_from_slice(end);
        match line.lasting {
            Lasting::State => {
                self.states.insert(line.object.clone(), bytes.clone());
            }
            Lasting::Last => {
                self.states.remove(&line.object);
            }
            Lasting::Event => {}
        }
        if self.state == State::Broken {
            return None;
        }
        self.waiting.push_back(bytes);
        let under_way = match self.state {
            State::Writing(count) => count,
            State::Opening | State::Ready | State::Full | State::Broken => 0,
        };
        if self.waiting.len() > under_way + QUEUE {
            self.waiting.remove(under_way);
            self.lost += 1;
        }
        self.flush()
    }

    fn flush(&mut self) -> Option<FifoCmd> {
        if self.state != State::Ready || self.waiting.is_empty() {
            return None;
        }
        self.state = State::Writing(self.waiting.len());
        Some(FifoCmd::Write(self.waiting.iter().cloned().collect()))
    }

    /// What is left to write when the FIFO is about to be closed: it is not answered any more.
    pub(super) fn last_words(&mut self) -> Option<FifoCmd> {
        let under_way = match self.state {
            State::Writing(count) => count,
            State::Opening | State::Ready | State::Full => 0,
            State::Broken => return None,
        };
        let rest: Vec<Vec<u8>> = self.waiting.drain(..).skip(under_way).collect();
        self.state = State::Broken;
        (!rest.is_empty()).then_some(FifoCmd::Write(rest))
    }

    /// Takes what the FIFO says; returns what to do with it, and how many lines were lost before
    /// there was room again.
    pub(super) fn on(&mut self, what: FifoIo) -> (Option<FifoCmd>, u64) {
        match (what, self.state) {
            (FifoIo::Open, State::Opening) | (FifoIo::Room, State::Full) => {
                self.state = State::Ready;
                let lost = std::mem::take(&mut self.lost);
                if lost > 0 {
                    self.waiting.extend(self.states.values().cloned());
                }
                (self.flush(), lost)
            }
            (FifoIo::Wrote(count), State::Writing(under_way)) => {
                let done = count.min(under_way);
                self.waiting.drain(..done);
                self.state = if done < under_way {
                    State::Full
                } else {
                    State::Ready
                };
                (self.flush(), 0)
            }
            (FifoIo::Failed(_), _) => {
                self.state = State::Broken;
                self.waiting.clear();
                (None, 0)
            }
            // Room that nobody waits for, and answers to what was broken meanwhile.
            (FifoIo::Open | FifoIo::Room | FifoIo::Wrote(_), _) => (None, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &str, state: &str, lasting: Lasting) -> Line {
        Line {
            object: object.into(),
            state: state.into(),
            lasting,
        }
    }

    fn text(command: Option<FifoCmd>) -> Vec<String> {
        match command {
            Some(FifoCmd::Write(lines)) => lines
                .iter()
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect(),
            Some(FifoCmd::Open { .. } | FifoCmd::Close) => panic!("no write"),
            None => Vec::new(),
        }
    }

    // Input: a line before it is open, two while the first is under way, of which one fits, room.
    // Output: each line once, in order.
    #[test]
    fn lines_keep_their_order_and_none_is_written_twice() {
        let mut queue = Queue::new(FifoId(1));
        assert_eq!(queue.push(&line("A", "1", Lasting::State), b"\n"), None);
        assert_eq!(text(queue.on(FifoIo::Open).0), ["A 1\n"]);
        assert_eq!(queue.push(&line("A", "2", Lasting::State), b"\n"), None);
        assert_eq!(queue.push(&line("A", "3", Lasting::State), b"\n\0"), None);
        let (command, lost) = queue.on(FifoIo::Wrote(1));
        assert_eq!((text(command).len(), lost), (2, 0));
        assert_eq!(queue.on(FifoIo::Wrote(1)), (None, 0));
        assert_eq!(queue.push(&line("A", "4", Lasting::State), b"\n"), None);
        let (command, lost) = queue.on(FifoIo::Room);
        assert_eq!(
            (text(command), lost),
            (vec!["A 3\n\0".into(), "A 4\n".into()], 0)
        );
        assert_eq!(queue.on(FifoIo::Room), (None, 0));
    }

    // Input: three lines of a stop, of which the first is under way when the FIFO is closed. Output: the
    // other two, once.
    #[test]
    fn what_waits_is_written_before_the_end() {
        let mut queue = Queue::new(FifoId(1));
        queue.on(FifoIo::Open);
        for object in ["A", "B", "G"] {
            queue.push(&line(object, "STOP", Lasting::Last), b"\n");
        }
        assert_eq!(text(queue.last_words()), ["B STOP\n", "G STOP\n"]);
        assert_eq!(queue.last_words(), None);
    }

    // Input: 1,500 lines while nobody reads; B has gone, C was only an event. Output: the newest 1,000,
    // the number of those lost, and the states of what is left.
    #[test]
    fn the_oldest_lines_go_and_states_are_repeated() {
        let mut queue = Queue::new(FifoId(1));
        queue.on(FifoIo::Open);
        queue.push(&line("B", "UP", Lasting::State), b"\n");
        assert_eq!(queue.on(FifoIo::Wrote(0)), (None, 0));
        queue.push(&line("C", "EVENT", Lasting::Event), b"\n");
        for number in 0..1500 {
            let state = number.to_string();
            assert_eq!(queue.push(&line("A", &state, Lasting::State), b"\n"), None);
        }
        queue.push(&line("B", "DOWN", Lasting::Last), b"\n");
        let (command, lost) = queue.on(FifoIo::Room);
        let lines = text(command);
        assert_eq!((lines.len(), lost), (QUEUE + 1, 503));
        assert_eq!(lines[0], "A 501\n");
        assert_eq!(lines[QUEUE - 1..], ["B DOWN\n", "A 1499\n"]);
    }
}

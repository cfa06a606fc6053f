//! Which descriptor an event of epoll belongs to.
//!
//! Owns: tokens made of an index and a generation. Never does: keep a descriptor. Driven by:
//! `event_loop` and `exec`.
//!
//! The generation tells an event of a closed descriptor from one of its successor at the same
//! index: epoll may report both in one turn.

use mio::Token;
use slab::Slab;

use crate::ops::{ChildId, FifoId, ProbeId, SocketId};

/// What can become ready. The order is that of handling within a turn: a signal first, then what
/// changes the ground (links), then adverts, then checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The signal pipe.
    Signals,
    /// The netlink monitor.
    Monitor,
    /// A socket with adverts.
    Vrrp(SocketId),
    /// A UDP socket of the node.
    Datagrams(SocketId),
    /// A probe's connection.
    Probe(ProbeId),
    /// The end of a child.
    Child(ChildId),
    /// Changes of watched files.
    Files,
    /// Room in a FIFO.
    Fifo(FifoId),
    /// Names that were looked up.
    Names,
    /// Patterns that were looked for.
    Searches,
    /// News of processes.
    Processes,
    /// The timer; it only wakes the loop.
    Timer,
}

impl Source {
    /// Whether what it says tells of neighbours, and has to be heard before a timer that waits for
    /// them expires.
    pub(super) const fn hears_neighbors(self) -> bool {
        matches!(self, Self::Vrrp(_) | Self::Datagrams(_))
    }
}

/// The table of tokens.
#[derive(Debug, Default)]
pub(super) struct Sources {
    entries: Slab<(usize, Source)>,
    generation: usize,
}

/// Half of a token is the index, half the generation.
const SHIFT: u32 = usize::BITS / 2;
const MASK: usize = (1 << SHIFT) - 1;

impl Sources {
    /// A token for `source`.
    pub(super) fn insert(&mut self, source: Source) -> Token {
        self.generation = (self.generation + 1) & MASK;
        let index = self.entries.insert((self.generation, source));
        Token(index | self.generation << SHIFT)
    }

    /// Whose token it is, unless that is gone.
    pub(super) fn get(&self, token: usize) -> Option<Source> {
        match self.entries.get(token & MASK) {
            Some(&(generation, source)) if generation == token >> SHIFT => Some(source),
            _ => None,
        }
    }

    /// Forgets a token.
    pub(super) fn remove(&mut self, token: usize) {
        if self.get(token).is_some() {
            self.entries.remove(token & MASK);
        }
    }

    /// Forgets the token of a socket.
    pub(super) fn remove_socket(&mut self, id: SocketId) {
        self.entries.retain(|_, (_, source)| {
            !matches!(source, Source::Vrrp(of) | Source::Datagrams(of) if *of == id)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a token, removed, and another at the same index. Output: the old one means nothing.
    #[test]
    fn a_stale_token_is_nobodys() {
        let mut sources = Sources::default();
        let old = sources.insert(Source::Probe(ProbeId(1)));
        sources.remove(old.0);
        let new = sources.insert(Source::Vrrp(SocketId(2)));
        assert_eq!(old.0 & MASK, new.0 & MASK);
        assert_eq!(sources.get(old.0), None);
        assert_eq!(sources.get(new.0), Some(Source::Vrrp(SocketId(2))));
        sources.remove(old.0);
        assert_eq!(sources.get(new.0), Some(Source::Vrrp(SocketId(2))));
        sources.remove_socket(SocketId(2));
        assert_eq!(sources.get(new.0), None);
    }
}

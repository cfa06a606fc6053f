//! `TCP_CHECK`: a connection that comes about is a success.
//!
//! Owns: the meaning of what happens to that connection. Driven by: `Attempt`.

use super::{Outcome, Verdict};
use crate::ops::{ProbeFailure, ProbeIo};

/// What happened says all there is to know.
pub(super) const fn on(what: ProbeIo<'_>) -> Verdict {
    Verdict::plain(match what {
        ProbeIo::Connected
        | ProbeIo::Bytes(_)
        | ProbeIo::Closed
        | ProbeIo::CutOff
        | ProbeIo::Searched(_) => Outcome::Success,
        ProbeIo::Failed(ProbeFailure::Remote(_)) => Outcome::Failure,
        ProbeIo::Failed(ProbeFailure::Local(errno)) => Outcome::Unknown(errno),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: each thing that can happen to a connection. Output: what it says of the server.
    #[test]
    fn a_connection_is_all_that_counts() {
        let remote = ProbeIo::Failed(ProbeFailure::Remote(111));
        let local = ProbeIo::Failed(ProbeFailure::Local(24));
        assert_eq!(on(ProbeIo::Connected).outcome, Outcome::Success);
        assert_eq!(on(remote).outcome, Outcome::Failure);
        assert_eq!(on(local).outcome, Outcome::Unknown(24));
    }
}

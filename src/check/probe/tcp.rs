//! `TCP_CHECK`: a connection that comes about is a success.
//!
//! Owns: the meaning of what happens to that connection. Driven by: `domain`.

use super::Outcome;
use crate::conf::model::TcpCheck;
use crate::ops::{ConnectSpec, ProbeCmd, ProbeFailure, ProbeIo};

/// A connection under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct TcpProbe;

impl TcpProbe {
    /// Starts an attempt; the deadline is the domain's.
    pub(in crate::check) fn start(check: &TcpCheck) -> (Self, ProbeCmd) {
        let connect = ConnectSpec {
            to: check.target,
            from: check.bind,
            interface: check.bind_interface.clone(),
            mark: check.fwmark,
        };
        (Self, ProbeCmd::Connect(connect))
    }

    /// Takes what happened; gives the outcome and what to do with the connection.
    pub(in crate::check) const fn on(self, what: ProbeIo) -> (Outcome, Option<ProbeCmd>) {
        match what {
            ProbeIo::Connected => (Outcome::Success, Some(ProbeCmd::Close)),
            ProbeIo::Failed(ProbeFailure::Remote(_)) => (Outcome::Failure, None),
            ProbeIo::Failed(ProbeFailure::Local(errno)) => (Outcome::Unknown(errno), None),
        }
    }

    /// `connect_timeout` is over.
    pub(in crate::check) const fn deadline(self) -> (Outcome, ProbeCmd) {
        (Outcome::Timeout, ProbeCmd::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: each thing that can happen to a connection. Output: what it says of the server.
    #[test]
    fn a_connection_is_all_that_counts() {
        let close = Some(ProbeCmd::Close);
        let remote = ProbeIo::Failed(ProbeFailure::Remote(111));
        let local = ProbeIo::Failed(ProbeFailure::Local(24));
        assert_eq!(TcpProbe.on(ProbeIo::Connected), (Outcome::Success, close));
        assert_eq!(TcpProbe.on(remote), (Outcome::Failure, None));
        assert_eq!(TcpProbe.on(local), (Outcome::Unknown(24), None));
        assert_eq!(TcpProbe.deadline(), (Outcome::Timeout, ProbeCmd::Close));
    }
}

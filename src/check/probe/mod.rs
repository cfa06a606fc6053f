//! One attempt of a check, as a machine without a clock or a connection of its own.
//!
//! Owns: what an attempt asks of its connection and what its answers mean. Never does: count
//! attempts or judge a server (`checker` does). Driven by: `domain`.

mod tcp;

pub(super) use tcp::TcpProbe;

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered as it should.
    Success,
    /// It did not: refused, unreachable, broken.
    Failure,
    /// It did not answer in time.
    Timeout,
    /// This host could not even ask: tells nothing of the server. The system's error number.
    Unknown(i32),
}

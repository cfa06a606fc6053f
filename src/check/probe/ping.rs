//! `PING_CHECK`: an echo that comes back.
//!
//! Owns: the echo, and which datagram is its reply. Driven by: `Attempt`.

use super::{Detail, Outcome, Verdict};
use crate::base::Family;
use crate::ops::{ProbeCmd, ProbeIo};
use crate::wire::icmp;

/// Bytes of the echo beyond its header, as keepalived sends them.
const PAYLOAD: usize = 128;

/// Sends the echo.
pub(super) fn start(family: Family, nonce: u64, out: &mut Vec<ProbeCmd>) {
    let echo = icmp::echo(family, sequence(nonce), &payload(nonce));
    out.push(ProbeCmd::Write(echo));
}

/// Takes what happened.
pub(super) fn on(family: Family, nonce: u64, what: ProbeIo<'_>) -> Option<Verdict> {
    match what {
        ProbeIo::Connected | ProbeIo::Closed | ProbeIo::CutOff | ProbeIo::Searched(_) => None,
        ProbeIo::Failed(_) => Some(Verdict {
            outcome: Outcome::Failure,
            detail: Detail::PingSend,
        }),
        ProbeIo::Bytes(bytes) => match icmp::echo_reply(family, bytes) {
            Some((number, body)) if number == sequence(nonce) && body == payload(nonce) => {
                Some(Verdict::plain(Outcome::Success))
            }
            Some(_) | None => None,
        },
    }
}

/// Only its low half: it is 16 bits long.
fn sequence(nonce: u64) -> u16 {
    u16::try_from(nonce & 0xffff).unwrap_or(0)
}

/// The nonce, over and over: no other reply has the same.
fn payload(nonce: u64) -> Vec<u8> {
    nonce
        .to_be_bytes()
        .into_iter()
        .cycle()
        .take(PAYLOAD)
        .collect()
}

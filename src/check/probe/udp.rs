//! `UDP_CHECK`: a datagram that does not come back as an error, or is answered.
//!
//! Owns: what is sent where nothing is configured, and which answer is the right one. Driven by:
//! `Attempt`.

use super::{Detail, Outcome, Verdict};
use crate::conf::model::UdpProbe;
use crate::ops::{ProbeCmd, ProbeIo};

/// What keepalived sends where no payload is configured.
const PAYLOAD: &[u8] = b"keepalived check - keepalived ch";

/// Sends the datagram.
pub(super) fn start(probe: &UdpProbe, out: &mut Vec<ProbeCmd>) {
    let payload = if probe.payload.is_empty() {
        PAYLOAD
    } else {
        &probe.payload
    };
    out.push(ProbeCmd::Write(payload.to_vec()));
}

/// Takes what happened.
pub(super) fn on(probe: &UdpProbe, what: ProbeIo<'_>) -> Option<Verdict> {
    match what {
        ProbeIo::Connected | ProbeIo::Closed | ProbeIo::CutOff | ProbeIo::Searched(_) => None,
        ProbeIo::Failed(_) => Some(Verdict::plain(Outcome::Failure)),
        // Without a reply to wait for, any is one.
        ProbeIo::Bytes(bytes) => Some(if fits(probe, bytes) {
            Verdict::plain(Outcome::Success)
        } else {
            Verdict {
                outcome: Outcome::Failure,
                detail: Detail::UdpMismatch,
            }
        }),
    }
}

/// The time is over: good, unless a reply is needed.
pub(super) const fn late(probe: &UdpProbe) -> Verdict {
    Verdict::plain(if probe.reply.is_some() {
        Outcome::Timeout
    } else {
        Outcome::Success
    })
}

fn fits(probe: &UdpProbe, bytes: &[u8]) -> bool {
    let Some(wanted) = &probe.reply else {
        return true;
    };
    let (least, most) = (usize::from(probe.min_reply), usize::from(probe.max_reply));
    (least..=most).contains(&bytes.len())
        && bytes.len() >= wanted.len()
        && wanted
            .iter()
            .zip(bytes)
            .all(|((byte, mask), found)| byte & mask == found & mask)
}

//! `DNS_CHECK`: a name server that answers a question.
//!
//! Owns: the question, and which datagram is its answer. Driven by: `Attempt`.
//!
//! An answer is one that carries the number of the question; what else arrives is no answer, and
//! waiting goes on. It has to be without error (RCODE 0); that it holds no record is fine.

use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, TYPE, header_buffer};

use super::{Detail, Outcome, Verdict};
use crate::conf::model::{DnsProbe, DnsType};
use crate::ops::{ProbeCmd, ProbeFailure, ProbeIo};

/// Bytes of a header (RFC 1035 §4.1.1); what is shorter is no message.
const HEADER: usize = 12;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum DnsFault {
    /// The datagram came back, with this error number.
    Socket(i32),
    /// No answer in time.
    Timeout,
    /// The answer tells of an error with this RCODE.
    Rcode(u8),
}

/// Asks; the number tells the answer.
fn ask(probe: &DnsProbe, number: u16) -> Option<Vec<u8>> {
    let name = probe.name.as_deref().unwrap_or("");
    let name = Name::new(name.trim_end_matches('.')).ok()?;
    let mut packet = Packet::new_query(number);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(record(probe.record));
    packet
        .questions
        .push(Question::new(name, kind, CLASS::IN.into(), false));
    packet.build_bytes_vec().ok()
}

const fn record(kind: DnsType) -> TYPE {
    match kind {
        DnsType::A => TYPE::A,
        DnsType::Ns => TYPE::NS,
        DnsType::Cname => TYPE::CNAME,
        DnsType::Soa => TYPE::SOA,
        DnsType::Mx => TYPE::MX,
        DnsType::Txt => TYPE::TXT,
        DnsType::Aaaa => TYPE::AAAA,
        DnsType::Rrsig => TYPE::RRSIG,
        DnsType::Dnskey => TYPE::DNSKEY,
    }
}

/// Starts an attempt. A name that cannot be asked for is refused when the configuration is read.
pub(super) fn start(probe: &DnsProbe, number: u16, out: &mut Vec<ProbeCmd>) {
    out.extend(ask(probe, number).map(ProbeCmd::Write));
}

/// Takes what happened.
pub(super) fn on(number: u16, what: ProbeIo<'_>) -> Option<Verdict> {
    match what {
        ProbeIo::Connected | ProbeIo::Closed | ProbeIo::CutOff | ProbeIo::Searched(_) => None,
        ProbeIo::Failed(ProbeFailure::Remote(errno) | ProbeFailure::Local(errno)) => {
            Some(fault(DnsFault::Socket(errno)))
        }
        ProbeIo::Bytes(bytes) => {
            let answers = bytes.len() >= HEADER
                && header_buffer::id(bytes) == Ok(number)
                && header_buffer::has_flags(bytes, PacketFlag::RESPONSE) == Ok(true);
            if !answers {
                return None;
            }
            // The lower four bits of the fourth byte; simple_dns names only some of them.
            match bytes.get(3).map(|byte| byte & 0x0f) {
                None => None,
                Some(0) => Some(Verdict::plain(Outcome::Success)),
                Some(rcode) => Some(fault(DnsFault::Rcode(rcode))),
            }
        }
    }
}

const fn fault(fault: DnsFault) -> Verdict {
    Verdict {
        outcome: Outcome::Failure,
        detail: Detail::Dns(fault),
    }
}

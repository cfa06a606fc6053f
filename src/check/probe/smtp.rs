//! `SMTP_CHECK`: a mail server that greets and answers a greeting.
//!
//! Owns: the dialogue, banner, `HELO`, `QUIT`, and what its answers mean. Driven by: `Attempt`.
//!
//! Success is the answer to `HELO`; that to `QUIT` is not waited for. Answers of several lines
//! (RFC 5321 §4.2.1) are read whole, however they are cut.

use smtp_proto::Error;
use smtp_proto::response::parser::ResponseReceiver;

use super::{Detail, Outcome, Verdict};
use crate::base::Instant;
use crate::conf::model::SmtpProbe;
use crate::ops::{ProbeCmd, ProbeIo};

/// What keepalived calls itself where no name is given.
const HELO_NAME: &str = "smtpchecker.keepalived.org";

/// The longest answer, in bytes. RFC 5321 §4.5.3.1.5 has 512 for a line.
const LONGEST: usize = 64 * 1024;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum SmtpFault {
    /// The connection did not come about.
    Connect,
    /// Nor was it refused in time.
    ConnectTimeout,
    /// It broke, or closed before the end.
    Read,
    /// An answer did not come in time.
    ReadTimeout,
    /// The banner is not 220.
    Banner,
    /// The answer to `HELO` is not 250.
    Helo,
}

/// How far the dialogue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Banner,
    Helo,
}

/// A dialogue under way.
pub(in crate::check) struct Dialogue {
    state: State,
    answer: ResponseReceiver,
    /// Bytes of it so far.
    heard: usize,
    until: Instant,
}

impl std::fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialogue({:?})", self.state)
    }
}

impl Dialogue {
    pub(super) fn new(until: Instant) -> Self {
        Self {
            state: State::Connecting,
            answer: ResponseReceiver::default(),
            heard: 0,
            until,
        }
    }

    /// When it is over.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// Takes what happened to the connection.
    pub(super) fn on(
        &mut self,
        probe: &SmtpProbe,
        what: ProbeIo<'_>,
        out: &mut Vec<ProbeCmd>,
    ) -> Option<Verdict> {
        match (self.state, what) {
            (State::Connecting, ProbeIo::Connected) => {
                self.state = State::Banner;
                None
            }
            (
                State::Connecting,
                ProbeIo::Bytes(_) | ProbeIo::Closed | ProbeIo::CutOff | ProbeIo::Failed(_),
            ) => Some(fault(SmtpFault::Connect)),
            (State::Connecting | State::Banner | State::Helo, ProbeIo::Searched(_))
            | (State::Banner | State::Helo, ProbeIo::Connected) => None,
            (State::Banner | State::Helo, ProbeIo::Bytes(bytes)) => self.read(probe, bytes, out),
            (
                State::Banner | State::Helo,
                ProbeIo::Closed | ProbeIo::CutOff | ProbeIo::Failed(_),
            ) => Some(fault(SmtpFault::Read)),
        }
    }

    fn read(
        &mut self,
        probe: &SmtpProbe,
        bytes: &[u8],
        out: &mut Vec<ProbeCmd>,
    ) -> Option<Verdict> {
        let mut rest = bytes;
        loop {
            // Lines that say nothing count as well, which the receiver does not see to.
            let room = rest.len().min(LONGEST - self.heard);
            let (part, beyond) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let mut part = part.iter();
            let code = match self.answer.parse(&mut part) {
                Ok(answer) => Some(answer.code),
                Err(Error::NeedsMoreData { .. }) if beyond.is_empty() => {
                    self.heard += room;
                    return None;
                }
                // Not an answer at all, or one without end.
                Err(_) => None,
            };
            rest = rest.get(room - part.len()..).unwrap_or_default();
            self.heard = 0;
            self.answer = ResponseReceiver::default();
            match (self.state, code) {
                (State::Banner, Some(220)) => {
                    self.state = State::Helo;
                    let name = probe.helo_name.as_deref().unwrap_or(HELO_NAME);
                    out.push(ProbeCmd::Write(format!("HELO {name}\r\n").into_bytes()));
                }
                (State::Helo, Some(250)) => {
                    out.push(ProbeCmd::Write(b"QUIT\r\n".to_vec()));
                    return Some(Verdict::plain(Outcome::Success));
                }
                (State::Helo, _) => return Some(fault(SmtpFault::Helo)),
                (State::Banner | State::Connecting, _) => return Some(fault(SmtpFault::Banner)),
            }
        }
    }

    /// What is missing when the time is over.
    pub(super) const fn late(&self) -> SmtpFault {
        match self.state {
            State::Connecting => SmtpFault::ConnectTimeout,
            State::Banner | State::Helo => SmtpFault::ReadTimeout,
        }
    }
}

const fn fault(fault: SmtpFault) -> Verdict {
    Verdict {
        outcome: Outcome::Failure,
        detail: Detail::Smtp(fault),
    }
}

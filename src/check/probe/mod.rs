//! One attempt of a check, as a machine without a clock or a connection of its own.
//!
//! Owns: what an attempt asks of its connection and what its answers mean. Never does: count
//! attempts or judge a server (`checker` does). Driven by: `domain`, which hands on what happens to
//! the connection, tells of the deadline, and closes what an outcome leaves open.

mod dns;
mod http;
pub(super) mod misc;
mod ping;
mod smtp;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

pub(super) use dns::DnsFault;
pub(super) use http::HttpFault;
pub(super) use misc::MiscEnd;
pub(super) use smtp::SmtpFault;

use crate::base::{Family, Instant};
use crate::conf::model::{CheckRef, HttpProbe, ProbeKind, TcpCheck};
use crate::ops::{ConnectSpec, ProbeCmd, ProbeFailure, ProbeIo, Transport};

/// Linux's number for a network that no route leads to.
const ENETUNREACH: i32 = 101;

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered as it should.
    Success,
    /// It did not: refused, unreachable, broken, or a wrong answer.
    Failure,
    /// It did not answer in time.
    Timeout,
    /// This host could not even ask: tells nothing of the server. The system's error number.
    Unknown(i32),
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What it says of the server.
    pub(super) outcome: Outcome,
    /// What the log says of it, by the kind of the check.
    pub(super) detail: Detail,
}

/// What is worth telling of an attempt beyond its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing.
    None,
    /// What was wrong with an answer to `HTTP_GET`, or with none.
    Http(HttpFault),
    /// A body of another length than announced: so many bytes instead of so many. The attempt
    /// succeeds all the same.
    HttpLength {
        /// `Content-Length`.
        announced: u64,
        /// Bytes that came.
        received: u64,
    },
    /// What went wrong in `SMTP_CHECK`.
    Smtp(SmtpFault),
    /// What went wrong in `DNS_CHECK`.
    Dns(DnsFault),
    /// The reply in `UDP_CHECK` is not the one that is wanted.
    UdpMismatch,
    /// No route leads to the server.
    Unreachable,
    /// The echo of `PING_CHECK` could not be sent.
    PingSend,
    /// How the program of `MISC_CHECK` failed.
    Misc(MiscEnd),
}

/// What an attempt needs to know beside its check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// `virtualhost` of the server or the service.
    pub(super) virtual_host: Option<&'a str>,
    /// Which resource of a check with several is due.
    pub(super) place: usize,
    /// A number that a peer cannot guess.
    pub(super) nonce: u64,
    /// When the attempt is over, however many steps it has made.
    pub(super) until: Instant,
}

/// An attempt under way.
#[derive(Debug)]
pub(super) enum Attempt {
    /// `TCP_CHECK`.
    Tcp,
    /// `HTTP_GET`, `SSL_GET`.
    Http(Box<http::Exchange>),
    /// `SMTP_CHECK`.
    Smtp(Box<smtp::Dialogue>),
    /// `DNS_CHECK`, with the number of the question.
    Dns(u16),
    /// `UDP_CHECK`.
    Udp,
    /// `PING_CHECK`, with the number that the echo carries.
    Ping(u64),
    /// `MISC_CHECK`; the domain has it run.
    Misc(misc::Phase),
    /// `FILE_CHECK` of the file with this name; it goes on until the check does not.
    File(String),
    /// `BFD_CHECK` of the session with this name; it goes on as well.
    Bfd(String),
}

impl Verdict {
    /// An outcome of which there is no more to tell.
    const fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: Detail::None,
        }
    }

    /// This host lacks something.
    const fn unknown(errno: i32) -> Self {
        Self::plain(Outcome::Unknown(errno))
    }
}

impl Attempt {
    /// Starts an attempt: says in `out` what to do, in order.
    pub(super) fn start(
        check: CheckRef<'_>,
        setting: Setting<'_>,
        out: &mut Vec<ProbeCmd>,
    ) -> Self {
        let target = check.connect.target;
        let mut open = |transport| out.push(connect(check.connect, transport));
        match check.kind {
            Some(ProbeKind::Http(probe)) => {
                let exchange = http::Exchange::new(probe, target, setting);
                open(exchange.transport(probe, setting));
                Self::Http(Box::new(exchange))
            }
            Some(ProbeKind::Smtp(_)) => {
                open(Transport::Stream);
                Self::Smtp(Box::new(smtp::Dialogue::new(setting.until)))
            }
            Some(ProbeKind::Dns(probe)) => {
                open(Transport::Datagram);
                let number = u16::try_from(setting.nonce & 0xffff).unwrap_or(0);
                dns::start(probe, number, out);
                Self::Dns(number)
            }
            Some(ProbeKind::Udp(probe)) => {
                open(Transport::Datagram);
                udp::start(probe, out);
                Self::Udp
            }
            Some(ProbeKind::Ping) => {
                open(Transport::Echo);
                ping::start(Family::of(target.ip()), setting.nonce, out);
                Self::Ping(setting.nonce)
            }
            // These do not connect.
            Some(ProbeKind::Misc(_) | ProbeKind::File(_) | ProbeKind::Bfd(_)) | None => {
                open(Transport::Handshake);
                Self::Tcp
            }
        }
    }

    /// Takes what happened to the connection; `None`: the attempt goes on.
    pub(super) fn on(
        &mut self,
        check: CheckRef<'_>,
        what: ProbeIo<'_>,
        out: &mut Vec<ProbeCmd>,
    ) -> Option<Verdict> {
        if let ProbeIo::Failed(ProbeFailure::Local(errno)) = what {
            return Some(Verdict::unknown(errno));
        }
        // The echo of a ping says so in its own way.
        if let ProbeIo::Failed(ProbeFailure::Remote(ENETUNREACH)) = what
            && !matches!(self, Self::Ping(_))
        {
            return Some(Verdict {
                outcome: Outcome::Failure,
                detail: Detail::Unreachable,
            });
        }
        match (self, check.kind) {
            (Self::Http(exchange), Some(ProbeKind::Http(probe))) => {
                let url = probe.urls.get(exchange.place())?;
                exchange.on((probe, url), what, out)
            }
            (Self::Smtp(dialogue), Some(ProbeKind::Smtp(probe))) => dialogue.on(probe, what, out),
            (Self::Dns(number), _) => dns::on(*number, what),
            (Self::Udp, Some(ProbeKind::Udp(probe))) => udp::on(probe, what),
            (Self::Ping(nonce), _) => ping::on(Family::of(check.connect.target.ip()), *nonce, what),
            // A check that changes its kind is another check.
            // It has no connection.
            (Self::Misc(_) | Self::File(_) | Self::Bfd(_), _) => None,
            (Self::Tcp | Self::Http(_) | Self::Smtp(_) | Self::Udp, _) => Some(tcp::on(what)),
        }
    }

    /// When a dialogue of several steps is over; `None`: there is but one step, with one deadline.
    pub(super) const fn until(&self) -> Option<Instant> {
        match self {
            Self::Http(exchange) => Some(exchange.until()),
            Self::Smtp(dialogue) => Some(dialogue.until()),
            Self::Tcp
            | Self::Dns(_)
            | Self::Udp
            | Self::Ping(_)
            | Self::Misc(_)
            | Self::File(_)
            | Self::Bfd(_) => None,
        }
    }

    /// Bytes of answers that it holds at most.
    #[cfg(test)]
    fn holds(&self) -> usize {
        match self {
            Self::Http(exchange) => exchange.holds(),
            Self::Smtp(_)
            | Self::Tcp
            | Self::Dns(_)
            | Self::Udp
            | Self::Ping(_)
            | Self::Misc(_)
            | Self::File(_)
            | Self::Bfd(_) => 0,
        }
    }

    /// The time is over.
    pub(super) fn deadline(&self, check: CheckRef<'_>) -> Verdict {
        let detail = match (self, check.kind) {
            (Self::Udp, Some(ProbeKind::Udp(probe))) => return udp::late(probe),
            (Self::Http(exchange), _) => Detail::Http(exchange.late()),
            (Self::Smtp(dialogue), _) => Detail::Smtp(dialogue.late()),
            (Self::Dns(_), _) => Detail::Dns(DnsFault::Timeout),
            (Self::Misc(_), _) => return misc::timed_out(),
            (Self::Tcp | Self::Ping(_) | Self::Udp | Self::File(_) | Self::Bfd(_), _) => {
                Detail::None
            }
        };
        Verdict {
            outcome: Outcome::Timeout,
            detail,
        }
    }
}

/// The check, if it is one over HTTP.
pub(super) const fn http_of(check: CheckRef<'_>) -> Option<&HttpProbe> {
    match check.kind {
        Some(ProbeKind::Http(probe)) => Some(probe),
        _ => None,
    }
}

fn connect(check: &TcpCheck, transport: Transport) -> ProbeCmd {
    ProbeCmd::Connect(ConnectSpec {
        to: check.target,
        from: check.bind,
        interface: check.bind_interface.clone(),
        mark: check.fwmark,
        transport,
    })
}

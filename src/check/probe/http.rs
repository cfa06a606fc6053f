//! `HTTP_GET` and `SSL_GET`: one resource asked for, its answer judged.
//!
//! Owns: the request as keepalived sends it, and what an answer is worth: status, MD5 sum. Never
//! does: choose the resource (`course` does), keep a body. Driven by: `Attempt`.
//!
//! An answer ends when the peer closes, whatever its length says; so does keepalived's, and a peer
//! that stays connected runs into the timeout. Headers are read leniently: what servers send in the
//! field matters, not what they should send.

use std::net::SocketAddr;

use md5::{Digest as _, Md5};

use super::{Detail, Outcome, Setting, Verdict};
use crate::base::Instant;
use crate::conf::model::{HttpProbe, HttpProtocol, HttpUrl};
use crate::ops::{Pattern, ProbeCmd, ProbeIo, Search, Searched, Transport};

/// The longest header, in bytes. keepalived takes 4 KiB for header and first part of the body.
const MAX_HEADER: usize = 64 * 1024;
/// So much of a body is kept for the pattern, in bytes; it is not looked for in what follows.
const MAX_TEXT: usize = 1024 * 1024;
/// Header lines that are looked at first; more are only counted when there are more.
const LINES: usize = 32;
/// And at most.
const MAX_LINES: usize = 4096;
/// The status codes that count where none are given.
const DEFAULT_CODES: (u16, u16) = (200, 299);

/// What was wrong with an answer, or with getting one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum HttpFault {
    /// The connection did not come about.
    Connect,
    /// Nor was it refused in time.
    ConnectTimeout,
    /// Nothing at all came in time.
    ResponseTimeout,
    /// It was not complete in time.
    ReadTimeout,
    /// The connection broke.
    Read,
    /// It closed before the header was complete.
    NoData,
    /// The status code is none of those that count.
    Status,
    /// The body has another MD5 sum.
    Digest,
    /// The pattern is not in the body, or it is and should not be.
    Regex,
}

/// A request and its answer.
#[derive(Debug)]
pub(in crate::check) struct Exchange {
    request: Vec<u8>,
    /// Which resource it asks for.
    place: usize,
    state: State,
    until: Instant,
}

/// How far the answer is.
#[derive(Debug)]
enum State {
    /// The connection is under way.
    Connecting,
    /// What came of the header.
    Header(Vec<u8>),
    /// The header is complete.
    Body(Body),
    /// The body is complete and as it should be, but for the pattern.
    Searching {
        /// The verdict if the pattern agrees.
        then: Verdict,
    },
}

/// What is known of an answer whose header is complete.
#[derive(Debug)]
struct Body {
    status: Option<u16>,
    announced: Option<u64>,
    received: u64,
    /// Only where a sum is asked for.
    md5: Option<Md5>,
    /// What the pattern is looked for in, where there is one.
    text: Option<Vec<u8>>,
}

impl Exchange {
    /// Asks for the resource that is due.
    pub(super) fn new(probe: &HttpProbe, target: SocketAddr, setting: Setting<'_>) -> Self {
        let url = probe.urls.get(setting.place);
        Self {
            request: request(probe, url, target, setting.virtual_host),
            place: setting.place,
            state: State::Connecting,
            until: setting.until,
        }
    }

    /// When it is over.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    #[cfg(test)]
    pub(super) fn holds(&self) -> usize {
        match &self.state {
            State::Header(seen) => seen.capacity(),
            State::Body(body) => body.text.as_ref().map_or(0, Vec::capacity),
            State::Connecting | State::Searching { .. } => 0,
        }
    }

    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// What the connection has to be.
    pub(super) fn transport(&self, probe: &HttpProbe, setting: Setting<'_>) -> Transport {
        if !probe.secure {
            return Transport::Stream;
        }
        let url = probe.urls.get(self.place);
        let name = probe
            .sni_name
            .as_deref()
            .or_else(|| virtual_host(probe, url, setting.virtual_host))
            .filter(|_| probe.sni);
        Transport::Tls {
            name: name.map(ToOwned::to_owned),
        }
    }

    /// Takes what happened to the connection.
    pub(super) fn on(
        &mut self,
        (probe, url): (&HttpProbe, &HttpUrl),
        what: ProbeIo<'_>,
        out: &mut Vec<ProbeCmd>,
    ) -> Option<Verdict> {
        let compliant = url.tls_compliant.unwrap_or(probe.tls_compliant);
        let what = match what {
            ProbeIo::CutOff if !compliant => ProbeIo::Closed,
            other => other,
        };
        match (&mut self.state, what) {
            (State::Connecting, ProbeIo::Connected) => {
                out.push(ProbeCmd::Write(std::mem::take(&mut self.request)));
                self.state = State::Header(Vec::new());
                None
            }
            (
                State::Connecting,
                ProbeIo::Bytes(_) | ProbeIo::Closed | ProbeIo::CutOff | ProbeIo::Failed(_),
            ) => Some(fault(HttpFault::Connect)),
            (State::Header(_) | State::Body(_), ProbeIo::Connected) => None,
            (State::Header(seen), ProbeIo::Bytes(bytes)) => {
                let before = seen.len();
                seen.extend_from_slice(bytes);
                let seen = std::mem::take(seen);
                self.header(seen, before, url)
            }
            (State::Header(_), ProbeIo::Closed) => Some(fault(HttpFault::NoData)),
            (State::Header(_) | State::Body(_), ProbeIo::Failed(_) | ProbeIo::CutOff) => {
                Some(fault(HttpFault::Read))
            }
            (State::Body(body), ProbeIo::Bytes(bytes)) => {
                body.take(bytes);
                None
            }
            (State::Body(body), ProbeIo::Closed) => {
                let verdict = body.judge(url);
                let text = body.text.take();
                match (pattern(url), text) {
                    (Some(pattern), Some(text)) if verdict.outcome == Outcome::Success => {
                        out.push(ProbeCmd::Search(Search { pattern, text }));
                        self.state = State::Searching { then: verdict };
                        None
                    }
                    _ => Some(verdict),
                }
            }
            (State::Searching { then }, ProbeIo::Searched(found)) => {
                let no_match = url.regex.as_ref().is_some_and(|regex| regex.no_match);
                Some(match (found, no_match) {
                    (Searched::Found, false) | (Searched::Absent, true) => *then,
                    (Searched::Found, true) | (Searched::Absent, false) | (Searched::Failed, _) => {
                        fault(HttpFault::Regex)
                    }
                })
            }
            // The connection has ended, and what it says late does not count.
            (
                State::Searching { .. },
                ProbeIo::Connected
                | ProbeIo::Bytes(_)
                | ProbeIo::Closed
                | ProbeIo::CutOff
                | ProbeIo::Failed(_),
            ) => None,
            // Nothing was looked for.
            (State::Connecting | State::Header(_) | State::Body(_), ProbeIo::Searched(_)) => None,
        }
    }

    /// What is missing when the time is over.
    pub(super) const fn late(&self) -> HttpFault {
        match &self.state {
            State::Connecting => HttpFault::ConnectTimeout,
            State::Header(seen) if seen.is_empty() => HttpFault::ResponseTimeout,
            State::Header(_) | State::Body(_) | State::Searching { .. } => HttpFault::ReadTimeout,
        }
    }

    /// Looks whether the header is complete; what was searched `before` holds no end of it.
    fn header(&mut self, mut seen: Vec<u8>, before: usize, url: &HttpUrl) -> Option<Verdict> {
        let mut from = before.saturating_sub(3);
        while let Some(end) = end_of_header(&seen, from) {
            let (head, rest) = seen.split_at(end);
            let (status, announced) = read_header(head);
            // An interim answer; the real one follows.
            if status.is_some_and(|status| (100..200).contains(&status) && status != 101) {
                seen.drain(..end);
                from = 0;
                continue;
            }
            let mut body = Body {
                status,
                announced,
                received: 0,
                md5: url.digest.map(|_| Md5::new()),
                text: pattern(url).map(|_| Vec::new()),
            };
            body.take(rest);
            self.state = State::Body(body);
            return None;
        }
        if seen.len() > MAX_HEADER {
            return Some(fault(HttpFault::NoData));
        }
        self.state = State::Header(seen);
        None
    }
}

impl Body {
    fn take(&mut self, bytes: &[u8]) {
        self.received += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(text) = &mut self.text {
            let room = MAX_TEXT.saturating_sub(text.len()).min(bytes.len());
            text.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    /// The answer is complete.
    fn judge(&mut self, url: &HttpUrl) -> Verdict {
        let accepted = match (self.status, url.status_codes.as_slice()) {
            (None, _) => false,
            (Some(status), []) => (DEFAULT_CODES.0..=DEFAULT_CODES.1).contains(&status),
            (Some(status), ranges) => ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&status)),
        };
        if !accepted {
            return fault(HttpFault::Status);
        }
        if let (Some(wanted), Some(md5)) = (url.digest, self.md5.take())
            && md5.finalize().as_slice() != wanted
        {
            return fault(HttpFault::Digest);
        }
        let detail = match self.announced {
            Some(announced) if announced != self.received => Detail::HttpLength {
                announced,
                received: self.received,
            },
            Some(_) | None => Detail::None,
        };
        Verdict {
            outcome: Outcome::Success,
            detail,
        }
    }
}

/// What is looked for in the body. Offsets that exclude each other are left out, as keepalived
/// does.
fn pattern(url: &HttpUrl) -> Option<Pattern> {
    let regex = url.regex.as_ref()?;
    let text = regex.pattern.as_ref()?;
    let possible = regex.max_offset.is_none_or(|max| max >= regex.min_offset);
    let offsets = possible.then_some((regex.min_offset, regex.max_offset));
    let (min_offset, max_offset) = offsets.unwrap_or((0, None));
    Some(Pattern {
        pattern: text.clone(),
        options: regex.options.clone(),
        min_offset,
        max_offset,
        memory: regex.stack.map(|(_, most)| most),
    })
}

const fn fault(fault: HttpFault) -> Verdict {
    Verdict {
        outcome: Outcome::Failure,
        detail: Detail::Http(fault),
    }
}

/// The request, byte for byte as keepalived sends it.
fn request(
    probe: &HttpProbe,
    url: Option<&HttpUrl>,
    target: SocketAddr,
    above: Option<&str>,
) -> Vec<u8> {
    let path = url.and_then(|url| url.path.as_deref()).unwrap_or("/");
    let host = virtual_host(probe, url, above);
    let (version, close) = match probe.protocol {
        HttpProtocol::Http10 => ("1.0", ""),
        HttpProtocol::Http10Close => ("1.0", "Connection: close\r\n"),
        HttpProtocol::Http11 => ("1.1", "Connection: close\r\n"),
    };
    let host = host.map_or_else(|| target.to_string(), ToOwned::to_owned);
    format!(
        "GET {path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n\r\n"
    )
    .into_bytes()
}

/// The host that is asked: that of the resource, of the check, of the server or service.
fn virtual_host<'a>(
    probe: &'a HttpProbe,
    url: Option<&'a HttpUrl>,
    above: Option<&'a str>,
) -> Option<&'a str> {
    url.and_then(|url| url.virtual_host.as_deref())
        .or(probe.virtual_host.as_deref())
        .or(above)
}

/// Where the body begins: after the first empty line, which ends in LF or CR LF.
fn end_of_header(seen: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(newline) = seen.get(at..)?.iter().position(|&byte| byte == b'\n') {
        at += newline + 1;
        match seen.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// The status code and `Content-Length` of a complete header.
fn read_header(head: &[u8]) -> (Option<u16>, Option<u64>) {
    let mut parser = httparse::ParserConfig::default();
    parser
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_space_before_first_header_name(true);
    let mut room = LINES;
    while room <= MAX_LINES {
        let mut lines = vec![httparse::EMPTY_HEADER; room];
        let mut response = httparse::Response::new(&mut lines);
        match parser.parse_response(&mut response, head) {
            Err(httparse::Error::TooManyHeaders) => room *= 8,
            Ok(_) => {
                let announced = response
                    .headers
                    .iter()
                    .find(|line| line.name.eq_ignore_ascii_case("content-length"))
                    .and_then(|line| str::from_utf8(line.value).ok()?.trim().parse().ok());
                return (response.code, announced);
            }
            Err(_) => break,
        }
    }
    // Whatever it is, a server that says a code in the first line has answered.
    (status_digits(head), None)
}

/// The number after the first blank of the first line.
fn status_digits(head: &[u8]) -> Option<u16> {
    let line = head.split(|&byte| byte == b'\n').next()?;
    if !line.starts_with(b"HTTP/") {
        return None;
    }
    let word = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .nth(1)?;
    str::from_utf8(word).ok()?.parse().ok()
}

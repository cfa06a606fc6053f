//! Attempts against scripted peers that split, stall, cut off, say too much, and break.

mod anything;
mod datagrams;
mod http;
mod smtp;

use super::*;
use crate::base::Duration;
use crate::conf::model::HttpUrl;
use crate::ops::{Search, Searched};

/// What a scripted peer does after the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It closes.
    Close,
    /// It resets the connection.
    Reset,
    /// It falls silent.
    Stall,
}

/// A check of a server at this address.
fn connect_to(target: &str) -> TcpCheck {
    TcpCheck {
        target: target.parse().unwrap(),
        bind: None,
        bind_interface: None,
        fwmark: 0,
        connect_timeout: Duration::from_secs(2),
        retries: 1,
        delay_before_retry: Duration::from_secs(1),
        delay_loop: Duration::from_secs(6),
        warmup: Duration::ZERO,
        alpha: false,
        log_all_failures: false,
    }
}

/// The number that an attempt is given.
const NONCE: u64 = 0x0123_4567_89ab_cdef;

/// Long after all of it.
const LATE: Instant = Instant::from_micros(1 << 50);

/// What an attempt came to, and what it wrote.
struct Run {
    verdict: Verdict,
    written: Vec<u8>,
}

/// Plays an attempt against a peer that says `parts` one after the other, then ends.
fn play(kind: &ProbeKind, parts: &[&[u8]], end: End) -> Run {
    let connect = connect_to("192.0.2.1:80");
    let check = CheckRef {
        connect: &connect,
        kind: Some(kind),
    };
    let setting = Setting {
        virtual_host: None,
        place: 0,
        nonce: NONCE,
        until: LATE,
    };
    let mut out = Vec::new();
    let mut attempt = Attempt::start(check, setting, &mut out);
    assert!(matches!(out.remove(0), ProbeCmd::Connect(_)));
    let mut verdict = attempt.on(check, ProbeIo::Connected, &mut out);
    for part in parts {
        if verdict.is_none() {
            verdict = attempt.on(check, ProbeIo::Bytes(part), &mut out);
        }
    }
    if verdict.is_none() {
        verdict = match end {
            End::Close => attempt.on(check, ProbeIo::Closed, &mut out),
            End::Reset => attempt.on(check, ProbeIo::Failed(ProbeFailure::Remote(104)), &mut out),
            End::Stall => Some(attempt.deadline(check)),
        };
    }
    if let Some(ProbeCmd::Search(_)) = out.last()
        && let Some(ProbeCmd::Search(search)) = out.pop()
    {
        assert_eq!(verdict, None);
        let found = said(&search);
        verdict = attempt.on(check, ProbeIo::Searched(found), &mut out);
    }
    let written = out
        .into_iter()
        .flat_map(|command| match command {
            ProbeCmd::Write(bytes) => bytes,
            ProbeCmd::Connect(_) => panic!("connects twice"),
            ProbeCmd::Close => panic!("closing is the domain's"),
            ProbeCmd::Dial(_) | ProbeCmd::WriteFact(_) => panic!("of mails"),
            ProbeCmd::Search(_) => panic!("answered above"),
        })
        .collect();
    Run {
        verdict: verdict.unwrap(),
        written,
    }
}

/// What a driver that takes patterns for plain text would answer.
fn said(search: &Search) -> Searched {
    let pattern = search.pattern.pattern.as_bytes();
    match search
        .text
        .windows(pattern.len())
        .any(|part| part == pattern)
    {
        true => Searched::Found,
        false => Searched::Absent,
    }
}

/// Every way to cut `bytes` into two parts, one byte at a time, and the whole at once.
fn cuts(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut all: Vec<Vec<&[u8]>> = (0..=bytes.len())
        .map(|at| {
            let (first, second) = bytes.split_at(at);
            vec![first, second]
        })
        .collect();
    all.push(bytes.chunks(1).collect());
    all
}

//! `HTTP_GET`.

use proptest::prelude::*;

use super::*;
use crate::check::probe::http::HttpFault;
use crate::conf::model::{HttpProbe, HttpProtocol, HttpRegex};

/// MD5 of `hello world`.
const HELLO: [u8; 16] = [
    0x5e, 0xb6, 0x3b, 0xbb, 0xe0, 0x1e, 0xee, 0xd0, 0x93, 0xcb, 0x22, 0xbb, 0x8f, 0x5a, 0xcd, 0xc3,
];
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 11\r\n\r\nhello world";

fn asks(url: HttpUrl) -> ProbeKind {
    ProbeKind::Http(HttpProbe {
        urls: vec![url],
        ..HttpProbe::default()
    })
}

fn root() -> HttpUrl {
    HttpUrl {
        path: Some("/".to_owned()),
        ..HttpUrl::default()
    }
}

fn digest() -> HttpUrl {
    HttpUrl {
        digest: Some(HELLO),
        ..root()
    }
}

fn codes(codes: &[(u16, u16)]) -> HttpUrl {
    HttpUrl {
        status_codes: codes.to_vec(),
        ..root()
    }
}

fn judge(url: HttpUrl, answer: &[u8]) -> Verdict {
    play(&asks(url), &[answer], End::Close).verdict
}

const SUCCESS: Verdict = Verdict::plain(Outcome::Success);

const fn failure(fault: HttpFault) -> Verdict {
    Verdict {
        outcome: Outcome::Failure,
        detail: Detail::Http(fault),
    }
}

// Input: a whole page, cut in every way. Output: always a success, with the digest as well.
#[test]
fn cuts_between_the_parts_of_an_answer_mean_nothing() {
    for parts in cuts(PAGE) {
        for url in [root(), digest()] {
            let run = play(&asks(url), &parts, End::Close);
            assert_eq!(run.verdict, SUCCESS, "{parts:?}");
        }
    }
}

// Input: a page that breaks off after each byte: closed, reset, or silence. Output: a failure, but
// where all of it came and the peer closed; a body that is too short is a success unless its sum
// is asked for.
#[test]
fn an_answer_that_breaks_off_is_judged_by_what_came() {
    let header = PAGE.len() - 11;
    for at in 0..PAGE.len() {
        let part = &PAGE[..at];
        let closed = play(&asks(digest()), &[part], End::Close).verdict;
        let plain = play(&asks(root()), &[part], End::Close).verdict;
        if at < header {
            assert_eq!(closed, failure(HttpFault::NoData), "{at}");
            assert_eq!(plain, failure(HttpFault::NoData), "{at}");
        } else {
            assert_eq!(closed, failure(HttpFault::Digest), "{at}");
            assert_eq!(plain.outcome, Outcome::Success, "{at}");
            let length = Detail::HttpLength {
                announced: 11,
                received: u64::try_from(at - header).unwrap(),
            };
            assert_eq!(plain.detail, length);
        }
        let reset = play(&asks(root()), &[part], End::Reset).verdict;
        assert_eq!(reset, failure(HttpFault::Read), "{at}");
        let stalled = play(&asks(root()), &[part], End::Stall).verdict;
        assert_eq!(stalled.outcome, Outcome::Timeout);
        let late = if at == 0 {
            HttpFault::ResponseTimeout
        } else {
            HttpFault::ReadTimeout
        };
        assert_eq!(stalled.detail, Detail::Http(late), "{at}");
    }
}

// Input: a whole answer from a peer that does not close. Output: a timeout, as with keepalived.
#[test]
fn a_peer_that_stays_connected_is_late() {
    let run = play(&asks(root()), &[PAGE], End::Stall);
    assert_eq!(run.verdict.outcome, Outcome::Timeout);
}

// Input: the requests of a run of keepalived 2.2.7. Output: the same bytes.
#[test]
fn requests_are_those_of_keepalived() {
    let of = |protocol, virtual_host: Option<&str>| {
        let kind = ProbeKind::Http(HttpProbe {
            protocol,
            virtual_host: virtual_host.map(str::to_owned),
            urls: vec![root()],
            ..HttpProbe::default()
        });
        String::from_utf8(play(&kind, &[], End::Close).written).unwrap()
    };
    assert_eq!(
        of(HttpProtocol::Http10, None),
        "GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 192.0.2.1:80\r\n\r\n"
    );
    assert_eq!(
        of(HttpProtocol::Http11, Some("foo.example")),
        "GET / HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: \
         foo.example\r\n\r\n"
    );
    assert_eq!(
        of(HttpProtocol::Http10Close, Some("u.example")),
        "GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: \
         u.example\r\n\r\n"
    );
}

// Input: status lines. Output: 2xx counts unless codes are given; then only those.
#[test]
fn status_codes_count_as_configured() {
    for (code, url, counts) in [
        (200, root(), true),
        (299, root(), true),
        (301, root(), false),
        (500, root(), false),
        (204, codes(&[(200, 200), (201, 203)]), false),
        (202, codes(&[(200, 200), (201, 203)]), true),
        (404, codes(&[(404, 404)]), true),
    ] {
        let answer = format!("HTTP/1.0 {code} words\r\n\r\n");
        let wanted = if counts {
            SUCCESS
        } else {
            failure(HttpFault::Status)
        };
        assert_eq!(judge(url, answer.as_bytes()), wanted, "{code}");
    }
}

// Input: answers that break the rules of HTTP, as servers in the field give them. Output: their
// status counts all the same.
#[test]
fn headers_are_read_leniently() {
    for answer in [
        &b"HTTP/1.0 200 OK\nA: b\n\nbody"[..],
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1  200  OK\r\nA : b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\njunk\r\n\0\x01\xff: \xff\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(
            judge(root(), answer).outcome,
            Outcome::Success,
            "{answer:?}"
        );
    }
    let mut long = b"HTTP/1.0 200 OK\r\n".to_vec();
    for line in 0..2000 {
        long.extend_from_slice(format!("X-{line}: y\r\n").as_bytes());
    }
    long.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    assert_eq!(judge(root(), &long), SUCCESS);
}

// Input: what is no HTTP. Output: a failure; no end of the header is waited for without bound.
#[test]
fn what_is_no_answer_fails() {
    assert_eq!(judge(root(), b""), failure(HttpFault::NoData));
    assert_eq!(
        judge(root(), b"SSH-2.0-OpenSSH\r\n"),
        failure(HttpFault::NoData)
    );
    assert_eq!(
        judge(root(), b"220 mail 200 ready\r\n\r\n"),
        failure(HttpFault::Status)
    );
    let flood = vec![b'a'; 1 << 20];
    let parts: Vec<&[u8]> = flood.chunks(16 * 1024).collect();
    let run = play(&asks(root()), &parts, End::Stall);
    assert_eq!(run.verdict, failure(HttpFault::NoData));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Input: any bytes in any parts. Output: a verdict, the same however they are cut.
    #[test]
    fn any_answer_leads_to_one_verdict(
        head in prop_oneof![Just(&b""[..]), Just(&b"HTTP/1.1 200 OK\r\n"[..]), Just(&b"HTTP/1.0 404 "[..])],
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n')], 0..80),
        at in 0..100_usize,
    ) {
        let mut whole = head.to_vec();
        whole.extend_from_slice(&bytes);
        let (first, second) = whole.split_at(at.min(whole.len()));
        for end in [End::Close, End::Reset, End::Stall] {
            let one = play(&asks(digest()), &[&whole], end).verdict;
            let two = play(&asks(digest()), &[first, second], end).verdict;
            prop_assert_eq!(one, two);
        }
    }
}

fn regex(pattern: &str, no_match: bool) -> HttpUrl {
    HttpUrl {
        regex: Some(HttpRegex {
            pattern: Some(pattern.to_owned()),
            no_match,
            ..HttpRegex::default()
        }),
        ..root()
    }
}

// Input: a page with a pattern, cut in every way. Output: the pattern is found in the body, wherever
// it was cut, and not in the header.
#[test]
fn a_pattern_is_looked_for_in_the_whole_body() {
    for parts in cuts(PAGE) {
        for (url, expected) in [
            (regex("lo wo", false), SUCCESS),
            (regex("lo wo", true), failure(HttpFault::Regex)),
            (regex("Server", false), failure(HttpFault::Regex)),
            (regex("Server", true), SUCCESS),
        ] {
            assert_eq!(play(&asks(url), &parts, End::Close).verdict, expected);
        }
    }
    for (end, fault) in [
        (End::Reset, failure(HttpFault::Read)),
        (
            End::Stall,
            Verdict {
                outcome: Outcome::Timeout,
                ..failure(HttpFault::ReadTimeout)
            },
        ),
    ] {
        assert_eq!(play(&asks(regex("lo", false)), &[PAGE], end).verdict, fault);
    }
}

// Input: pages that are wrong in another way as well; options without a pattern. Output: as keepalived
// 2.2.7 was seen to judge: the status and the sum come first; options alone mean nothing.
#[test]
fn a_pattern_does_not_replace_what_else_is_asked_for() {
    let status = HttpUrl {
        status_codes: vec![(404, 404)],
        ..regex("lo wo", false)
    };
    assert_eq!(judge(status, PAGE), failure(HttpFault::Status));
    let sum = HttpUrl {
        digest: Some([0; 16]),
        ..regex("lo wo", false)
    };
    assert_eq!(judge(sum, PAGE), failure(HttpFault::Digest));
    let alone = HttpUrl {
        regex: Some(HttpRegex {
            no_match: true,
            ..HttpRegex::default()
        }),
        ..root()
    };
    assert_eq!(judge(alone, PAGE), SUCCESS);
}

// Input: a search that cannot be told, with and without `regex_no_match`. Output: a failure.
#[test]
fn a_search_that_fails_is_a_failure() {
    for no_match in [false, true] {
        let kind = asks(regex("lo wo", no_match));
        let connect = connect_to("192.0.2.1:80");
        let check = CheckRef {
            connect: &connect,
            kind: Some(&kind),
        };
        let mut out = Vec::new();
        let setting = Setting {
            virtual_host: None,
            place: 0,
            nonce: 0,
            until: LATE,
        };
        let mut attempt = Attempt::start(check, setting, &mut out);
        for what in [ProbeIo::Connected, ProbeIo::Bytes(PAGE), ProbeIo::Closed] {
            assert_eq!(attempt.on(check, what, &mut out), None);
        }
        assert!(matches!(out.last(), Some(ProbeCmd::Search(_))));
        let verdict = attempt.on(check, ProbeIo::Searched(Searched::Failed), &mut out);
        assert_eq!(verdict, Some(failure(HttpFault::Regex)));
    }
}

//! What holds for every kind of check that connects, whatever its peer does at any byte: splits,
//! stalls, cuts off, says too much, breaks, or does all of that in no order.

use proptest::prelude::*;

use super::*;
use crate::check::probe::http::HttpFault;
use crate::check::probe::smtp::SmtpFault;
use crate::conf::model::{DnsProbe, DnsType, HttpProbe, HttpRegex, SmtpProbe, UdpProbe};

/// The most that an attempt may hold of what its peer says: a header, or a page that is searched.
const MOST: usize = 3 << 20;
/// What a peer says that never stops.
const FLOOD: usize = 4 << 20;
const BODY: &str = "hello world";

/// A kind of check with a peer that satisfies it.
struct Case {
    name: &'static str,
    kind: ProbeKind,
    /// A stream, or datagrams, each of them whole.
    stream: bool,
    /// All that the peer says in one attempt; of datagrams, the one answer.
    talk: Vec<u8>,
    /// An attempt that heard less than this is no success, whatever happens then.
    least: usize,
    /// It is a success before the peer ends, once all was said.
    ends_itself: bool,
    /// Silence is a success.
    content: bool,
}

fn page(header: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{header}\r\n{BODY}").into_bytes()
}

fn http(url: HttpUrl, secure: bool, compliant: bool) -> ProbeKind {
    ProbeKind::Http(HttpProbe {
        secure,
        tls_compliant: compliant,
        urls: vec![url],
        ..HttpProbe::default()
    })
}

fn case(name: &'static str, kind: ProbeKind, talk: Vec<u8>) -> Case {
    let least = talk.len();
    Case {
        name,
        kind,
        stream: true,
        talk,
        least,
        ends_itself: false,
        content: false,
    }
}

fn web_cases() -> Vec<Case> {
    let plain = HttpUrl::default;
    let digest = HttpUrl {
        digest: Some([
            0x5e, 0xb6, 0x3b, 0xbb, 0xe0, 0x1e, 0xee, 0xd0, 0x93, 0xcb, 0x22, 0xbb, 0x8f, 0x5a,
            0xcd, 0xc3,
        ]),
        ..plain()
    };
    let regex = HttpUrl {
        regex: Some(HttpRegex {
            pattern: Some("lo wo".to_owned()),
            ..HttpRegex::default()
        }),
        ..plain()
    };
    let length = "Content-Length: 11\r\n";
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
    let mut cases = vec![
        // A header is enough: a body that is too short is told of, and a success.
        Case {
            least: page(length).len() - BODY.len(),
            ..case("page", http(plain(), false, false), page(length))
        },
        Case {
            least: page("").len() - BODY.len(),
            ..case(
                "page without a length",
                http(plain(), false, false),
                page(""),
            )
        },
        Case {
            least: interim.len() + page("").len() - BODY.len(),
            ..case(
                "interim answer",
                http(plain(), false, false),
                [interim, page("")].concat(),
            )
        },
        case("sum", http(digest.clone(), false, false), page(length)),
        case("sum over TLS", http(digest.clone(), true, false), page("")),
        case(
            "sum over strict TLS",
            http(digest, true, true),
            page(length),
        ),
    ];
    let until_match = page(length).len() - BODY.len() + "hello wo".len();
    cases.push(Case {
        least: until_match,
        ..case("pattern", http(regex, false, false), page(length))
    });
    cases
}

fn answer_to(kind: &ProbeKind) -> Vec<u8> {
    let mut bytes = play(kind, &[], End::Stall).written;
    match kind {
        ProbeKind::Dns(_) => {
            bytes[2] |= 0x80;
            bytes[3] = 0x80;
        }
        ProbeKind::Ping => bytes[0] = 0,
        _ => panic!("says what it likes"),
    }
    bytes
}

fn cases() -> Vec<Case> {
    let smtp = ProbeKind::Smtp(SmtpProbe::default());
    let talk = b"220-mail.example\r\n220 ready\r\n250-mail.example\r\n250 SIZE\r\n";
    let dns = ProbeKind::Dns(DnsProbe {
        record: DnsType::A,
        name: Some("www.example.com".to_owned()),
    });
    let udp = |reply: Option<&[u8]>| {
        ProbeKind::Udp(UdpProbe {
            reply: reply.map(|bytes| bytes.iter().map(|byte| (*byte, 0xff)).collect()),
            min_reply: 5,
            max_reply: 5,
            ..UdpProbe::default()
        })
    };
    let datagram = |name, kind: ProbeKind, talk: Vec<u8>| Case {
        stream: false,
        ends_itself: true,
        ..case(name, kind, talk)
    };
    let mut cases = web_cases();
    cases.push(Case {
        ends_itself: true,
        ..case("mail", smtp, talk.to_vec())
    });
    cases.push(Case {
        // The number and the flags are in a whole header; records are not looked at.
        least: 12,
        ..datagram("name", dns.clone(), answer_to(&dns))
    });
    let echo = answer_to(&ProbeKind::Ping);
    cases.push(datagram("echo", ProbeKind::Ping, echo));
    cases.push(datagram("reply", udp(Some(b"hello")), b"hello".to_vec()));
    cases.push(Case {
        least: 0,
        content: true,
        ..datagram("no reply", udp(None), b"hello".to_vec())
    });
    cases
}

/// One thing that happens in an attempt.
#[derive(Debug, Clone)]
enum Happens {
    Connected,
    Says(Vec<u8>),
    Closes,
    CutsOff,
    Breaks,
    Lacks,
    Found(Searched),
}

fn io(happens: &Happens) -> ProbeIo<'_> {
    match happens {
        Happens::Connected => ProbeIo::Connected,
        Happens::Says(bytes) => ProbeIo::Bytes(bytes),
        Happens::Closes => ProbeIo::Closed,
        Happens::CutsOff => ProbeIo::CutOff,
        Happens::Breaks => ProbeIo::Failed(ProbeFailure::Remote(104)),
        Happens::Lacks => ProbeIo::Failed(ProbeFailure::Local(12)),
        Happens::Found(found) => ProbeIo::Searched(*found),
    }
}

/// Plays all of it; what is not over then, ends by its deadline. A search is answered at once.
fn live(kind: &ProbeKind, happens: &[Happens]) -> Verdict {
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
    assert!(matches!(out.first(), Some(ProbeCmd::Connect(_))));
    for what in happens {
        out.clear();
        let mut verdict = attempt.on(check, io(what), &mut out);
        assert!(attempt.holds() <= MOST, "holds {}", attempt.holds());
        let written: usize = out.iter().map(size).sum();
        assert!(written <= MOST, "asks for {written} bytes");
        if let Some(ProbeCmd::Search(search)) = out.pop() {
            assert_eq!(verdict, None);
            let found = said(&search);
            verdict = attempt.on(check, ProbeIo::Searched(found), &mut out);
        }
        if let Some(verdict) = verdict {
            return verdict;
        }
    }
    attempt.deadline(check)
}

fn size(command: &ProbeCmd) -> usize {
    match command {
        ProbeCmd::Write(bytes) => bytes.len(),
        ProbeCmd::Search(search) => search.text.len(),
        ProbeCmd::Connect(_) | ProbeCmd::Dial(_) | ProbeCmd::WriteFact(_) | ProbeCmd::Close => {
            panic!("{command:?} in the course of an attempt")
        }
    }
}

/// The ways in which a peer ends, and in which this host does.
fn endings() -> [Vec<Happens>; 5] {
    [
        vec![Happens::Closes],
        vec![Happens::CutsOff],
        vec![Happens::Breaks],
        vec![Happens::Lacks],
        Vec::new(),
    ]
}

/// A peer that says these parts, then ends so.
fn peer(case: &Case, parts: &[&[u8]], ending: &[Happens]) -> Verdict {
    let says = parts.iter().map(|part| Happens::Says(part.to_vec()));
    // Of datagrams nothing connects.
    let begin = case.stream.then_some(Happens::Connected);
    let all: Vec<_> = begin.into_iter().chain(says).collect();
    live(&case.kind, &[all, ending.to_vec()].concat())
}

/// A failure that the log can name.
fn is_named(case: &Case, verdict: Verdict) -> bool {
    let silent = matches!(case.kind, ProbeKind::Ping | ProbeKind::Udp(_));
    match verdict.outcome {
        Outcome::Failure | Outcome::Timeout => silent || verdict.detail != Detail::None,
        Outcome::Unknown(errno) => errno == 12 && verdict.detail == Detail::None,
        Outcome::Success => false,
    }
}

fn succeeds(verdict: Verdict) -> bool {
    verdict.outcome == Outcome::Success
}

// Input: peers of every kind that say what they should, in two parts cut at every byte and byte by
// byte, and end in every way. Output: what comes of it is what comes of one piece; it is a success
// where the peer closes in order.
#[test]
fn a_stream_means_the_same_however_it_is_cut() {
    for case in cases().iter().filter(|case| case.stream) {
        for ending in endings() {
            let whole = peer(case, &[&case.talk], &ending);
            for parts in cuts(&case.talk) {
                let cut = peer(case, &parts, &ending);
                assert_eq!(cut, whole, "{}: {ending:?} after {parts:?}", case.name);
            }
            let good = case.ends_itself || matches!(ending.first(), Some(Happens::Closes));
            assert!(succeeds(whole) || !good, "{}: {whole:?}", case.name);
        }
    }
}

// Input: peers of every kind that break off at each byte, in every way. Output: a success only
// where enough was said, else a failure that has a name; a shortage of this host is always told as
// such.
#[test]
fn what_breaks_off_is_a_success_or_a_failure_with_a_name() {
    for case in cases() {
        for at in 0..=case.talk.len() {
            for ending in endings() {
                // A datagram that is not there is none.
                let parts: &[&[u8]] = match at {
                    0 if !case.stream => &[],
                    _ => &[&case.talk[..at]],
                };
                let verdict = peer(&case, parts, &ending);
                let place = format!("{} at {at}, {ending:?}: {verdict:?}", case.name);
                assert!(succeeds(verdict) || is_named(&case, verdict), "{place}");
                assert!(!succeeds(verdict) || at >= case.least, "{place}");
                let over =
                    case.ends_itself && !parts.is_empty() && succeeds(peer(&case, parts, &[]));
                let named = matches!(verdict.outcome, Outcome::Failure | Outcome::Timeout);
                if matches!(ending.first(), Some(Happens::Lacks)) && !over && !named {
                    assert_eq!(verdict, Verdict::unknown(12), "{place}");
                }
                if ending.is_empty() && !case.ends_itself {
                    assert_eq!(verdict.outcome, Outcome::Timeout, "{place}");
                }
            }
        }
    }
}

// Input: peers of every kind that add one byte, a page, or go on without end, in parts and in one
// piece, in bytes of several sorts. Output: what was a success stays one, with its length told, or
// fails by name; the memory stays bounded (`live` looks).
#[test]
fn saying_too_much_is_told_and_never_kept() {
    for case in cases() {
        for byte in [b'x', b'2', b'\n', b'\r', 0, 0xff] {
            // One of them without end is enough.
            let endless = if byte == b'x' { FLOOD } else { 100 };
            for more in [1, 5_000, endless] {
                let mut long = case.talk.clone();
                long.resize(case.talk.len() + more, byte);
                // Datagrams are shorter than that.
                if !case.stream {
                    long.truncate(65_507);
                }
                for ending in [vec![Happens::Closes], Vec::new()] {
                    let one = peer(&case, &[&long], &ending);
                    let place = format!("{} and {more} of {byte}: {one:?}", case.name);
                    assert!(succeeds(one) || is_named(&case, one), "{place}");
                    if case.stream {
                        let parts: Vec<&[u8]> = long.chunks(16 << 10).collect();
                        assert_eq!(peer(&case, &parts, &ending), one, "{place}");
                    }
                }
            }
        }
        // And peers that say nothing else.
        for part in [
            &b"x"[..],
            b"2",
            b"220-\r\n",
            b"\r\n",
            b"a: b\r\n",
            b"HTTP/1.1 100 \r\n\r\n",
        ] {
            let flood = part.repeat((200 << 10) / part.len());
            let parts: Vec<&[u8]> = flood.chunks(16 << 10).collect();
            let verdict = peer(&case, &parts, &[]);
            assert!(
                is_named(&case, verdict) || case.content,
                "{}: {verdict:?} of {part:?}",
                case.name
            );
        }
    }
}

// Input: 80 KiB of a banner without end, in each form. Output: it is over, as its receiver keeps
// what came.
#[test]
fn a_dialogue_by_lines_ends_before_it_holds_much() {
    let mail = ProbeKind::Smtp(SmtpProbe::default());
    for part in [
        &b"220-\r\n"[..],
        b"220-x\r\n",
        b"220-xxxxxxxxxxxxxxxxxxxxx",
        b"22",
        b"220-\n",
    ] {
        let said: Vec<_> = [Happens::Connected]
            .into_iter()
            .chain(
                part.repeat((80 << 10) / part.len())
                    .chunks(512)
                    .map(|part| Happens::Says(part.to_vec())),
            )
            .collect();
        let verdict = live(&mail, &said);
        assert_eq!(verdict.outcome, Outcome::Failure, "{part:?}");
        assert_eq!(verdict.detail, Detail::Smtp(SmtpFault::Banner), "{part:?}");
    }
}

// Input: every kind, refused, cut off, short of something, or without an answer before it connects.
// Output: a failure by its name, this host's shortage, or a timeout; a datagram that needs no reply
// is content.
#[test]
fn what_does_not_come_about_has_a_name() {
    for case in cases() {
        for ending in endings() {
            let verdict = live(&case.kind, &ending);
            let content =
                case.content && !matches!(ending.first(), Some(Happens::Breaks | Happens::Lacks));
            assert_eq!(succeeds(verdict), content, "{}: {verdict:?}", case.name);
            assert!(
                content || is_named(&case, verdict),
                "{}: {verdict:?}",
                case.name
            );
        }
        if let ProbeKind::Http(_) = case.kind {
            let late = live(&case.kind, &[]).detail;
            assert_eq!(late, Detail::Http(HttpFault::ConnectTimeout));
        }
    }
    // TCP_CHECK has no kind; it is all but its connection.
    let connect = connect_to("192.0.2.1:80");
    let check = CheckRef {
        connect: &connect,
        kind: None,
    };
    for ending in endings() {
        let setting = Setting {
            virtual_host: None,
            place: 0,
            nonce: NONCE,
            until: LATE,
        };
        let mut out = Vec::new();
        let mut attempt = Attempt::start(check, setting, &mut out);
        let verdict = match ending.first() {
            Some(what) => attempt.on(check, io(what), &mut out).unwrap(),
            None => attempt.deadline(check),
        };
        let connected = matches!(ending.first(), Some(Happens::Closes | Happens::CutsOff));
        assert_eq!(succeeds(verdict), connected, "{ending:?}: {verdict:?}");
    }
}

// Input: datagrams that are not the answer, one bit of it wrong, then the answer itself; the answer
// twice. Output: no wrong one is a success but where its bits do not count; what was no answer is
// no obstacle.
#[test]
fn wrong_datagrams_are_no_answers() {
    for case in cases().iter().filter(|case| !case.stream && !case.content) {
        for at in 0..case.talk.len() {
            let mut wrong = case.talk.clone();
            wrong[at] ^= 1;
            let verdict = peer(case, &[&wrong], &[]);
            // Flags and records of names are not looked at; sums of echoes are the kernel's.
            let ignored = match case.kind {
                ProbeKind::Dns(_) => at >= 2,
                ProbeKind::Ping => (2..6).contains(&at),
                _ => false,
            };
            let place = format!("{} with a wrong byte {at}: {verdict:?}", case.name);
            assert!(ignored || !succeeds(verdict), "{place}");
            if verdict.outcome == Outcome::Timeout {
                let later = peer(case, &[&wrong, &case.talk], &[]);
                assert!(succeeds(later), "{place}");
            }
        }
        assert!(
            succeeds(peer(case, &[&case.talk, &case.talk], &[])),
            "{}",
            case.name
        );
    }
}

fn anything() -> impl Strategy<Value = Happens> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let lines = prop::sample::select(vec![
        &b"HTTP/1.1 200 OK\r\n"[..],
        b"HTTP/1.0 404 ",
        b"Content-Length: 99999999999999999999\r\n",
        b"\r\n",
        b"220 hi\r\n",
        b"220-hi\r\n",
        b"250 ",
        b"hello",
    ]);
    prop_oneof![
        2 => Just(Happens::Connected),
        4 => bytes.prop_map(Happens::Says),
        8 => lines.prop_map(|line| Happens::Says(line.to_vec())),
        1 => Just(Happens::Closes),
        1 => Just(Happens::CutsOff),
        1 => Just(Happens::Breaks),
        1 => Just(Happens::Lacks),
        1 => prop_oneof![Just(Searched::Found), Just(Searched::Absent), Just(Searched::Failed)]
            .prop_map(Happens::Found),
    ]
}

/// The same, with neighbouring parts of a stream in one piece.
fn joined(happens: &[Happens]) -> Vec<Happens> {
    let mut all: Vec<Happens> = Vec::new();
    for what in happens {
        match (all.last_mut(), what) {
            (Some(Happens::Says(before)), Happens::Says(more)) => before.extend_from_slice(more),
            _ => all.push(what.clone()),
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Input: anything, in any order, also what cannot happen. Output: a verdict, no panic, bounded
    // memory; a failure has a name; a stream means the same in one piece.
    #[test]
    fn whatever_happens_there_is_a_verdict(
        happens in proptest::collection::vec(anything(), 0..24),
    ) {
        for case in cases() {
            let verdict = live(&case.kind, &happens);
            prop_assert!(
                succeeds(verdict) || is_named(&case, verdict),
                "{}: {:?}", case.name, verdict
            );
            if case.stream {
                prop_assert_eq!(live(&case.kind, &joined(&happens)), verdict, "{}", case.name);
            }
        }
    }

    // Input: a whole talk in any number of parts. Output: that of one piece.
    #[test]
    fn any_number_of_cuts_means_nothing(
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        for case in cases().iter().filter(|case| case.stream) {
            let mut at: Vec<usize> = places.iter().map(|place| place.index(case.talk.len())).collect();
            at.extend([0, case.talk.len()]);
            at.sort_unstable();
            let parts: Vec<&[u8]> = at.windows(2).map(|pair| &case.talk[pair[0]..pair[1]]).collect();
            for ending in endings() {
                prop_assert_eq!(peer(case, &parts, &ending), peer(case, &[&case.talk], &ending));
            }
        }
    }
}

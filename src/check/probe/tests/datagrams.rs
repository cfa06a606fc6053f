//! `DNS_CHECK`, `UDP_CHECK` and `PING_CHECK`.

use proptest::prelude::*;

use super::*;
use crate::conf::model::{DnsProbe, DnsType, UdpProbe};
use crate::wire::icmp;

const SUCCESS: Verdict = Verdict::plain(Outcome::Success);

fn question(record: DnsType, name: Option<&str>) -> ProbeKind {
    ProbeKind::Dns(DnsProbe {
        record,
        name: name.map(str::to_owned),
    })
}

/// The answer of a server to `question`, with this RCODE.
fn answer(question: &[u8], rcode: u8) -> Vec<u8> {
    let mut bytes = question.to_vec();
    bytes[2] |= 0x80;
    bytes[3] = 0x80 | rcode;
    bytes
}

// Input: the questions of a run of keepalived 2.2.7. Output: the same bytes, but for the number.
#[test]
fn questions_are_those_of_keepalived() {
    let asked = |record, name| play(&question(record, name), &[], End::Stall).written;
    let head = [0xcd, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let mut wanted = head.to_vec();
    wanted.extend_from_slice(b"\x03www\x07example\x03com\0\0\x01\0\x01");
    assert_eq!(asked(DnsType::A, Some("www.example.com")), wanted);
    assert_eq!(asked(DnsType::A, Some("www.example.com.")), wanted);
    let mut root = head.to_vec();
    root.extend_from_slice(b"\0\0\x06\0\x01");
    assert_eq!(asked(DnsType::Soa, None), root);
    for (record, number) in [
        (DnsType::Ns, 2),
        (DnsType::Cname, 5),
        (DnsType::Mx, 15),
        (DnsType::Txt, 16),
        (DnsType::Aaaa, 28),
        (DnsType::Rrsig, 46),
        (DnsType::Dnskey, 48),
    ] {
        let bytes = asked(record, None);
        assert_eq!(bytes[13..15], [0, number], "{record:?}");
    }
}

// Input: answers with and without an error, of other questions, cut off. Output: only an answer to
// this question counts; one without error is a success, also without records.
#[test]
fn only_the_answer_to_the_question_counts() {
    let kind = question(DnsType::A, Some("www.example.com"));
    let asked = play(&kind, &[], End::Stall).written;
    let judge = |bytes: &[u8]| play(&kind, &[bytes], End::Stall).verdict;
    assert_eq!(judge(&answer(&asked, 0)), SUCCESS);
    for rcode in [2, 3, 5, 15] {
        let verdict = judge(&answer(&asked, rcode));
        assert_eq!(verdict.outcome, Outcome::Failure);
        assert_eq!(verdict.detail, Detail::Dns(DnsFault::Rcode(rcode)));
    }
    let mut other = answer(&asked, 0);
    other[0] ^= 1;
    for wrong in [&other[..], &asked, &answer(&asked, 0)[..3], b""] {
        let verdict = judge(wrong);
        assert_eq!(verdict.outcome, Outcome::Timeout, "{wrong:?}");
        assert_eq!(verdict.detail, Detail::Dns(DnsFault::Timeout));
    }
    let late = play(&kind, &[&other, &answer(&asked, 0)], End::Stall).verdict;
    assert_eq!(late, SUCCESS, "what came before is no obstacle");
    let refused = play(&kind, &[], End::Reset).verdict;
    assert_eq!(refused.detail, Detail::Dns(DnsFault::Socket(104)));
}

fn udp(reply: Option<&[(u8, u8)]>) -> UdpProbe {
    UdpProbe {
        reply: reply.map(<[_]>::to_vec),
        ..UdpProbe::default()
    }
}

// Input: no reply is asked for. Output: silence is a success, an error that comes back a failure.
#[test]
fn without_a_reply_silence_is_golden() {
    let kind = ProbeKind::Udp(udp(None));
    let run = play(&kind, &[], End::Stall);
    assert_eq!(run.verdict, SUCCESS);
    assert_eq!(run.written, b"keepalived check - keepalived ch");
    assert_eq!(play(&kind, &[b"x"], End::Stall).verdict, SUCCESS);
    let refused = play(&kind, &[], End::Reset).verdict;
    assert_eq!(refused.outcome, Outcome::Failure);
}

// Input: a reply of `he?` with a mask, 2 to 4 bytes. Output: those that fit.
#[test]
fn a_reply_is_compared_where_its_mask_says() {
    let kind = ProbeKind::Udp(UdpProbe {
        payload: vec![0, 255],
        min_reply: 2,
        max_reply: 4,
        ..udp(Some(&[(b'h', 0xff), (b'e', 0xff), (0, 0)]))
    });
    assert_eq!(play(&kind, &[], End::Stall).written, [0, 255]);
    for (reply, fits) in [
        (&b"hel"[..], true),
        (b"hex!", true),
        (b"he", false),
        (b"hello", false),
        (b"hxl", false),
        (b"", false),
    ] {
        let verdict = play(&kind, &[reply], End::Stall).verdict;
        let wanted = if fits {
            SUCCESS
        } else {
            Verdict {
                outcome: Outcome::Failure,
                detail: Detail::UdpMismatch,
            }
        };
        assert_eq!(verdict, wanted, "{reply:?}");
    }
    let silent = play(&kind, &[], End::Stall).verdict;
    assert_eq!(silent.outcome, Outcome::Timeout);
}

// Input: the reply to the echo, to another, the echo itself. Output: only the reply counts.
#[test]
fn an_echo_has_to_come_back() {
    let echo = play(&ProbeKind::Ping, &[], End::Stall).written;
    assert_eq!(echo.len(), 8 + 128);
    let mut reply = echo.clone();
    reply[0] = 0;
    assert_eq!(
        play(&ProbeKind::Ping, &[&reply], End::Stall).verdict,
        SUCCESS
    );
    let mut other = reply.clone();
    *other.last_mut().unwrap() ^= 1;
    for wrong in [&echo[..], &other, b""] {
        let verdict = play(&ProbeKind::Ping, &[wrong], End::Stall).verdict;
        assert_eq!(verdict.outcome, Outcome::Timeout);
    }
    assert_eq!(
        icmp::echo_reply(Family::V4, &reply).map(|(n, _)| n),
        Some(0xcdef)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Input: any datagrams. Output: a verdict and no panic; success is no accident.
    #[test]
    fn any_datagram_is_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for kind in [question(DnsType::A, None), ProbeKind::Ping] {
            let verdict = play(&kind, &[&bytes], End::Stall).verdict;
            prop_assert_ne!(verdict.outcome, Outcome::Success);
        }
        let any = ProbeKind::Udp(udp(None));
        prop_assert_eq!(play(&any, &[&bytes], End::Stall).verdict, SUCCESS);
    }
}

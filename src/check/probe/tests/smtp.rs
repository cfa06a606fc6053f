//! `SMTP_CHECK`.

use super::*;
use crate::check::probe::smtp::SmtpFault;
use crate::conf::model::SmtpProbe;

fn asks() -> ProbeKind {
    ProbeKind::Smtp(SmtpProbe::default())
}

const fn failure(fault: SmtpFault) -> Verdict {
    Verdict {
        outcome: Outcome::Failure,
        detail: Detail::Smtp(fault),
    }
}

const TALK: &[u8] = b"220-mail.example\r\n220 ready\r\n250-mail.example\r\n250 SIZE\r\n";

// Input: a server that greets and answers, in lines cut in every way. Output: success; what was
// said is what keepalived says.
#[test]
fn a_server_that_greets_is_up_however_its_lines_are_cut() {
    for parts in cuts(TALK) {
        let run = play(&asks(), &parts, End::Stall);
        assert_eq!(run.verdict, Verdict::plain(Outcome::Success), "{parts:?}");
        assert_eq!(
            String::from_utf8(run.written).unwrap(),
            "HELO smtpchecker.keepalived.org\r\nQUIT\r\n"
        );
    }
    let named = ProbeKind::Smtp(SmtpProbe {
        helo_name: Some("lab.example".to_owned()),
    });
    let run = play(&named, &[TALK], End::Close);
    assert!(run.written.starts_with(b"HELO lab.example\r\n"));
}

// Input: a dialogue that breaks off after each byte. Output: a failure or a timeout, never success.
#[test]
fn a_dialogue_that_breaks_off_is_a_failure() {
    for at in 0..TALK.len() {
        let part = &TALK[..at];
        for end in [End::Close, End::Reset] {
            let verdict = play(&asks(), &[part], end).verdict;
            assert_eq!(verdict, failure(SmtpFault::Read), "{at} {end:?}");
        }
        let late = play(&asks(), &[part], End::Stall).verdict;
        assert_eq!(late.outcome, Outcome::Timeout);
        assert_eq!(late.detail, Detail::Smtp(SmtpFault::ReadTimeout), "{at}");
    }
}

// Input: wrong answers. Output: which of the two was wrong.
#[test]
fn wrong_answers_are_told_apart() {
    for (answer, fault) in [
        (&b"554 go away\r\n"[..], SmtpFault::Banner),
        (b"421 busy\r\n", SmtpFault::Banner),
        (b"garbage\r\n", SmtpFault::Banner),
        (b"\r\n", SmtpFault::Banner),
        (b"220 hi\r\n500 what\r\n", SmtpFault::Helo),
        (b"220 hi\r\nwhat\r\n", SmtpFault::Helo),
    ] {
        let verdict = play(&asks(), &[answer], End::Stall).verdict;
        assert_eq!(verdict, failure(fault), "{answer:?}");
    }
}

// Input: a banner without end. Output: a failure before memory runs out.
#[test]
fn a_banner_without_end_is_a_bad_one() {
    let flood = vec![b'2'; 1 << 20];
    let parts: Vec<&[u8]> = flood.chunks(4096).collect();
    let verdict = play(&asks(), &parts, End::Stall).verdict;
    assert_eq!(verdict.outcome, Outcome::Failure);
    let mut long = b"220-".to_vec();
    long.extend(std::iter::repeat_n(b'x', 1 << 20));
    let verdict = play(&asks(), &[&long], End::Stall).verdict;
    assert_eq!(verdict, failure(SmtpFault::Banner));
}

//! One mail on its way to a server: SMTP as a machine without a clock or a connection of its own.
//!
//! Owns: what is said to the server, in which order, and what its replies mean (RFC 5321 §3.3,
//! §4.1.1, §4.2.1, §4.5.2). Never does: connect again, count or keep mails. Driven by: `mail`,
//! which hands on what happens to the connection and closes what an end leaves open.
//!
//! The bytes are those of keepalived 2.2.7; a recipient that the server refuses does not keep the
//! mail from the others.

use super::mail::Letter;
use crate::ops::{HostFact, ProbeCmd, ProbeFailure, ProbeIo};

/// How much of a reply is kept; what a server says beyond that is not read.
const REPLY_BYTES: usize = 4096;

/// Which command a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// None: the connection.
    Banner,
    /// `HELO`
    Helo,
    /// `MAIL FROM`
    From,
    /// `RCPT TO`, for the recipient of this number.
    To(usize),
    /// `DATA`
    Data,
    /// The mail itself.
    Body,
    /// `QUIT`; whether the mail was taken is settled.
    Quit,
}

impl Step {
    /// As keepalived calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Banner => "(E)SMTP",
            Self::Helo => "HELO",
            Self::From => "MAIL",
            Self::To(_) => "RCPT",
            Self::Data => "DATA",
            Self::Body => "BODY",
            Self::Quit => "QUIT",
        }
    }

    /// The status that says that it went well.
    const fn good(self) -> u16 {
        match self {
            Self::Banner => 220,
            Self::Helo | Self::From | Self::To(_) | Self::Body => 250,
            Self::Data => 354,
            Self::Quit => 221,
        }
    }
}

/// Something that is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The server is there.
    Connected,
    /// It has taken the mail.
    Sent,
    /// It does not want what it was told; the mail is lost unless a later line says that it is
    /// sent.
    Refused(Step, u16),
    /// It says something that is no reply.
    Nonsense(Step),
    /// It has hung up, or the connection broke, before it had taken the mail.
    Closed,
    /// There is no connection to it; the system's error number.
    Unreachable(i32),
    /// It did not answer in time.
    Late,
    /// It did not accept the connection in time.
    ConnectTimeout,
}

/// A mail under way.
#[derive(Debug)]
pub(super) struct Dialogue {
    letter: Letter,
    /// Which reply is waited for; `None`: the connection is.
    step: Option<Step>,
    /// Recipients that the server took.
    accepted: usize,
    /// What has come of a reply.
    reply: Vec<u8>,
}

impl Dialogue {
    /// Nothing is said yet.
    pub(super) const fn new(letter: Letter) -> Self {
        Self {
            letter,
            step: None,
            accepted: 0,
            reply: Vec::new(),
        }
    }

    /// Takes what happened to the connection; `false`: the dialogue is over.
    pub(super) fn on(
        &mut self,
        what: ProbeIo<'_>,
        out: &mut Vec<ProbeCmd>,
        news: &mut Vec<News>,
    ) -> bool {
        match what {
            ProbeIo::Connected => {
                self.step = Some(Step::Banner);
                news.push(News::Connected);
                true
            }
            ProbeIo::Bytes(bytes) => self.bytes(bytes, out, news),
            ProbeIo::Closed | ProbeIo::CutOff => self.broken(News::Closed, news),
            // Mails look for nothing.
            ProbeIo::Searched(_) => true,
            ProbeIo::Failed(ProbeFailure::Remote(errno) | ProbeFailure::Local(errno)) => {
                match self.step {
                    None => self.broken(News::Unreachable(errno), news),
                    Some(_) => self.broken(News::Closed, news),
                }
            }
        }
    }

    /// The time of a step is over. Says good-bye if anybody listens.
    pub(super) fn late(&self, out: &mut Vec<ProbeCmd>, news: &mut Vec<News>) {
        match self.step {
            None => news.push(News::ConnectTimeout),
            Some(Step::Quit) => {}
            Some(
                Step::Banner | Step::Helo | Step::From | Step::To(_) | Step::Data | Step::Body,
            ) => {
                news.push(News::Late);
                say("QUIT", out);
            }
        }
    }

    /// After the mail is settled the server may go as it likes.
    fn broken(&self, what: News, news: &mut Vec<News>) -> bool {
        if self.step != Some(Step::Quit) {
            news.push(what);
        }
        false
    }

    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<ProbeCmd>, news: &mut Vec<News>) -> bool {
        for &byte in bytes {
            if byte != b'\n' {
                if self.reply.len() < REPLY_BYTES {
                    self.reply.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.reply);
            let Some(step) = self.step else {
                return true;
            };
            match reply(&line) {
                Some(Reply { last: false, .. }) => {}
                Some(Reply { code, last: true }) => {
                    if !self.answered(step, code, out, news) {
                        return false;
                    }
                }
                None => {
                    news.push(News::Nonsense(step));
                    return false;
                }
            }
        }
        true
    }

    /// A whole reply has come.
    fn answered(
        &mut self,
        step: Step,
        code: u16,
        out: &mut Vec<ProbeCmd>,
        news: &mut Vec<News>,
    ) -> bool {
        // 251: the server knows better where the recipient is, and takes the mail (§3.4).
        let good = code == step.good() || (code == 251 && matches!(step, Step::To(_)));
        if !good {
            news.push(News::Refused(step, code));
        }
        self.step = Some(match (step, good) {
            (Step::Quit, _) => return false,
            (Step::Banner, true) => {
                out.push(ProbeCmd::Write(b"HELO ".to_vec()));
                name_or(self.letter.helo.as_deref(), HostFact::Name, out);
                say("", out);
                Step::Helo
            }
            (Step::Helo, true) => {
                out.push(ProbeCmd::Write(b"MAIL FROM:<".to_vec()));
                self.sender(|from| address(from).to_owned(), out);
                say(">", out);
                Step::From
            }
            (Step::From, true) => self.recipient(0, out),
            (Step::To(number), _) => {
                self.accepted += usize::from(good);
                self.recipient(number + 1, out)
            }
            (Step::Data, true) => {
                self.mail(out);
                Step::Body
            }
            (Step::Body, true) => {
                news.push(News::Sent);
                say("QUIT", out);
                Step::Quit
            }
            (Step::Banner | Step::Helo | Step::From | Step::Data | Step::Body, false) => {
                say("QUIT", out);
                Step::Quit
            }
        });
        true
    }

    /// Names the next recipient, or goes on if there is none.
    fn recipient(&self, number: usize, out: &mut Vec<ProbeCmd>) -> Step {
        if let Some(to) = self.letter.to.get(number) {
            say(&format!("RCPT TO:<{}>", address(to)), out);
            Step::To(number)
        } else if self.accepted > 0 {
            say("DATA", out);
            Step::Data
        } else {
            say("QUIT", out);
            Step::Quit
        }
    }

    /// Writes who sends, the host's own user if nobody is named.
    fn sender(&self, shown: fn(&str) -> String, out: &mut Vec<ProbeCmd>) {
        if let Some(from) = &self.letter.from {
            out.push(ProbeCmd::Write(shown(from).into_bytes()));
        } else {
            out.push(ProbeCmd::WriteFact(HostFact::User));
            out.push(ProbeCmd::Write(b"@".to_vec()));
            out.push(ProbeCmd::WriteFact(HostFact::Name));
        }
    }

    fn mail(&self, out: &mut Vec<ProbeCmd>) {
        let letter = &self.letter;
        out.push(ProbeCmd::Write(b"Date: ".to_vec()));
        out.push(ProbeCmd::WriteFact(HostFact::Date));
        out.push(ProbeCmd::Write(b"\r\nFrom: ".to_vec()));
        self.sender(one_line, out);
        out.push(ProbeCmd::Write(b"\r\nSubject: [".to_vec()));
        name_or(letter.router.as_deref(), HostFact::Name, out);
        let rest = format!(
            "] {}\r\nX-Mailer: Keepalived\r\nTo: {}\r\n\r\n{}\r\n\r\n.\r\n",
            one_line(&letter.subject),
            recipients(&letter.to),
            stuffed(&letter.body)
        );
        out.push(ProbeCmd::Write(rest.into_bytes()));
    }
}

fn say(command: &str, out: &mut Vec<ProbeCmd>) {
    out.push(ProbeCmd::Write(format!("{command}\r\n").into_bytes()));
}

fn name_or(given: Option<&str>, fact: HostFact, out: &mut Vec<ProbeCmd>) {
    out.push(match given {
        Some(name) => ProbeCmd::Write(one_line(name).into_bytes()),
        None => ProbeCmd::WriteFact(fact),
    });
}

/// One line of a reply.
struct Reply {
    code: u16,
    /// No further line belongs to it.
    last: bool,
}

fn reply(line: &[u8]) -> Option<Reply> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(digits).ok()?;
    if !code.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(Reply {
        code: code.parse().ok()?,
        last: rest.first() != Some(&b'-'),
    })
}

/// The address within `Name <address>`, without what could be taken for another command.
fn address(whole: &str) -> &str {
    let inner = whole
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    let address = inner.map_or(whole, |(address, _)| address);
    address
        .split(|c: char| c.is_control() || c == '<' || c == '>')
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}

/// Without what would begin another header.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The value of `To:`, folded where it is longer than a line should be (RFC 5322 §2.1.1).
fn recipients(to: &[String]) -> String {
    const LINE: usize = 78;
    let mut value = String::new();
    let mut column = "To: ".len();
    for (number, recipient) in to.iter().enumerate() {
        let recipient = one_line(recipient);
        if number > 0 {
            let fits = column + ", ".len() + recipient.len() <= LINE;
            value.push_str(if fits { ", " } else { ",\r\n " });
            column = if fits { column + 2 } else { 1 };
        }
        column += recipient.len();
        value.push_str(&recipient);
    }
    value
}

/// The body with lines that end as they should, and dots doubled that would end it (§4.5.2).
fn stuffed(body: &str) -> String {
    let lines = body.lines().map(|line| {
        let line = one_line(line);
        if line.starts_with('.') {
            format!(".{line}")
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letter() -> Letter {
        Letter {
            helo: None,
            from: Some("Me <me@example.org>".into()),
            to: vec!["a@example.org".into(), "B <b@example.org>".into()],
            router: Some("R1".into()),
            subject: "VRRP Instance VI_1 - Entering MASTER state".into(),
            body: "=> VRRP Instance is now owning VRRP VIPs <=".into(),
        }
    }

    /// What was written, with facts of the host in braces.
    fn text(commands: &[ProbeCmd]) -> String {
        let mut text = String::new();
        for command in commands {
            match command {
                ProbeCmd::Write(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
                ProbeCmd::WriteFact(fact) => text.push_str(&format!("{{{fact:?}}}")),
                ProbeCmd::Connect(_)
                | ProbeCmd::Dial(_)
                | ProbeCmd::Search(_)
                | ProbeCmd::Close => {
                    panic!("{command:?}")
                }
            }
        }
        text
    }

    /// Lets a server answer each command with the next of `replies`, cut into pieces of `cut`
    /// bytes; returns what it heard, the news, and whether the dialogue is over.
    fn converse(letter: Letter, replies: &[&str], cut: usize) -> (String, Vec<News>, bool) {
        let mut dialogue = Dialogue::new(letter);
        let (mut out, mut news) = (Vec::new(), Vec::new());
        let mut goes_on = dialogue.on(ProbeIo::Connected, &mut out, &mut news);
        for reply in replies {
            for piece in format!("{reply}\r\n").as_bytes().chunks(cut) {
                if goes_on {
                    goes_on = dialogue.on(ProbeIo::Bytes(piece), &mut out, &mut news);
                }
            }
        }
        (text(&out), news, !goes_on)
    }

    const GOOD: [&str; 8] = [
        "220 mail ESMTP",
        "250 hello",
        "250 ok",
        "250 ok",
        "250 ok",
        "354 go",
        "250 queued",
        "221 bye",
    ];

    // Input: a server that takes everything; the session of keepalived 2.2.7 against one, but for
    // the name of a recipient in RCPT. Output: the same bytes, however its replies are cut.
    #[test]
    fn the_session_is_that_of_keepalived() {
        let expected = "HELO {Name}\r\nMAIL FROM:<me@example.org>\r\nRCPT TO:<a@example.org>\r\n\
            RCPT TO:<b@example.org>\r\nDATA\r\nDate: {Date}\r\nFrom: Me <me@example.org>\r\n\
            Subject: [R1] VRRP Instance VI_1 - Entering MASTER state\r\nX-Mailer: Keepalived\r\n\
            To: a@example.org, B <b@example.org>\r\n\r\n\
            => VRRP Instance is now owning VRRP VIPs <=\r\n\r\n.\r\nQUIT\r\n";
        for cut in 1..20 {
            let (heard, news, over) = converse(letter(), &GOOD, cut);
            assert_eq!(heard, expected);
            assert_eq!(news, [News::Connected, News::Sent]);
            assert!(over);
        }
        let several = GOOD.map(|line| format!("{}-more\r\n{line}", &line[..3]));
        let several: Vec<&str> = several.iter().map(String::as_str).collect();
        assert_eq!(converse(letter(), &several, 7).0, expected);
    }

    // Input: a server that refuses the nth command. Output: QUIT follows, and the refusal is told.
    #[test]
    fn a_refusal_ends_the_session_in_order() {
        let steps = [Step::Banner, Step::Helo, Step::From];
        for (place, step) in steps.into_iter().enumerate() {
            let mut replies = GOOD.to_vec();
            replies.truncate(place);
            replies.extend(["550 no", "221 bye"]);
            let (heard, news, over) = converse(letter(), &replies, 64);
            assert!(heard.ends_with("QUIT\r\n") && over, "{heard}");
            assert_eq!(news, [News::Connected, News::Refused(step, 550)]);
        }
        let (heard, news, _) = converse(
            letter(),
            &[
                "220 a",
                "250 b",
                "250 c",
                "250 d",
                "250 e",
                "451 later",
                "221",
            ],
            64,
        );
        assert!(heard.ends_with("DATA\r\nQUIT\r\n"));
        assert_eq!(news, [News::Connected, News::Refused(Step::Data, 451)]);
    }

    // Input: one recipient of two is refused; then both. Output: the other gets the mail; nobody
    // does.
    #[test]
    fn one_bad_recipient_does_not_keep_the_mail_from_the_others() {
        let mut replies = GOOD;
        replies[3] = "550 no such user";
        let (heard, news, _) = converse(letter(), &replies, 64);
        assert!(heard.contains("X-Mailer"));
        assert_eq!(
            news,
            [News::Connected, News::Refused(Step::To(0), 550), News::Sent]
        );
        let replies = ["220 a", "250 b", "250 c", "550 d", "550 e", "221 bye"];
        let (heard, _, over) = converse(letter(), &replies, 64);
        assert!(heard.ends_with("<b@example.org>\r\nQUIT\r\n") && over);
    }

    // Input: texts that try to be commands, headers or the end of the mail. Output: they are not.
    #[test]
    fn nothing_can_be_smuggled_in() {
        let evil = Letter {
            helo: Some("x\r\nRSET".into()),
            from: Some("a@b>\r\nRCPT TO:<evil@x".into()),
            to: vec!["c@d\r\nDATA".into(), "e@f".into()],
            router: Some("R\r\nBcc: evil@x".into()),
            subject: "s\r\nBcc: evil@x".into(),
            body: "one\n.\nRSET".into(),
        };
        let (heard, _, _) = converse(evil, &GOOD, 64);
        let lines: Vec<&str> = heard.split("\r\n").collect();
        assert!(!lines.iter().any(|line| line.starts_with("Bcc")), "{heard}");
        assert_eq!(lines.iter().filter(|&&line| line == ".").count(), 1);
        assert!(lines.contains(&".."), "{heard}");
        assert!(lines.contains(&"MAIL FROM:<evil@x>") || lines.contains(&"MAIL FROM:<a@b>"));
        assert!(lines.contains(&"RCPT TO:<c@d>"), "{heard}");
        assert!(lines.contains(&"HELO x  RSET"));
    }

    #[test]
    fn long_lists_are_folded() {
        let to = vec!["recipient.of.some.length@mail.example.org".to_owned(); 3];
        let folded = recipients(&to);
        assert_eq!(folded.matches(",\r\n ").count(), 2);
        assert!(folded.split("\r\n").all(|line| line.len() <= 78));
        assert_eq!(recipients(&["a@b".into(), "c@d".into()]), "a@b, c@d");
    }

    proptest! {
        // Input: any bytes, then any of the ways in which a connection ends, at any byte of a
        // session. Output: no panic, a bounded memory, and an end.
        #[test]
        fn any_server_comes_to_an_end(
            good in 0usize..8,
            noise in proptest::collection::vec(any::<u8>(), 0..6000),
            end in 0u8..4,
        ) {
            let mut dialogue = Dialogue::new(letter());
            let (mut out, mut news) = (Vec::new(), Vec::new());
            let mut goes_on = dialogue.on(ProbeIo::Connected, &mut out, &mut news);
            for reply in &GOOD[..good] {
                goes_on = dialogue.on(ProbeIo::Bytes(format!("{reply}\n").as_bytes()), &mut out, &mut news);
            }
            if goes_on {
                goes_on = dialogue.on(ProbeIo::Bytes(&noise), &mut out, &mut news);
            }
            prop_assert!(dialogue.reply.len() <= REPLY_BYTES);
            let last = match end {
                0 => ProbeIo::Closed,
                1 => ProbeIo::CutOff,
                2 => ProbeIo::Failed(ProbeFailure::Remote(104)),
                _ => ProbeIo::Failed(ProbeFailure::Local(12)),
            };
            if goes_on {
                prop_assert!(!dialogue.on(last, &mut out, &mut news));
            }
            let sent = news.iter().filter(|news| **news == News::Sent).count();
            prop_assert!(sent <= 1 && (sent == 0 || good == 7 || noise.contains(&b'\n')));
        }
    }
}

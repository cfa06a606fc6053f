//! Messages of a config test, made comparable.
//!
//! Owns: `(FILE: Line N) text` and `(Line N) text` as the pair of line and text (keepalived's parent
//! process names no file, and each of its processes says the same again, so messages are a set); which
//! lines of our output are messages and which are excerpts; the *kind* of a message, that is its
//! text without the names and numbers of one file. Never judges. Driven by [`super::Verdict`].

use std::collections::BTreeSet;
use std::fmt;

/// What is said about a line, or about the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The line that it names.
    pub line: Option<u32>,
    /// The text without its place.
    pub text: String,
}

/// A set of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages(pub BTreeSet<Message>);

/// Words after which a name of the operator's follows.
const BEFORE_NAMES: [&str; 12] = [
    "script",
    "router",
    "group",
    "interface",
    "instance",
    "server",
    "file",
    "process",
    "track_interface",
    "user",
    "for",
    "vrrp_instance",
];

/// The levels with which our excerpts begin.
const LEVELS: [&str; 3] = ["error: ", "warning: ", "info: "];

impl Message {
    fn parse(line: &str) -> Self {
        let placed = line.strip_prefix('(').and_then(|rest| {
            let (place, text) = rest.split_once(") ")?;
            let number = place.rsplit_once("Line ")?.1.parse().ok()?;
            Some(Self {
                line: Some(number),
                text: text.to_owned(),
            })
        });
        placed.unwrap_or_else(|| Self {
            line: None,
            text: line.to_owned(),
        })
    }

    /// The text with names and numbers taken out: the same for every file that has the problem.
    /// The keyword of an unknown keyword stays, because it is what there is to do.
    #[must_use]
    pub fn kind(&self) -> String {
        if self.text.starts_with("Unknown keyword") {
            return self.text.clone();
        }
        let mut previous = "";
        let mut words = Vec::new();
        for word in quoted_out(&self.text).split_whitespace() {
            let name = word.starts_with('(') && words.is_empty()
                || word.bytes().any(|byte| byte.is_ascii_digit())
                || word.contains(['/', '$'])
                || BEFORE_NAMES.contains(&previous) && !BEFORE_NAMES.contains(&word);
            words.push(if name {
                "_".to_owned()
            } else {
                word.to_owned()
            });
            previous = BEFORE_NAMES
                .iter()
                .find(|before| **before == word)
                .unwrap_or(&"");
        }
        words.join(" ")
    }
}

/// The text with everything between single quotes replaced.
fn quoted_out(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('\'').enumerate() {
        out.push_str(if index % 2 == 0 { part } else { "'_'" });
    }
    out
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{line} {}", self.text),
            None => write!(f, "- {}", self.text),
        }
    }
}

impl Messages {
    /// A message a line.
    pub fn of_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let lines = lines.map(str::trim_end).filter(|line| !line.is_empty());
        Self(lines.map(Message::parse).collect())
    }

    /// The messages in the output of our config test: each is followed by its excerpt, which
    /// begins with a level and the same text.
    #[must_use]
    pub fn of_ours(output: &str) -> Self {
        let lines: Vec<&str> = output.lines().collect();
        let headed = lines.windows(2).filter_map(|pair| {
            let [line, title] = pair else { return None };
            // The title of another excerpt, of something that keepalived does not say.
            if LEVELS.iter().any(|level| line.starts_with(level)) {
                return None;
            }
            let title = LEVELS.iter().find_map(|level| title.strip_prefix(level))?;
            // What cannot be shown in an excerpt is replaced there, so the text may differ a bit.
            let same = line.ends_with(title) || title.contains('\u{fffd}');
            same.then_some(*line)
        });
        Self::of_lines(headed)
    }

    /// Those of `self` that `other` has not.
    pub fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Message> {
        self.0.difference(&other.0)
    }

    /// Whether this text is said, on whatever line.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.0.iter().any(|message| message.text == text)
    }

    /// Whether this text is said with a line.
    #[must_use]
    pub fn says_with_line(&self, text: &str) -> bool {
        self.0
            .iter()
            .any(|message| message.line.is_some() && message.text == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: both forms of a place, twice the same. Output: one message.
    #[test]
    fn the_place_is_taken_off() {
        let said = "(/tmp/a b.conf: Line 7) (VI_1) bad\n(Line 7) (VI_1) bad\n(VI_1) whole\n";
        let messages = Messages::of_lines(said.lines());
        let shown: Vec<String> = messages.0.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["- (VI_1) whole", "7 (VI_1) bad"]);
    }

    // Input: our output with excerpts. Output: the messages only, not what the excerpts hold.
    #[test]
    fn excerpts_are_no_messages() {
        let output = "(a: Line 1) Unknown keyword 'x'\nerror: Unknown keyword 'x'\n --> a:1:1\n  |\n\
                      1 | x\n  | ^\n\nNo VIP\nwarning: No VIP\nnote: look here\n";
        let messages = Messages::of_ours(output);
        let shown: Vec<String> = messages.0.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["- No VIP", "1 Unknown keyword 'x'"]);
    }

    // Input: messages that name things of one file. Output: what any other file would get.
    #[test]
    fn kinds_have_no_names() {
        let kind = |text: &str| Message::parse(text).kind();
        assert_eq!(
            kind("Disabling track script check_run since not found/accessible"),
            "Disabling track script _ since not _"
        );
        assert_eq!(kind("(VI_1) unknown state 'X'"), "_ unknown state '_'");
        assert_eq!(kind("Unknown keyword 'lvs_id'"), "Unknown keyword 'lvs_id'");
    }
}

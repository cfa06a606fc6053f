//! The words of a command line, as getopt reads them.
//!
//! Owns: which words are options, which belong to them, and which are left over. Never does: know
//! what an option means; that is the table of `cli`. Driven by: `cli::parse`.
//!
//! keepalived reads options one after the other with `getopt_long`: what is wrong is told and passed
//! over, and the first that asks for the version, the help or a signal's number is the last one read.
//! Scripts and unit files rely on all of it, so it is done here, and clap is given words about which
//! nothing is open.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, Command};

/// Options of this program alone: they make no name of keepalived's ambiguous.
const OWN: [&str; 2] = ["hand-over", "log-style"];

/// A word that cannot be what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// No option has this name, or it takes no value.
    Unknown(OsString),
    /// Its value is missing.
    Missing(String),
}

/// A command line that was read.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The options, each as one word with its long name.
    pub(super) options: Vec<OsString>,
    /// What belongs to no option.
    pub(super) stray: Vec<OsString>,
    /// In their order.
    pub(super) wrong: Vec<Wrong>,
    /// Whether the last of the options is one behind which nothing is read.
    pub(super) ended: bool,
}

/// Whether an option has a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    /// Only in the same word.
    Attached,
    Demanded,
}

fn value(arg: &Arg) -> Value {
    if !arg.get_action().takes_values() {
        Value::None
    } else if arg.is_require_equals_set() {
        Value::Attached
    } else {
        Value::Demanded
    }
}

/// Reads the words behind the program's name.
pub(super) fn read(table: &Command, words: impl IntoIterator<Item = OsString>) -> Words {
    let mut words = words.into_iter();
    let mut found = Words::default();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            found.stray.extend(words);
            break;
        }
        if let Some(name) = bytes.strip_prefix(b"--") {
            found.long(table, &word, name, || words.next());
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            found.letters(table, &bytes[1..], || words.next());
        } else {
            found.stray.push(word);
        }
        if found.ended {
            break;
        }
    }
    found
}

impl Words {
    /// `--name`, `--name=value` or `--name value`.
    fn long(
        &mut self,
        table: &Command,
        word: &OsStr,
        text: &[u8],
        next: impl FnOnce() -> Option<OsString>,
    ) {
        let mut parts = text.splitn(2, |&byte| byte == b'=');
        let name = parts.next().unwrap_or_default();
        let attached = parts.next().map(|bytes| OsString::from_vec(bytes.to_vec()));
        let Some((arg, long)) = named(table, name) else {
            self.wrong.push(Wrong::Unknown(word.to_owned()));
            return;
        };
        match value(arg) {
            Value::None if attached.is_some() => self.wrong.push(Wrong::Unknown(word.to_owned())),
            Value::None => self.take(long, None),
            Value::Attached => self.take_file(long, attached.filter(|value| !value.is_empty())),
            // An empty value counts as none.
            Value::Demanded => match attached.or_else(next).filter(|value| !value.is_empty()) {
                None => self.wrong.push(Wrong::Missing(format!("--{long}"))),
                value => self.take(long, value),
            },
        }
    }

    /// `-abc`, the last of which may have its value behind it.
    fn letters(
        &mut self,
        table: &Command,
        letters: &[u8],
        next: impl FnOnce() -> Option<OsString>,
    ) {
        for (place, &letter) in letters.iter().enumerate() {
            let is = |arg: &&Arg| arg.get_short() == Some(char::from(letter));
            let Some((arg, long)) = table
                .get_arguments()
                .find(is)
                .and_then(|arg| Some((arg, arg.get_long()?)))
            else {
                let word = OsString::from_vec(vec![b'-', letter]);
                self.wrong.push(Wrong::Unknown(word));
                continue;
            };
            let rest = letters.get(place + 1..).filter(|rest| !rest.is_empty());
            let rest = rest.map(|rest| OsString::from_vec(rest.to_vec()));
            match value(arg) {
                Value::None => self.take(long, None),
                Value::Attached => return self.take_file(long, rest),
                Value::Demanded => {
                    match rest.or_else(next) {
                        None => {
                            let letter = char::from(letter);
                            self.wrong.push(Wrong::Missing(format!("-{letter}")));
                        }
                        value => self.take(long, value),
                    }
                    return;
                }
            }
            if self.ended {
                return;
            }
        }
    }

    /// A file that was named for a config test stays named.
    fn take_file(&mut self, long: &str, file: Option<OsString>) {
        let with_file = |word: &OsString| word.as_bytes().starts_with(b"--config-test=");
        if file.is_some() || long != "config-test" || !self.options.iter().any(with_file) {
            self.take(long, file);
        }
    }

    fn take(&mut self, long: &str, value: Option<OsString>) {
        let mut word = OsString::from(format!("--{long}"));
        match value {
            // Behind a letter: the option's default, and that is what was there before.
            Some(value) if value.is_empty() && DEFAULTS.contains(&long) => return,
            Some(value) => {
                word.push("=");
                word.push(value);
            }
            None => {}
        }
        self.options.push(word);
        self.ended = ["version", "help", "signum"].contains(&long);
    }
}

/// Options of which an empty value means nothing.
const DEFAULTS: [&str; 7] = [
    "pid",
    "vrrp_pid",
    "checkers_pid",
    "bfd_pid",
    "namespace",
    "snmp-agent-socket",
    "config-id",
];

/// The option of a name that may be shortened as far as it stays unique.
fn named<'a>(table: &'a Command, name: &[u8]) -> Option<(&'a Arg, &'a str)> {
    let all = || {
        let args = table.get_arguments();
        args.filter_map(|arg| Some((arg, arg.get_long()?)))
    };
    let exact = all().find(|(_, long)| long.as_bytes() == name);
    if exact.is_some() {
        return exact;
    }
    for own in [false, true] {
        let begins = |(_, long): &(&Arg, &str)| {
            long.as_bytes().starts_with(name) && OWN.contains(long) == own
        };
        let mut found = all().filter(begins);
        if let Some(first) = found.next() {
            return found.next().is_none().then_some(first);
        }
    }
    None
}

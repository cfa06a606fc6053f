//! Scripts as checks and changes of state name them.
//!
//! Owns: a command with whom it runs as, and how a command falls into words. Never does: run
//! anything, or look whether there is such a program. Driven by: `conf::bind` and the domains.

use std::iter::Peekable;
use std::str::Chars;

use crate::base::bytes::byte_char;

/// A script that a check or a change of state runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckScript {
    /// The command with its arguments.
    pub command: String,
    /// The user that runs it; `script_user` if not given.
    pub user: Option<String>,
    /// The group that runs it; the user's if not given.
    pub group: Option<String>,
}

impl CheckScript {
    /// The command's words, split as a shell would; `None`: a quote is open, or there is none.
    #[must_use]
    pub fn argv(&self) -> Option<Vec<String>> {
        let argv = command_words(&self.command).ok()?;
        (!argv.is_empty()).then_some(argv)
    }
}

/// Splits at blanks as keepalived does with scripts: `'` and `"` keep them and join what touches,
/// and a backslash takes the next character, or stands for another one, in quotes as well. The error
/// is the quote that stays open.
pub(in super::super) fn command_words(text: &str) -> Result<Vec<String>, char> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '\\') => {
                let word = word.get_or_insert_default();
                match chars.next() {
                    Some(next) => word.push(escaped(next, &mut chars)),
                    None => word.push('\\'),
                }
            }
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => {
                // One that ends the text quotes nothing.
                quote = chars.peek().map(|_| c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (Some(_) | None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.map_or(Ok(words), Err)
}

/// What a backslash before `c` means: control characters by letter, `\nnn`, `\xHH`, `\cC`, and any
/// other character itself.
fn escaped(c: char, rest: &mut Peekable<Chars<'_>>) -> char {
    match c {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '0'..='7' => byte(number(c.to_digit(8), 8, 2, rest)),
        'x' if rest.peek().is_some_and(char::is_ascii_hexdigit) => byte(number(None, 16, 2, rest)),
        'c' => rest.next().map_or('c', |next| byte(u32::from(next) & 0x1f)),
        other => other,
    }
}

/// The character that stands for a byte; none stands for a NUL.
fn byte(code: u32) -> char {
    let code = u8::try_from(code & 0xff).unwrap_or_default();
    if code.is_ascii() {
        char::from(code)
    } else {
        byte_char(code)
    }
}

/// Up to `most` digits behind the first one.
fn number(first: Option<u32>, radix: u32, most: usize, rest: &mut Peekable<Chars<'_>>) -> u32 {
    let mut value = first.unwrap_or_default();
    for _ in 0..most {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(radix)) else {
            break;
        };
        rest.next();
        value = value * radix + digit;
    }
    value
}

/// A word as [`command_words`] reads it back.
#[must_use]
pub(in super::super) fn quoted_word(word: &str) -> String {
    let plain = |c: char| !c.is_ascii_whitespace() && !matches!(c, '\'' | '"' | '\\');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut out = String::from("'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            // Neither a comment nor the end of a line.
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A whole command as one word of a configuration line.
#[must_use]
pub(in super::super) fn quoted_command(command: &str) -> String {
    let mut out = String::from("\"");
    for c in command.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            // What else reads the line counts quotes.
            '"' => out.push_str("\\x22"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: commands. Output: their words.
    #[test]
    fn quotes_keep_blanks_together() {
        assert_eq!(
            command_words("/bin/sh -c 'a b'c  d").unwrap(),
            ["/bin/sh", "-c", "a bc", "d"]
        );
        assert_eq!(command_words("a '' b").unwrap(), ["a", "", "b"]);
        assert_eq!(command_words("  ").unwrap(), Vec::<String>::new());
        assert_eq!(command_words("a 'b"), Err('\''));
        assert_eq!(command_words("'a\\'b'\"c\"d").unwrap(), ["a'bcd"]);
    }

    // Input: escapes. Output: what they stand for, in quotes as well.
    #[test]
    fn a_backslash_stands_for_another_character() {
        let words = command_words("a\\ b '\\t\\x41\\101\\e\\cA' \\\"\\\\ \\xg c\\").unwrap();
        assert_eq!(words, ["a b", "\tAAe\u{1}", "\"\\", "xg", "c\\"]);
    }

    // Input: words of all kinds. Output: the same, through both rounds of reading.
    #[test]
    fn what_is_quoted_is_read_back() {
        let words = [
            "a",
            "",
            "b c",
            "it's",
            "\"q\"",
            "back\\slash",
            "\ttab",
            "$x#y!",
        ];
        let line: Vec<String> = words.iter().map(|word| quoted_word(word)).collect();
        let line = line.join(" ");
        assert_eq!(command_words(&line).unwrap(), words);
        assert_eq!(command_words(&quoted_command(&line)).unwrap(), [line]);
    }
}

//! A keyword line as its handler sees it: words, numbers, findings.
//!
//! Owns: access to the words of one line and keepalived's texts about values that are none. Never
//! does: decide what a bad value means for the setting; the handler does. Driven by: `bind`.

use std::net::IpAddr;

use super::super::ast::{Line, Slice, Store};
use super::super::diag::{Class, Consequence, Diagnostic, Diagnostics, Span};
use super::super::names::NamePlaces;
use super::super::reader::{Place, span};
use super::super::source::{HostFacts, Source, to_display};
use crate::base::Duration;

/// Why a handler does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Stop {
    /// The block that follows is skipped whole.
    SkipBlock,
    /// So is it, if it begins, and the block around it ends with it, without a word.
    SkipBoth,
    /// Reading ends.
    Abort,
}

/// What a handler answers.
pub(in super::super) type Outcome = Result<(), Stop>;

/// One line.
pub(in super::super) struct Statement<'s> {
    pub(in super::super) slice: &'s Slice,
    pub(in super::super) sources: &'s [Source],
    pub(in super::super) facts: &'s dyn HostFacts,
    /// Where names of numbers are looked up.
    pub(in super::super) names: &'s NamePlaces,
    pub(in super::super) diagnostics: &'s mut Diagnostics,
    pub(in super::super) line: Line,
}

impl<'s> Statement<'s> {
    /// The bytes that the words point into.
    fn store(&self) -> &'s str {
        match self.line.store {
            Store::File => self
                .sources
                .get(self.line.source.0 as usize)
                .map_or("", |source| &source.text[..]),
            Store::Arena | Store::Expanded => &self.slice.text,
        }
    }

    /// The word at `index`; 0 is the keyword.
    pub(in super::super) fn word(&self, index: usize) -> Option<&'s str> {
        let word = self.slice.words(&self.line).get(index)?;
        self.store().get(word.start as usize..word.end as usize)
    }

    /// How many words there are, the keyword included.
    pub(in super::super) fn count(&self) -> usize {
        self.line.count as usize
    }

    /// The words from `index` on.
    pub(in super::super) fn words(&self, index: usize) -> impl Iterator<Item = &'s str> + use<'s> {
        let store = self.store();
        self.slice
            .words(&self.line)
            .iter()
            .skip(index)
            .filter_map(|word| store.get(word.start as usize..word.end as usize))
    }

    /// The line as it is written, from its first word on, without what belongs to another: a comment,
    /// a brace and what follows it.
    pub(in super::super) fn raw(&self) -> &'s str {
        let store = self.store();
        let Some(first) = self.slice.words(&self.line).first() else {
            return "";
        };
        let start = first.start as usize;
        // A first word in quotes begins behind its quote.
        let before = start.checked_sub(1);
        let quoted = before.is_some_and(|at| store.as_bytes().get(at) == Some(&b'"'));
        let rest = store.get(start - usize::from(quoted)..).unwrap_or_default();
        let mut open = false;
        let end = rest.bytes().position(|byte| {
            open ^= byte == b'"';
            byte == b'\n' || !open && matches!(byte, b'#' | b'!' | b'{' | b'}')
        });
        rest[..end.unwrap_or(rest.len())].trim_end()
    }

    /// All words, with single blanks.
    pub(in super::super) fn whole(&self) -> String {
        let words: Vec<_> = self.words(0).collect();
        to_display(&words.join(" ")).into_owned()
    }

    /// The word at `index`, without which nothing can go on.
    ///
    /// # Errors
    /// `Abort` if there is none: keepalived exits at once.
    pub(in super::super) fn need(&mut self, index: usize) -> Result<&'s str, Stop> {
        if let Some(word) = self.word(index) {
            return Ok(word);
        }
        let keyword = to_display(self.word(0).unwrap_or_default());
        let after = to_display(self.word(index - 1).unwrap_or_default());
        let message = format!(
            "*** Configuration line starting `{keyword}` is missing a parameter after keyword \
             `{after}` at word position {}",
            index + 1
        );
        let finding = self
            .finding(Class::MissingParameter, message, Some(0))
            .note("keepalived stops reading here", None)
            .consequence(Consequence::RefuseStart(2));
        self.diagnostics.push(finding);
        Err(Stop::Abort)
    }

    /// A number in `min..=max` at `index`; `None`, reported, if it is none.
    ///
    /// # Errors
    /// `Abort` if there is no word.
    pub(in super::super) fn number(
        &mut self,
        index: usize,
        min: u32,
        max: u32,
    ) -> Result<Option<u32>, Stop> {
        let word = self.need(index)?;
        Ok(self.number_in(word, index, min, max))
    }

    /// The number in `min..=max` that `text`, a part of the word at `index`, is; `None`, reported,
    /// if it is none.
    pub(in super::super) fn number_in(
        &mut self,
        text: &str,
        index: usize,
        min: u32,
        max: u32,
    ) -> Option<u32> {
        let word = text;
        let problem = match parse_unsigned(word) {
            Ok(value) if (u64::from(min)..=u64::from(max)).contains(&value) => {
                return u32::try_from(value).ok();
            }
            Ok(value) if value <= u64::from(u32::MAX) => {
                format!("number '{}' outside range [{min}, {max}]", to_display(word))
            }
            Ok(_) | Err(NotANumber::Huge) => {
                format!(
                    "number '{}' outside unsigned integer range",
                    to_display(word)
                )
            }
            Err(NotANumber::Negative) => format!("negative number '{}'", to_display(word)),
            Err(NotANumber::Invalid) => format!("invalid number '{}'", to_display(word)),
        };
        self.unusable(problem, index);
        None
    }

    /// A number that may be negative, in `min..=max`, at `index`; `None`, reported, if it is none.
    ///
    /// # Errors
    /// `Abort` if there is no word.
    pub(in super::super) fn signed(
        &mut self,
        index: usize,
        min: i32,
        max: i32,
    ) -> Result<Option<i32>, Stop> {
        let word = self.need(index)?;
        let shown = to_display(word);
        let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
        let problem = if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("invalid number '{shown}'")
        } else {
            // An empty word counts as zero, as everywhere.
            match if digits.is_empty() {
                Ok(0)
            } else {
                word.parse::<i32>()
            } {
                Ok(value) if (min..=max).contains(&value) => return Ok(Some(value)),
                Ok(_) => format!("number '{shown}' outside range [{min}, {max}]"),
                Err(_) => format!("number '{shown}' outside integer range"),
            }
        };
        self.unusable(problem, index);
        Ok(None)
    }

    /// Seconds with up to six decimals in `min..=max` at `index`; `None`, reported, if they are
    /// none. What follows a number is reported, and the number used nevertheless.
    ///
    /// # Errors
    /// `Abort` if there is no word.
    pub(in super::super) fn seconds(
        &mut self,
        index: usize,
        min: Duration,
        max: Duration,
    ) -> Result<Option<Duration>, Stop> {
        self.seconds_to(6, index, min, max)
    }

    /// The same with up to `places` decimals, of which there are six at most.
    ///
    /// Where something follows the number, keepalived 2.2.7 and 2.3.4 take all its digits for units
    /// of the last decimal: `5s` for 5 microseconds. Whether they use it is decided, and told, as by
    /// them; what is used is what stands there, or the end of the range that is next to it.
    ///
    /// # Errors
    /// `Abort` if there is no word.
    pub(in super::super) fn seconds_to(
        &mut self,
        places: u8,
        index: usize,
        min: Duration,
        max: Duration,
    ) -> Result<Option<Duration>, Stop> {
        let word = self.need(index)?;
        let shown = to_display(word);
        let value = match parse_seconds(word, places) {
            Seconds::Good(value) => value,
            Seconds::Rounded(value) => {
                let message = format!("number '{shown}' has too many decimal places");
                self.error(Class::InvalidNumber, message, Some(index));
                value
            }
            Seconds::Junk { value, digits } => {
                let used = (min..=max).contains(&digits);
                let value = value.clamp(min, max);
                let note = if used {
                    let shown = decimal(value, 6);
                    let shown = shown.trim_end_matches('0').trim_end_matches('.');
                    format!("taken as {shown} s")
                } else {
                    "the value is not used".to_owned()
                };
                self.long_fraction(word, places, index);
                let message = format!("invalid number '{shown}'");
                let finding = self
                    .finding(Class::InvalidNumber, message, Some(index))
                    .note(note, None);
                self.diagnostics.push(finding);
                return Ok(used.then_some(value));
            }
            Seconds::Negative => {
                let message = format!("negative number '{shown}'");
                self.unusable(message, index);
                return Ok(None);
            }
            Seconds::Huge => {
                self.unusable(format!("number '{shown}' {TOO_LARGE}"), index);
                return Ok(None);
            }
        };
        if (min..=max).contains(&value) {
            return Ok(Some(value));
        }
        let message = format!(
            "number '{shown}' outside range [{}, {}]",
            decimal(min, places),
            decimal(max, places)
        );
        self.unusable(message, index);
        Ok(None)
    }

    /// Says that more follows the point than `places` characters, be they digits or not.
    fn long_fraction(&mut self, word: &str, places: u8, index: usize) {
        let fraction = word.split_once('.').map_or("", |(_, fraction)| fraction);
        if fraction.len() > usize::from(places) {
            let shown = to_display(word);
            let message = format!("number '{shown}' has too many decimal places");
            self.error(Class::InvalidNumber, message, Some(index));
        }
    }

    /// Milliseconds with up to three decimals in `min..=max` at `index`; `None`, reported, if they
    /// are none.
    ///
    /// # Errors
    /// `Abort` if there is no word.
    pub(in super::super) fn milliseconds(
        &mut self,
        index: usize,
        min: u32,
        max: u32,
    ) -> Result<Option<Duration>, Stop> {
        let word = self.need(index)?;
        if matches!(parse_seconds(word, 3), Seconds::Junk { .. }) {
            self.long_fraction(word, 3, index);
            let message = format!("invalid number '{}'", to_display(word));
            self.unusable(message, index);
            return Ok(None);
        }
        // They are read as if a millisecond were a second.
        let bound = |bound: u32| Duration::from_secs(u64::from(bound));
        let value = self.seconds_to(3, index, bound(min), bound(max))?;
        Ok(value.map(|value| value / 1000))
    }

    /// `true`, `on`, `yes`, `false`, `off`, `no` at `index`; nothing there means true.
    pub(in super::super) fn boolean(&mut self, index: usize) -> Option<bool> {
        match self.word(index) {
            None | Some("true" | "on" | "yes") => Some(true),
            Some("false" | "off" | "no") => Some(false),
            Some(_) => None,
        }
    }

    /// An address at `index`; `None` if it is none, which is the handler's to report. The length of
    /// a prefix or the end of a range may follow, and counts for nothing.
    ///
    /// # Errors
    /// `Abort` if there is no word.
    pub(in super::super) fn address(&mut self, index: usize) -> Result<Option<IpAddr>, Stop> {
        Ok(one_address(self.need(index)?))
    }

    /// Reports something about the word at `index`, or about the whole line.
    pub(in super::super) fn error(
        &mut self,
        class: Class,
        message: impl Into<String>,
        index: Option<usize>,
    ) {
        let finding = self.finding(class, message, index);
        self.diagnostics.push(finding);
    }

    /// Reports a number with which nothing can be done.
    fn unusable(&mut self, message: String, index: usize) {
        let finding = self
            .finding(Class::InvalidNumber, message, Some(index))
            .note("the value is not used", None);
        self.diagnostics.push(finding);
    }

    /// Tells that a keyword is read and checked, but that nothing comes of it yet. It changes no
    /// verdict: with keepalived nothing is wrong.
    pub(in super::super) fn pending(&mut self, name: &str) {
        let message =
            format!("keyword '{name}' is read and checked, but not active in this version");
        self.error(Class::Advice, message, Some(0));
    }

    /// A finding about the word at `index`, or about the whole line.
    pub(in super::super) fn finding(
        &self,
        class: Class,
        message: impl Into<String>,
        index: Option<usize>,
    ) -> Diagnostic {
        let finding = Diagnostic::new(class, message).at(self.span_at(self.mark_of(index)));
        if self.line.store == Store::Expanded {
            finding.note(
                format!("the line reads `{}` after expansion", self.whole()),
                None,
            )
        } else {
            finding
        }
    }

    /// Where the word at `index`, or the whole line, stands in its file.
    fn mark_of(&self, index: Option<usize>) -> Mark {
        let columns = index.and_then(|index| {
            let word = self.slice.words(&self.line).get(index)?;
            // The words of a line that was rewritten are not in the file.
            (self.line.store == Store::File).then(|| {
                let start = (word.start - self.line.offset) as usize;
                (start, start + (word.end - word.start) as usize)
            })
        });
        Mark {
            place: self.place(),
            columns,
        }
    }

    /// Where the word at `index` stands, to be told of later.
    pub(in super::super) fn mark(&self, index: usize) -> Mark {
        self.mark_of(Some(index))
    }

    /// The place of a mark, with its text.
    pub(in super::super) fn span_at(&self, mark: Mark) -> Span {
        span(self.sources, mark.place, mark.columns)
    }

    /// Where the line stands.
    pub(in super::super) fn place(&self) -> Place {
        Place {
            source: self.line.source,
            number: self.line.number,
            offset: self.line.offset as usize,
        }
    }
}

/// A place in a file that outlives the slice.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Mark {
    pub(in super::super) place: Place,
    pub(in super::super) columns: Option<(usize, usize)>,
}

/// The address that a word begins with; what follows a slash or a hyphen is not looked at.
pub(in super::super) fn one_address(word: &str) -> Option<IpAddr> {
    let end = word.find(['/', '-']).unwrap_or(word.len());
    word[..end].parse().ok()
}

/// Why a word is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotANumber {
    Invalid,
    Negative,
    Huge,
}

/// A decimal number; a sign and leading zeros are allowed, anything after it is not.
fn parse_unsigned(word: &str) -> Result<u64, NotANumber> {
    let digits = word.strip_prefix('+').unwrap_or(word);
    if word.starts_with('-') {
        return Err(NotANumber::Negative);
    }
    // An empty word counts as zero, which few settings allow.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotANumber::Invalid);
    }
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| NotANumber::Huge)
}

/// Said of seconds that fit no number.
const TOO_LARGE: &str = "outside unsigned decimal range";

/// What a word is as seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seconds {
    Good(Duration),
    /// More decimals than are looked at.
    Rounded(Duration),
    /// Something stands behind the number.
    Junk {
        /// What stands before that; no digits at all are zero.
        value: Duration,
        /// All its digits as a number of the smallest unit.
        digits: Duration,
    },
    Negative,
    Huge,
}

/// Seconds with up to `places` decimals; `.5`, `5.` and `.` are numbers too.
fn parse_seconds(word: &str, places: u8) -> Seconds {
    if word.starts_with('-') {
        return Seconds::Negative;
    }
    let text = word.strip_prefix('+').unwrap_or(word);
    let whole = leading_digits(text);
    let rest = &text[whole.len()..];
    let fraction = rest.strip_prefix('.').map_or("", leading_digits);
    let used = whole.len() + fraction.len() + usize::from(rest.starts_with('.'));
    let places = usize::from(places);
    let unit = 10_u64.pow(6 - u32::try_from(places.min(6)).unwrap_or(6));
    let number = |digits: &str| {
        if digits.is_empty() {
            return Some(0);
        }
        digits.parse::<u64>().ok()
    };
    // What follows the last decimal that counts is not looked at.
    let long = fraction.len() > places;
    if used < text.len() && !long {
        let (Some(units), Some(value)) = (number(&[whole, fraction].concat()), number(whole))
        else {
            return Seconds::Huge;
        };
        return Seconds::Junk {
            value: Duration::from_secs(value).saturating_add(micros_of(fraction)),
            digits: Duration::from_micros(units.saturating_mul(unit)),
        };
    }
    let seconds = number(whole).filter(|seconds| *seconds <= u64::MAX / 1_000_000);
    let Some(seconds) = seconds else {
        return Seconds::Huge;
    };
    let kept = &fraction[..fraction.len().min(places)];
    let mut value = Duration::from_secs(seconds).saturating_add(micros_of(kept));
    let next = fraction.as_bytes().get(places);
    if next.is_some_and(|digit| *digit >= b'5') {
        value = value.saturating_add(Duration::from_micros(unit));
    }
    if long {
        Seconds::Rounded(value)
    } else {
        Seconds::Good(value)
    }
}

/// Decimals of a second, of which six count.
fn micros_of(fraction: &str) -> Duration {
    let mut micros = 0;
    let mut scale = 100_000;
    for digit in fraction.bytes().take(6) {
        micros += u64::from(digit - b'0') * scale;
        scale /= 10;
    }
    Duration::from_micros(micros)
}

fn leading_digits(text: &str) -> &str {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    &text[..end]
}

/// Seconds as keepalived prints the ends of a range.
fn decimal(duration: Duration, places: u8) -> String {
    let mut shown = format!("{}.{:06}", duration.as_secs(), duration.subsec_micros());
    shown.truncate(shown.len() - usize::from(6 - places.min(6)));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: what people write for seconds. Output: microseconds, and what is odd about it.
    #[test]
    fn seconds_have_decimals() {
        let micros = Duration::from_micros;
        let junk = |value, digits| Seconds::Junk {
            value: micros(value),
            digits: micros(digits),
        };
        for (word, expected) in [
            ("1", Seconds::Good(micros(1_000_000))),
            (".5", Seconds::Good(micros(500_000))),
            ("5.", Seconds::Good(micros(5_000_000))),
            ("0.01", Seconds::Good(micros(10_000))),
            ("+2.25", Seconds::Good(micros(2_250_000))),
            ("1.1234565", Seconds::Rounded(micros(1_123_457))),
            ("1.1234565x", Seconds::Rounded(micros(1_123_457))),
            ("5s", junk(5_000_000, 5)),
            ("x", junk(0, 0)),
            ("", Seconds::Good(micros(0))),
            (".", Seconds::Good(micros(0))),
            ("1.2.3", junk(1_200_000, 12)),
            ("-1", Seconds::Negative),
            ("18446744073710", Seconds::Huge),
            ("99999999999999999999", Seconds::Huge),
        ] {
            assert_eq!(parse_seconds(word, 6), expected, "{word}");
        }
        for (word, expected) in [
            ("0.5", Seconds::Good(micros(500_000))),
            ("0.0005", Seconds::Rounded(micros(1000))),
            ("0.0004", Seconds::Rounded(micros(0))),
            ("5s", junk(5_000_000, 5000)),
        ] {
            assert_eq!(parse_seconds(word, 3), expected, "{word}");
        }
    }

    // Input: what people write for numbers. Output: the number, or why not.
    #[test]
    fn numbers_are_decimal() {
        assert_eq!(parse_unsigned("0051"), Ok(51));
        assert_eq!(parse_unsigned("+7"), Ok(7));
        assert_eq!(parse_unsigned("0x10"), Err(NotANumber::Invalid));
        assert_eq!(parse_unsigned("-1"), Err(NotANumber::Negative));
        assert_eq!(parse_unsigned(""), Ok(0));
        assert_eq!(
            parse_unsigned("99999999999999999999"),
            Err(NotANumber::Huge)
        );
    }
}

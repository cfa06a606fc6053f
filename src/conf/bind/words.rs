//! Walking along the words of a line of the routing mini-languages.
//!
//! Owns: the position in the line, and the forms that routes, rules and encapsulations share:
//! prefixes, named numbers, realms, 64-bit numbers. Driven by: `bind::route`, `bind::rule`.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::model::routing::Prefix;
use super::super::names::{NameTable, base0};
use super::super::source::to_display;
use super::{Statement, Stop, address};
use crate::base::Family;

/// Why a line of values ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fail {
    /// It was reported; nothing comes of the line.
    Skip,
    /// Reading as a whole does not go on as usual.
    Stop(Stop),
}

impl From<Stop> for Fail {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// What a part of a line comes to.
pub(super) type Step<T = ()> = Result<T, Fail>;

/// A network; `None` stands for every address of whichever family.
pub(super) type Network = Option<Prefix>;

/// A line, and how far it is read.
pub(super) struct Words<'w, 's> {
    pub(super) st: &'w mut Statement<'s>,
    /// Index of the word that comes next.
    pub(super) at: usize,
}

impl<'s> Words<'_, 's> {
    /// The word that comes next.
    pub(super) fn peek(&self) -> Option<&'s str> {
        self.st.word(self.at)
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let hit = self.peek() == Some(word);
        self.at += usize::from(hit);
        hit
    }

    /// Takes the next word.
    ///
    /// # Errors
    /// keepalived ends if there is none.
    pub(super) fn next(&mut self) -> Step<&'s str> {
        let word = self.st.need(self.at)?;
        self.at += 1;
        Ok(word)
    }

    /// Reports something about the last word taken.
    pub(super) fn error(&mut self, message: impl Into<String>) {
        let index = self.at.saturating_sub(1);
        self.st.error(Class::General, message, Some(index));
    }

    /// Gives the line up, which keepalived takes: it changes no verdict.
    pub(super) fn leave_out<T>(&mut self, message: impl Into<String>) -> Step<T> {
        let index = self.at.saturating_sub(1);
        self.st.error(Class::Advice, message, Some(index));
        Err(Fail::Skip)
    }

    /// Reports something, and that nothing comes of the line.
    ///
    /// # Errors
    /// Always.
    pub(super) fn skip<T>(&mut self, message: impl Into<String>) -> Step<T> {
        self.error(message);
        Err(Fail::Skip)
    }

    /// A number in `min..=max`; `problem` is reported, with the word in it, if it is none.
    ///
    /// # Errors
    /// If it is none, or nothing is there.
    pub(super) fn number(&mut self, min: u32, max: u32, problem: &str) -> Step<u32> {
        let word = self.next()?;
        match self.st.number_in(word, self.at - 1, min, max) {
            Some(number) => Ok(number),
            None => self.skip(problem.replace("{}", &to_display(word))),
        }
    }

    /// A number of 64 bits that `word`, the last one taken, is; `None`, reported, if it is none.
    pub(super) fn wide(&mut self, word: &str) -> Option<u64> {
        let shown = to_display(word);
        let digits = word.strip_prefix('+').unwrap_or(word);
        let problem = if word.starts_with('-') {
            format!("negative number '{shown}'")
        } else if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("invalid number '{shown}'")
        } else if let Ok(number) = digits.parse() {
            return Some(number);
        } else {
            format!("number '{shown}' outside unsigned 64 bit range")
        };
        let index = self.at - 1;
        self.st.error(Class::InvalidNumber, problem, Some(index));
        None
    }

    /// An address; `problem` is reported, with the word in it, if it is none.
    ///
    /// # Errors
    /// If it is none, or nothing is there.
    pub(super) fn address(&mut self, problem: &str) -> Step<IpAddr> {
        let word = self.next()?;
        match self.parse(word) {
            Some(address) => Ok(address),
            None => self.skip(problem.replace("{}", &to_display(word))),
        }
    }

    /// The address that a word is; `None`, reported, if it is none.
    pub(super) fn parse(&mut self, word: &str) -> Option<IpAddr> {
        let parsed = word.parse().ok();
        if parsed.is_none() {
            self.error(address::no_address(word));
        }
        parsed
    }

    /// The network that a word is, the last one taken; `Err` if it is none, which is reported.
    pub(super) fn network(&mut self, word: &str) -> Result<Network, ()> {
        match word {
            "default" | "any" | "all" => Ok(None),
            "default6" => Ok(Some(Prefix::any(Family::V6))),
            _ => {
                let index = self.at - 1;
                address::prefix(self.st, index, word).map(Some).ok_or(())
            }
        }
    }

    /// The number that a word is or names.
    pub(super) fn named(&self, table: NameTable, word: &str) -> Option<u32> {
        named(self.st, table, word)
    }

    /// `[SOURCE/]DESTINATION` by name or number.
    pub(super) fn realms(&self, word: &str) -> Option<u32> {
        let of = |name| self.named(NameTable::Realms, name);
        match word.split_once('/') {
            None => of(word),
            Some((source, destination)) => Some(of(source)? << 16 | of(destination)?),
        }
    }
}

/// The number that a word is or names.
pub(super) fn named(st: &Statement<'_>, table: NameTable, word: &str) -> Option<u32> {
    if table == NameTable::Tables
        && let Some(number) = word.strip_prefix('-').and_then(base0)
    {
        // keepalived counts downwards from the largest table.
        return u32::try_from(number & u64::from(u32::MAX))
            .ok()
            .map(u32::wrapping_neg);
    }
    match base0(word) {
        Some(number) if table.max() == u32::MAX => u32::try_from(number & u64::from(u32::MAX)).ok(),
        Some(number) => u32::try_from(number).ok().filter(|n| *n <= table.max()),
        None => st.facts.number(table, word, st.names),
    }
}

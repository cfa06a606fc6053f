//! What is wrong with a configuration, as data.
//!
//! Owns: the classes of findings in upstream's order, their place in the text, what they mean for
//! `-t`, for a start and for a reload. Never does: write to a terminal (`render` makes text of it).
//! Driven by: every stage of the pipeline reports here; `cli` and `host` ask for the verdict.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The classes of findings, in keepalived's order: `-t` answers for the highest one seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Worth saying, but nothing is wrong. keepalived does not say it.
    Advice,
    /// keepalived says it as well, but it counts for nothing.
    Notice,
    /// An included file is not there.
    FileNotFound,
    /// An interface does not exist.
    BadInterface,
    /// Nothing sensible can be done.
    Fatal,
    /// The main name matches several files.
    MultipleFiles,
    /// A keyword is unknown where it stands.
    UnknownKeyword,
    /// A `{` where no block begins.
    UnexpectedOpen,
    /// A block without its `{`.
    MissingOpen,
    /// A `}` that closes nothing.
    UnexpectedClose,
    /// The file ends inside a block.
    MissingClose,
    /// A quote without its partner.
    UnmatchedQuote,
    /// A word that a keyword needs is not there.
    MissingParameter,
    /// A number that is none.
    InvalidNumber,
    /// Everything else that is wrong.
    General,
    /// Suspicious.
    Warning,
    /// Works, but has a better successor.
    Deprecated,
    /// A security problem.
    Security,
}

/// What a finding means for the daemon beyond its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Consequence {
    /// The daemon runs with what it understood.
    #[default]
    Continue,
    /// The text is broken in its structure: a running daemon keeps the configuration it has.
    KeepRunning,
    /// The daemon does not start and ends with this status; it does not reload either.
    RefuseStart(u8),
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Span {
    /// Name of the file as it was given or included.
    pub file: Arc<str>,
    /// Line number, from 1.
    pub line: u32,
    /// Byte range within `text` that the finding is about.
    pub columns: Range<usize>,
    /// The line itself; of a very long one, the part around `columns`.
    pub text: Arc<str>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Its class.
    pub class: Class,
    /// The text, as keepalived words it where it has one.
    pub message: String,
    /// Where; findings about the configuration as a whole have no place.
    pub at: Option<Span>,
    /// Further explanation, with a place if that is another one.
    pub notes: Vec<(String, Option<Span>)>,
    /// What to do about it.
    pub help: Option<String>,
    /// What it means for a start and a reload.
    pub consequence: Consequence,
}

impl Diagnostic {
    /// A finding without a place.
    #[must_use]
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            at: None,
            notes: Vec::new(),
            help: None,
            consequence: Consequence::Continue,
        }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.at = Some(span);
        self
    }

    /// Adds an explanation.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>, span: Option<Span>) -> Self {
        self.notes.push((text.into(), span));
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Sets what it means for a start and a reload.
    #[must_use]
    pub const fn consequence(mut self, consequence: Consequence) -> Self {
        self.consequence = consequence;
        self
    }
}

impl Diagnostic {
    /// What tells it from others: text and place.
    fn what(&self) -> (String, Option<(Arc<str>, u32)>) {
        let place = self.at.as_ref();
        let place = place.map(|at| (Arc::clone(&at.file), at.line));
        (self.message.clone(), place)
    }
}

impl Diagnostic {
    /// Whether an include is missing; the main file has no place that names it.
    fn is_of_a_file(&self) -> bool {
        self.class == Class::FileNotFound && self.at.is_some()
    }
}

impl fmt::Display for Diagnostic {
    /// The log line in upstream's form: `(FILE: Line N) text`, or `text` without a place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(span) => write!(f, "({}: Line {}) {}", span.file, span.line, self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything that was found in one load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    dropped: usize,
    worst_class: Option<Class>,
    worst_consequence: Consequence,
}

impl Diagnostics {
    /// A file of garbage shall not fill the memory or the log.
    const LIMIT: usize = 10_000;

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // Past the limit only what makes the verdict worse counts.
        let worse = Some(diagnostic.class) > self.worst_class
            || diagnostic.consequence > self.worst_consequence;
        if self.found.len() < Self::LIMIT || worse {
            self.worst_class = self.worst_class.max(Some(diagnostic.class));
            self.worst_consequence = self.worst_consequence.max(diagnostic.consequence);
            self.found.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds the findings of another part.
    pub(super) fn append(&mut self, other: Self) {
        self.dropped += other.dropped;
        for finding in other.found {
            self.push(finding);
        }
    }

    /// Adds what another reading of the same text has found besides.
    pub(super) fn append_new(&mut self, other: Self) {
        let known: BTreeSet<_> = self.found.iter().map(Diagnostic::what).collect();
        self.dropped += other.dropped;
        for finding in other.found {
            if !known.contains(&finding.what()) {
                self.push(finding);
            }
        }
    }

    /// Leaves only what the others have found as well.
    pub(super) fn common(self, others: &Self) -> Self {
        let known: BTreeSet<_> = others.found.iter().map(Diagnostic::what).collect();
        let mut common = Self::default();
        let found = self.found.into_iter();
        found
            .filter(|finding| known.contains(&finding.what()))
            .for_each(|finding| common.push(finding));
        common
    }

    /// Whether the reading ended at a word that is missing.
    pub(super) fn misses_a_word(&self) -> bool {
        let last = self.found.last();
        last.is_some_and(|finding| {
            finding.class == Class::MissingParameter
                && matches!(finding.consequence, Consequence::RefuseStart(_))
        })
    }

    /// Whether an include is missing that has to be there.
    pub(super) fn misses_a_file(&self) -> bool {
        self.found.iter().any(|finding| {
            finding.is_of_a_file() && matches!(finding.consequence, Consequence::RefuseStart(_))
        })
    }

    /// The findings in the order in which they were made.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// The findings from the one at `index` on.
    pub(super) fn since(&mut self, index: usize) -> &mut [Diagnostic] {
        self.found.get_mut(index..).unwrap_or_default()
    }

    /// Forgets those from `index` on but for missing words, which end a reading whoever reads.
    pub(super) fn hush(&mut self, index: usize) {
        let recent = self.found.split_off(index.min(self.found.len()));
        let ends = |finding: &Diagnostic| finding.class == Class::MissingParameter;
        self.found.extend(recent.into_iter().filter(ends));
    }

    /// How many findings there are.
    pub(super) const fn count(&self) -> usize {
        self.found.len()
    }

    /// Findings that were left out because there were too many.
    #[must_use]
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Whether so much is wrong already that nobody reads more than the findings themselves.
    pub(super) const fn crowded(&self) -> bool {
        self.found.len() > 200
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The exit status of a config test (`-t`): 0, 2, 4, 5 or 6.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        // A missing word ends the reading at once with 2; at its end a demanded include that is
        // missing comes to 6, whatever else was found, and after that a network namespace that is
        // missing to 0. That the main file was demanded and is missing counts by its class.
        let refused = |wanted: fn(&Diagnostic) -> bool| {
            let mut refusals = self.found.iter().filter(|finding| wanted(finding));
            refusals.find_map(|finding| match finding.consequence {
                Consequence::RefuseStart(status) => Some(status),
                Consequence::Continue | Consequence::KeepRunning => None,
            })
        };
        let word = refused(|finding| finding.class == Class::MissingParameter);
        if let Some(status) = word.or_else(|| refused(Diagnostic::is_of_a_file)) {
            return status;
        }
        if refused(|finding| matches!(finding.class, Class::Advice | Class::Notice)).is_some() {
            return 0;
        }
        match self.worst_class {
            None | Some(Class::Advice | Class::Notice) => 0,
            Some(Class::FileNotFound | Class::BadInterface | Class::Fatal) => 4,
            Some(Class::Security) => 6,
            Some(
                Class::MultipleFiles
                | Class::UnknownKeyword
                | Class::UnexpectedOpen
                | Class::MissingOpen
                | Class::UnexpectedClose
                | Class::MissingClose
                | Class::UnmatchedQuote
                | Class::MissingParameter
                | Class::InvalidNumber
                | Class::General
                | Class::Warning
                | Class::Deprecated,
            ) => 5,
        }
    }

    /// The exit status with which a daemon refuses to start; `None`: it starts.
    #[must_use]
    pub fn blocks_start(&self) -> Option<i32> {
        self.found
            .iter()
            .find_map(|finding| match finding.consequence {
                Consequence::RefuseStart(status) => Some(i32::from(status)),
                Consequence::Continue | Consequence::KeepRunning => None,
            })
    }

    /// The first finding because of which a running daemon keeps its configuration.
    #[must_use]
    pub fn blocks_reload(&self) -> Option<&Diagnostic> {
        self.found
            .iter()
            .find(|finding| finding.consequence != Consequence::Continue)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

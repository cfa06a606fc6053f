//! What becomes of one physical line: conditions, repetitions, definitions, braces.
//!
//! Owns: the work that is left of the line, as data, so that a line which makes a hundred thousand
//! others is taken a slice at a time like any other. Never does: read physical lines. Driven by:
//! `Reader::fill`, which takes nothing else while there is work here.

use std::path::Path;
use std::sync::Arc;

use super::ast::{SourceId, Store};
use super::diag::{Class, Consequence, Diagnostic};
use super::expand::{self, Hidden, Repeat};
use super::include;
use super::reader::{Context, Place, Reader, push_in};
use super::source::to_display;
use super::syntax::{self, Directive, Piece};

/// Logical lines that one physical line may become.
const MAX_EXPANSION: usize = 1 << 20;
/// A line may grow to this many bytes by substitution; keepalived's limit is its 1 KiB buffer.
const MAX_LINE: usize = 1 << 20;
/// Rounds of substitution, and how deep definitions may lie in each other.
const MAX_ROUNDS: usize = 64;
/// The keyword after which reading pauses until the line was bound.
pub(super) const NAMESPACE_KEYWORD: &str = "net_namespace";
/// Said when a definition does not end.
const ENDLESS: &str = "Definition refers to itself, or expands to too much - not expanded";

/// What is left of a physical line.
#[derive(Debug)]
pub(super) struct Expansion {
    /// The last one is the next one.
    work: Vec<Work>,
    /// The physical line.
    place: Place,
    /// Logical lines that it may still become.
    budget: usize,
    /// Logical lines that the slice still takes.
    pub(super) quota: usize,
    /// The tokens of a line; kept for their memory.
    pieces: Vec<Piece>,
}

impl Default for Expansion {
    fn default() -> Self {
        Self {
            work: Vec::new(),
            place: Place {
                source: SourceId(0),
                number: 0,
                offset: 0,
            },
            budget: 0,
            quota: 0,
            pieces: Vec::new(),
        }
    }
}

impl Expansion {
    /// Whether the next physical line may come.
    pub(super) const fn is_done(&self) -> bool {
        self.work.is_empty()
    }
}

/// Lines that are still to be taken.
#[derive(Debug)]
enum Work {
    /// Those of a definition of several lines, from the byte `at` on.
    Lines {
        text: Arc<str>,
        at: usize,
        mode: Mode,
    },
    /// A line for each value of a repetition from `next` on.
    Repeat {
        repeat: Repeat,
        next: usize,
        line: Arc<str>,
        mode: Mode,
        hidden: Hidden,
    },
}

/// What a line has been through already.
#[derive(Debug, Clone, Copy)]
struct Mode {
    /// A condition was met: a second `@` is text.
    conditional: bool,
    /// Something in it was replaced.
    expanded: bool,
    /// Definitions and repetitions that it came out of.
    depth: usize,
}

impl Mode {
    const FIRST: Self = Self {
        conditional: false,
        expanded: false,
        depth: 0,
    };

    /// A line of its own of a definition of several lines.
    const fn in_definition(self) -> Self {
        Self {
            conditional: false,
            ..self.deeper()
        }
    }

    /// One definition or repetition further.
    const fn deeper(self) -> Self {
        Self {
            conditional: self.conditional,
            expanded: true,
            depth: self.depth + 1,
        }
    }
}

/// Whether nothing at the beginning of the line asks for anything of the reader.
fn is_plain(line: &str) -> bool {
    matches!(syntax::directive(line), Directive::Text(_))
}

impl Reader {
    /// Takes a physical line without its comment, and of what it becomes as much as the slice takes.
    pub(super) fn first(&mut self, cx: &mut Context<'_>, line: &str, place: Place) {
        self.expansion.budget = MAX_EXPANSION;
        self.expansion.place = place;
        self.expansion.quota = self.expansion.quota.saturating_sub(1);
        self.logical(cx, line, place, Mode::FIRST);
        self.expand(cx);
    }

    /// Takes what is left of a physical line, as much as the slice takes.
    pub(super) fn expand(&mut self, cx: &mut Context<'_>) {
        let place = self.expansion.place;
        while self.expansion.quota > 0
            && let Some(work) = self.expansion.work.pop()
        {
            self.expansion.quota -= 1;
            match work {
                Work::Lines { text, at, mode } => {
                    let part = text[at..].split('\n').next().unwrap_or_default();
                    let next = at + part.len() + 1;
                    if next <= text.len() {
                        self.expansion.work.push(Work::Lines {
                            text: Arc::clone(&text),
                            at: next,
                            mode,
                        });
                    }
                    let line = self.strip(cx, part, place);
                    self.logical(cx, &line, place, mode);
                }
                Work::Repeat {
                    repeat,
                    next,
                    line,
                    mode,
                    hidden,
                } => {
                    if next >= repeat.count() || self.expansion.budget == 0 {
                        self.definitions.restore(hidden);
                        continue;
                    }
                    repeat.define(next, &mut self.definitions);
                    self.expansion.work.push(Work::Repeat {
                        repeat,
                        next: next + 1,
                        line: Arc::clone(&line),
                        mode,
                        hidden,
                    });
                    self.logical(cx, &line, place, mode);
                }
            }
        }
    }

    /// Takes a line without comment; it may have come out of a substitution.
    fn logical(&mut self, cx: &mut Context<'_>, line: &str, place: Place, mode: Mode) {
        let left = self.expansion.budget.saturating_sub(1);
        if self.expansion.budget > 0 && (left == 0 || mode.depth > MAX_ROUNDS) {
            self.complain(cx, place, Class::General, ENDLESS);
            self.expansion.budget = 0;
        }
        if self.expansion.budget == 0 {
            return;
        }
        self.expansion.budget = left;
        match syntax::directive(line) {
            Directive::Conditional { negated, id, rest } if !mode.conditional => {
                let id = self.substitute_all(cx, id, place);
                if (id == self.config_id) != negated {
                    let mode = Mode {
                        conditional: true,
                        ..mode
                    };
                    self.logical(cx, rest, place, mode);
                }
            }
            Directive::Definition { name, value } => {
                self.definitions.define(name, value.to_owned(), place);
            }
            Directive::Sequence {
                hex,
                arguments,
                rest,
            } => match Repeat::sequence(hex, arguments, &self.definitions) {
                Ok(repeat) => self.repeat(repeat, rest, mode),
                Err(problem) => self.bad_repetition(cx, problem, line, place),
            },
            Directive::List { arguments, rest } => match Repeat::list(arguments) {
                Ok(repeat) => self.repeat(repeat, rest, mode),
                Err(problem) => self.bad_repetition(cx, problem, line, place),
            },
            Directive::Broken => {
                let sequence = line.trim_start().strip_prefix("~SEQ");
                let after = sequence.map(|rest| rest.strip_prefix('x').unwrap_or(rest));
                let open = after.is_some_and(|rest| rest.trim_start().starts_with('('));
                let problem = if open {
                    "~SEQ parameter strings too long"
                } else {
                    ""
                };
                self.bad_repetition(cx, problem, line, place);
            }
            Directive::Include {
                mode: check,
                pattern,
            } => {
                let pattern = self.substitute_all(cx, pattern, place);
                include::include(self, cx, place, check, &pattern);
            }
            Directive::Conditional { .. } | Directive::Text(_) => {
                self.text(cx, line, place, mode);
            }
        }
    }

    /// Takes a line for each value of a repetition later; its names are definitions meanwhile.
    fn repeat(&mut self, repeat: Repeat, rest: &str, mode: Mode) {
        let hidden = repeat.hide(&mut self.definitions);
        self.expansion.work.push(Work::Repeat {
            repeat,
            next: 0,
            line: Arc::from(rest),
            mode: mode.deeper(),
            hidden,
        });
    }

    fn bad_repetition(&self, cx: &mut Context<'_>, problem: &str, line: &str, place: Place) {
        let kind = &line.trim_start()[..4];
        let general = format!("Invalid {kind} specification");
        let texts = [problem, &general];
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            let message = format!("{text} '{}'", to_display(line.trim_start()));
            self.complain(cx, place, Class::General, &message);
        }
    }

    /// Takes an ordinary line: substitutes until nothing is left to replace. Of a definition of
    /// several lines the first goes on this one, and each of the others begins from the start. What
    /// a substitution brings to the beginning of a line is text, as with keepalived 2.4: no
    /// repetition, condition or definition, but it may be an include.
    fn text(&mut self, cx: &mut Context<'_>, line: &str, place: Place, mut mode: Mode) {
        let mut current: Option<String> = None;
        for round in 0.. {
            let now = current.as_deref().unwrap_or(line);
            let Some(next) = self.substitute(cx, now, place) else {
                break;
            };
            if round == MAX_ROUNDS || next.len() > MAX_LINE {
                self.complain(cx, place, Class::General, ENDLESS);
                current = None;
                break;
            }
            if let Some(first) = next.find('\n') {
                let line = self.strip(cx, &next[..first], place).into_owned();
                self.expansion.work.push(Work::Lines {
                    text: Arc::from(next),
                    at: first + 1,
                    mode: mode.in_definition(),
                });
                mode = mode.deeper();
                let plain = is_plain(&line);
                current = Some(line);
                if plain {
                    continue;
                }
                break;
            }
            let plain = is_plain(&next);
            current = Some(next);
            if !plain {
                break;
            }
        }
        match current {
            None => self.emit(cx, line, place, mode),
            Some(line) => {
                // A definition may hold a comment mark that only now is one.
                let line = self.strip(cx, &line, place);
                let mode = mode.deeper();
                if matches!(syntax::directive(&line), Directive::Include { .. }) {
                    self.logical(cx, &line, place, mode);
                } else {
                    self.emit(cx, &line, place, mode);
                }
            }
        }
    }

    /// Replaces the references of a line once; `None`: there was none.
    fn substitute(&mut self, cx: &Context<'_>, line: &str, place: Place) -> Option<String> {
        if !line.contains('$') {
            return None;
        }
        let parent = self
            .sources
            .get(place.source.0 as usize)
            .and_then(|source| source.path.parent());
        let builtins = expand::Builtins {
            facts: cx.facts,
            parent: parent.unwrap_or(Path::new("")),
            config_id: &self.config_id,
        };
        self.definitions.substitute(line, &builtins)
    }

    /// Replaces the references of a name until none is left.
    fn substitute_all(&mut self, cx: &Context<'_>, text: &str, place: Place) -> String {
        let mut current = text.to_owned();
        for _ in 0..MAX_ROUNDS {
            match self.substitute(cx, &current, place) {
                Some(next) if next.len() <= MAX_LINE => current = next,
                Some(_) | None => break,
            }
        }
        current
    }

    /// Cuts a finished line at its braces and appends it to the slice. What follows a brace is a
    /// line that begins from the start.
    fn emit(&mut self, cx: &mut Context<'_>, line: &str, place: Place, mode: Mode) {
        let base = cx.slice.text.len();
        cx.slice.text.push_str(line);
        // Who reads a line from a word on sees where it ends.
        cx.slice.text.push('\n');
        let store = if mode.expanded {
            Store::Expanded
        } else {
            Store::Arena
        };
        let mut in_text = false;
        // Where the line of words begins that follows the last brace.
        let mut begin = 0;
        let mut pieces = std::mem::take(&mut self.expansion.pieces);
        pieces.clear();
        syntax::statement(line, |piece| pieces.push(piece));
        for &piece in &pieces {
            if begin > 0 && !in_text && !is_plain(&line[begin..]) {
                self.expansion.pieces = pieces;
                self.logical(cx, &line[begin..], place, mode.in_definition());
                return;
            }
            if let Piece::Open(at) | Piece::Close(at) = piece {
                begin = at + 1;
            }
            if let Piece::OddQuote(..) = piece {
                // keepalived drops the word and goes on with those before it.
                let shown = to_display(line[begin..].trim_start_matches(syntax::is_space));
                let text = format!("Unmatched quote: '{shown}'");
                let finding = Diagnostic::new(Class::UnmatchedQuote, text)
                    .at(self.span(place, None))
                    .consequence(Consequence::KeepRunning);
                // It comes before what the words before it mean.
                let before = cx.slice.lines.len() - usize::from(in_text);
                cx.findings.push((before, finding));
                continue;
            }
            if let (false, Piece::Word(start, end)) = (in_text, piece)
                && line.get(start..end) == Some(include::CHECK_KEYWORD)
            {
                include::check_level(self, cx, place, &line[end..]);
            }
            if let (false, Piece::Word(start, end)) = (in_text, piece)
                && line.get(start..end) == Some(NAMESPACE_KEYWORD)
            {
                // How the lines below are read depends on what becomes of it.
                self.expansion.quota = 0;
            }
            in_text = push_in(&mut cx.slice, place, store, piece, base, in_text);
        }
        self.expansion.pieces = pieces;
    }
}

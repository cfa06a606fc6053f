//! The line machine: from files to logical lines.
//!
//! Owns: the stack of files being read and the definitions. Plain lines are taken a chunk at a
//! time with one parse; a line with anything unusual in it (`$`, `\`, `@`, `~`, an odd quote, a
//! byte that is not ASCII in a word, an include) goes through the rules per line in the order that
//! keepalived has: comment, condition, definition, repetition, substitution, include, braces.
//! Never does: know keywords, read ahead without being asked. Driven by: `Loader::step`, a slice
//! at a time, so that a reload never keeps the loop from an advert.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::ast::{Kind, Line, Slice, SourceId, Store, Word};
use super::diag::{Class, Consequence, Diagnostic, Span};
use super::expand::Definitions;
use super::expansion::{Expansion, NAMESPACE_KEYWORD};
use super::include::{self, Checks};
use super::lines::Lines;
use super::source::{Files, HostFacts, Source, to_display};
use super::syntax::{self, Directive, Piece};

/// Bytes that one parse takes at most; a longer line is taken whole.
const CHUNK: usize = 64 << 10;
/// Files within files. keepalived has no limit and dies of a loop.
pub(super) const MAX_DEPTH: usize = 64;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) source: SourceId,
    pub(super) offset: usize,
    pub(super) number: u32,
    pub(super) checks: Checks,
    /// Files that wait for their turn are on the stack too.
    pub(super) started: bool,
}

/// What the reader needs from outside for a slice.
pub(super) struct Context<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) facts: &'a dyn HostFacts,
    /// The lines that were read.
    pub(super) slice: Slice,
    /// Findings, each with the number of the slice's lines that come before it.
    pub(super) findings: Vec<(usize, Diagnostic)>,
}

impl Context<'_> {
    /// Adds a finding about the line that is being read.
    pub(super) fn push(&mut self, finding: Diagnostic) {
        self.findings.push((self.slice.lines.len(), finding));
    }
}

/// Where in a file the line stands that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) source: SourceId,
    pub(super) number: u32,
    pub(super) offset: usize,
}

/// The line machine.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) sources: Vec<Source>,
    pub(super) stack: Vec<Frame>,
    pub(super) definitions: Definitions,
    pub(super) checks: Checks,
    pub(super) read_bytes: usize,
    /// Takes every line by the rules per line; the fast way has to come to the same.
    pub(super) careful: bool,
    /// Only keepalived's parent process reads, which knows the text with its comments; its children
    /// get a copy in which a comment is an empty line.
    pub(super) parent_alone: bool,
    /// What of the physical line is still to be taken.
    pub(super) expansion: Expansion,
    pub(super) config_id: String,
    lines: Lines,
    wide_seen: bool,
    abort: bool,
}

impl Reader {
    /// A reader without a file; see [`Reader::open`].
    pub(super) fn new(config_id: String, seed: u64, strict: bool) -> Self {
        Self {
            sources: Vec::new(),
            stack: Vec::new(),
            definitions: Definitions::new(seed),
            checks: if strict { Checks::ALL } else { Checks::NONE },
            read_bytes: 0,
            careful: false,
            parent_alone: false,
            expansion: Expansion::default(),
            config_id,
            lines: Lines::default(),
            wide_seen: false,
            abort: false,
        }
    }

    /// The names of all files that were read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.sources
            .iter()
            .map(|source| source.path.clone())
            .collect()
    }

    /// Whether reading was stopped before the end.
    pub(super) const fn stopped(&self) -> bool {
        self.abort
    }

    /// Stops reading for good.
    pub(super) fn stop(&mut self) {
        self.stack.clear();
        self.expansion = Expansion::default();
        self.abort = true;
    }

    /// Reads about `lines` lines into the slice, physical ones and those that they expand to; false
    /// at the end of the last file.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>, lines: usize) -> bool {
        let mut left = lines.max(1);
        self.expansion.quota = left;
        self.expand(cx);
        while left > 0 && self.expansion.quota > 0 && !self.abort {
            let Some(frame) = self.stack.last_mut() else {
                return false;
            };
            frame.started = true;
            let (source, offset) = (frame.source, frame.offset);
            let Some(text) = self.sources.get(source.0 as usize).map(|s| s.text.clone()) else {
                return false;
            };
            if offset >= text.len() {
                // The level of checks is that of before the file again.
                if let Some(frame) = self.stack.pop() {
                    self.checks = frame.checks;
                }
                continue;
            }
            let (end, taken) = chunk_end(&text, offset, left);
            left = left.saturating_sub(taken);
            self.chunk(cx, &text, offset, end);
        }
        !self.abort && (!self.stack.is_empty() || !self.expansion.is_done())
    }

    /// Takes the whole lines `begin..end` of the file on top of the stack.
    fn chunk(&mut self, cx: &mut Context<'_>, text: &str, begin: usize, end: usize) {
        let Some(frame) = self.stack.last() else {
            return;
        };
        let mut place = Place {
            source: frame.source,
            number: frame.number,
            offset: begin,
        };
        let depth = self.stack.len();
        let source = self.sources.get(place.source.0 as usize);
        let careful = self.careful || source.is_some_and(|source| source.binary);
        let first = place.number;
        let mut lines = std::mem::take(&mut self.lines);
        let feeds = lines.take(&text[begin..end], is_special);
        let mut left_early = false;
        for (row, pieces) in lines.rows() {
            place.number = first + row.number;
            place.offset = begin + row.start;
            if !(row.special || careful) {
                let mut in_text = false;
                for &piece in pieces {
                    in_text = push(&mut cx.slice, place, piece, place.offset, in_text);
                }
                continue;
            }
            let line_end = begin + row.end;
            let after = self.special(cx, text, place, line_end);
            let moved = after != line_end || self.stack.len() != depth;
            if moved || self.abort || self.expansion.quota == 0 {
                left_early = true;
                let counted = count_lines(&text.as_bytes()[place.offset..after]);
                self.seek(depth, after, place.number + counted);
                break;
            }
        }
        self.lines = lines;
        if !left_early {
            self.seek(depth, end, first + feeds);
        }
    }

    /// Moves the file at `depth` of the stack on.
    fn seek(&mut self, depth: usize, offset: usize, number: u32) {
        if let Some(frame) = self.stack.get_mut(depth - 1) {
            frame.offset = offset;
            frame.number = number;
        }
    }

    /// Takes one line by the rules per line; returns where its text ends, without the line feed
    /// (a definition may go on over several lines).
    fn special(&mut self, cx: &mut Context<'_>, text: &str, place: Place, end: usize) -> usize {
        let raw = &text[place.offset..end];
        if raw.contains('\0') {
            let finding = Diagnostic::new(Class::General, "Line contains a NUL byte - ignoring");
            cx.push(finding.at(self.span(place, None)));
            return end;
        }
        let line = self.strip(cx, raw, place);
        if let Directive::Definition { name, value } = syntax::directive(&line) {
            let goes_on = self.goes_on(&line, raw);
            return self.define(cx, text, (name, value, goes_on), place, end);
        }
        self.first(cx, &line, place);
        end
    }

    /// Takes the comment off a line and says what is odd about it.
    pub(super) fn strip<'a>(
        &mut self,
        cx: &mut Context<'_>,
        raw: &'a str,
        place: Place,
    ) -> Cow<'a, str> {
        if let Some(text) = syntax::without_comment(raw) {
            return Cow::Borrowed(text);
        }
        let physical = syntax::physical(raw);
        if physical.wide && !self.wide_seen {
            self.wide_seen = true;
            cx.push(
                Diagnostic::new(
                    Class::Advice,
                    "Unicode blanks (such as U+00A0, no-break space) are taken for spaces",
                )
                .at(self.span(place, None))
                .help("other keepalived versions take them for letters; replace them by spaces"),
            );
        }
        if physical.open_string {
            let shown = physical.text.trim_start_matches(syntax::is_space);
            let shown = to_display(shown.strip_suffix('\\').unwrap_or(shown)).into_owned();
            cx.push(
                Diagnostic::new(
                    Class::UnmatchedQuote,
                    format!("Unterminated quote '{shown}'"),
                )
                .at(self.span(place, raw.rfind('"').map(|at| (at, raw.len()))))
                .consequence(Consequence::KeepRunning),
            );
        }
        Cow::Owned(physical.text)
    }

    /// Whether a definition goes on after a line.
    fn goes_on(&self, line: &str, raw: &str) -> bool {
        let raw = raw.trim_end_matches(syntax::is_space);
        line.ends_with('\\') || self.parent_alone && raw.ends_with('\\')
    }

    /// Stores a definition, with the lines that a backslash at the end adds. Among them lines of
    /// blanks do not count, and an empty line or a comment is the end, whatever the comment ends
    /// with (with 2.2 it goes on behind a comment that ends with a backslash).
    fn define(
        &mut self,
        cx: &mut Context<'_>,
        text: &str,
        (name, value, goes_on): (&str, &str, bool),
        place: Place,
        end: usize,
    ) -> usize {
        let began = place;
        let mut value = value.strip_suffix('\\').unwrap_or(value).to_owned();
        let mut goes_on = goes_on;
        let mut end = end;
        let mut place = place;
        while goes_on && let Some(rest) = text.get(end + 1..) {
            if rest.is_empty() {
                break;
            }
            let raw = &rest[..rest.find('\n').unwrap_or(rest.len())];
            place.number += 1;
            place.offset = end + 1;
            end += 1 + raw.len();
            let begin = raw.trim_start_matches(syntax::is_space);
            if raw.strip_suffix('\r').unwrap_or(raw).is_empty() {
                break;
            } else if begin.is_empty() {
                continue;
            } else if begin.starts_with(['#', '!']) {
                if self.parent_alone {
                    continue;
                }
                break;
            }
            // Empty lines at the beginning do not count: the first one of text goes on the line
            // on which the definition is used.
            if value.trim_start_matches(syntax::is_space).is_empty() {
                value.clear();
            } else {
                value.push('\n');
            }
            let line = self.strip(cx, raw, place);
            value.push_str(line.strip_suffix('\\').unwrap_or(&line));
            goes_on = self.goes_on(&line, raw);
        }
        self.definitions.define(name, value, began);
        end
    }

    /// Reports a finding about a whole line.
    pub(super) fn complain(&self, cx: &mut Context<'_>, place: Place, class: Class, message: &str) {
        cx.push(Diagnostic::new(class, message).at(self.span(place, None)));
    }

    /// The place as a span; `columns` within the line, or all of it.
    pub(super) fn span(&self, place: Place, columns: Option<(usize, usize)>) -> Span {
        span(&self.sources, place, columns)
    }
}

/// The place as a span; `columns` within the line, or all of it without the blanks around it.
pub(super) fn span(sources: &[Source], place: Place, columns: Option<(usize, usize)>) -> Span {
    let (name, text) = match sources.get(place.source.0 as usize) {
        Some(source) => (source.name.clone(), &source.text[..]),
        None => (Arc::from(""), ""),
    };
    let rest = text.get(place.offset..).unwrap_or_default();
    let (from, wanted) = columns.unwrap_or((0, 0));
    // What is shown of a long line; a line may be as long as the file.
    let begin = floor(rest, from.saturating_sub(SHOWN / 4));
    let most = floor(rest, wanted.min(from + SHOWN).max(begin) + SHOWN);
    let line = &rest[begin..most];
    let line = &line[..line.find('\n').unwrap_or(line.len())];
    let columns = match columns {
        Some((start, end)) if start >= begin && end >= start => {
            let start = floor(line, start - begin);
            start..floor(line, end - begin)
        }
        _ => {
            let start = line.len() - line.trim_start().len();
            start..line.trim_end().len().max(start)
        }
    };
    Span {
        file: name,
        line: place.number,
        columns,
        text: Arc::from(line),
    }
}

/// Bytes of a long line that a finding shows around its place.
const SHOWN: usize = 512;

/// The end of `text` or the last character boundary up to `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Where a chunk of whole lines that begins at `offset` ends, and how many lines it has.
fn chunk_end(text: &str, offset: usize, lines: usize) -> (usize, usize) {
    let mut end = offset;
    for taken in 0..lines {
        if end - offset >= CHUNK {
            return (end, taken);
        }
        match text[end..].find('\n') {
            Some(length) => end += length + 1,
            None => return (text.len(), taken + 1),
        }
    }
    (end, lines)
}

fn count_lines(bytes: &[u8]) -> u32 {
    // Files are at most MAX_FILE bytes, so the count fits.
    u32::try_from(bytes.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(u32::MAX)
}

pub(super) const fn extent(piece: Piece) -> (usize, usize) {
    match piece {
        Piece::Word(start, end) | Piece::OddQuote(start, end) => (start, end),
        Piece::Quoted(start, end) => (start - 1, end + 1),
        Piece::Open(at) | Piece::Close(at) => (at, at + 1),
    }
}

/// Whether a line of these pieces has to go through the rules per line.
fn is_special(line: &str, pieces: &[Piece]) -> bool {
    let mut in_text = false;
    pieces.iter().any(|&piece| {
        let begins = !std::mem::replace(&mut in_text, is_text(piece));
        is_unusual(line, piece) || begins && starts_special(line, piece)
    })
}

/// Whether a line that begins like this has to go through the rules per line.
fn starts_special(body: &str, piece: Piece) -> bool {
    match piece {
        Piece::Word(start, end) => {
            let word = &body.as_bytes()[start..end];
            match word.first() {
                Some(b'@' | b'~') => true,
                Some(b'n') => word == NAMESPACE_KEYWORD.as_bytes(),
                Some(b'i') => {
                    word.starts_with(b"include")
                        && (word.len() <= 8 || word == include::CHECK_KEYWORD.as_bytes())
                }
                _ => false,
            }
        }
        Piece::Quoted(..) | Piece::Open(_) | Piece::Close(_) | Piece::OddQuote(..) => false,
    }
}

/// Bytes that a word of a plain line does not have.
static UNUSUAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte <= 0x20 || byte >= 0x7f;
        byte += 1;
    }
    let mut rest: &[u8] = b"$\\{}\"#!";
    while let [first, tail @ ..] = rest {
        table[*first as usize] = true;
        rest = tail;
    }
    table
};

/// Whether the piece makes its line go through the rules per line.
fn is_unusual(body: &str, piece: Piece) -> bool {
    match piece {
        Piece::Word(start, end) => body.as_bytes()[start..end]
            .iter()
            .any(|&byte| UNUSUAL[usize::from(byte)]),
        Piece::Quoted(start, end) => body.as_bytes()[start..end]
            .iter()
            .any(|&byte| matches!(byte, 0 | b'$' | b'\\')),
        Piece::OddQuote(..) => true,
        Piece::Open(_) | Piece::Close(_) => false,
    }
}

const fn is_text(piece: Piece) -> bool {
    match piece {
        Piece::Word(..) | Piece::Quoted(..) | Piece::OddQuote(..) => true,
        Piece::Open(_) | Piece::Close(_) => false,
    }
}

/// Appends a piece of the fast way; returns whether a text line is open now.
fn push(slice: &mut Slice, place: Place, piece: Piece, begin: usize, in_text: bool) -> bool {
    push_in(slice, place, Store::File, piece, begin, in_text)
}

/// Appends a piece whose store begins at the given base; returns whether a text line is open now.
pub(super) fn push_in(
    slice: &mut Slice,
    place: Place,
    store: Store,
    piece: Piece,
    base: usize,
    in_text: bool,
) -> bool {
    let (kind, start, end) = match piece {
        Piece::Open(at) => (Kind::Open, at, at + 1),
        Piece::Close(at) => (Kind::Close, at, at + 1),
        Piece::Word(start, end) | Piece::Quoted(start, end) | Piece::OddQuote(start, end) => {
            (Kind::Text, start, end)
        }
    };
    if !(in_text && kind == Kind::Text) {
        slice.lines.push(Line {
            kind,
            store,
            source: place.source,
            number: place.number,
            offset: narrow(place.offset),
            first: narrow(slice.words.len()),
            count: 0,
        });
    }
    slice.words.push(Word {
        start: narrow(base + start),
        end: narrow(base + end),
    });
    if let Some(line) = slice.lines.last_mut() {
        line.count += 1;
    }
    kind == Kind::Text
}

/// Offsets fit 32 bits: files are limited to `MAX_FILE`, expansions to less.
fn narrow(offset: usize) -> u32 {
    debug_assert!(u32::try_from(offset).is_ok());
    u32::try_from(offset).unwrap_or(u32::MAX)
}

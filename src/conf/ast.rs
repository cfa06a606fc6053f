//! The logical lines of a configuration, flat.
//!
//! ```text
//! lines: | Text w0..w3 | Open | Text w3..w5 | Close | …        words: | span | span | …
//! ```
//!
//! Owns: the arena that one slice of reading fills: logical lines with their words and where they
//! come from. Never does: know keywords or nesting; keepalived's language is a stream, and its
//! outcome for broken files depends on that. Driven by: `reader` fills it, `bind` walks it; the
//! arena is reused, so memory does not grow with the file.

/// Index of a file in the reader's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceId(pub(super) u32);

/// What a logical line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Words.
    Text,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Where the bytes of a line's words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// In the text of the file itself.
    File,
    /// In the arena, because the line was rewritten (expanded, unescaped).
    Arena,
    /// In the arena, and a definition or repetition was replaced in it.
    Expanded,
}

/// A byte range in the store of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// One logical line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) store: Store,
    /// The file.
    pub(super) source: SourceId,
    /// Number of the physical line, from 1.
    pub(super) number: u32,
    /// Where that physical line begins in the file.
    pub(super) offset: u32,
    /// First of its words.
    pub(super) first: u32,
    /// How many.
    pub(super) count: u32,
}

impl Line {
    /// Stands where something is said at the end of the text.
    pub(super) const NONE: Self = Self {
        kind: Kind::Close,
        store: Store::File,
        source: SourceId(0),
        number: 0,
        offset: 0,
        first: 0,
        count: 0,
    };
}

/// The arena.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) lines: Vec<Line>,
    pub(super) words: Vec<Word>,
    pub(super) text: String,
}

impl Slice {
    /// Empties it and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.words.clear();
        self.text.clear();
    }

    /// The words of a line.
    pub(super) fn words(&self, line: &Line) -> &[Word] {
        self.words
            .get(line.first as usize..(line.first + line.count) as usize)
            .unwrap_or_default()
    }
}

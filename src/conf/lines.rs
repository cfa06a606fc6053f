//! The physical lines of a chunk, each with what the grammar makes of it.
//!
//! Owns: the rows of the chunk at hand, and a memory of lines that come again and again: a
//! configuration of ten thousand servers says the same few lines ten thousand times, with the same
//! tokens each time. Never does: cut anything itself; what is not remembered is parsed, all of a
//! chunk at once. Driven by: `reader`.
//!
//! No token goes beyond the end of its line, so what a line is made of depends on nothing else.

use super::syntax::{self, Piece};

/// Places for lines that are remembered.
const SLOTS: usize = 512;
/// A longer line, or one of more tokens, hardly comes twice.
const LONGEST: usize = 128;
const MOST: usize = 8;

/// A line with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Where it begins in the chunk, and ends, without its line feed.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Line feeds of the chunk before it.
    pub(super) number: u32,
    /// It has to go through the rules per line.
    pub(super) special: bool,
    first: usize,
    count: usize,
}

/// A line that came at least twice. Empty: one that came once, by its hash alone.
#[derive(Debug, Clone, Default)]
struct Known {
    hash: u64,
    text: Box<str>,
    special: bool,
    pieces: Box<[Piece]>,
}

/// A line that is to be parsed: which row it is, and its hash.
#[derive(Debug, Clone, Copy)]
struct Unknown {
    row: usize,
    hash: u64,
}

/// The rows of a chunk.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rows: Vec<Row>,
    /// Their tokens, each counted from the beginning of its line.
    pieces: Vec<Piece>,
    known: Vec<Known>,
    /// Lines that are to be parsed, as one text.
    text: String,
    unknown: Vec<Unknown>,
}

impl Lines {
    /// Takes a chunk of whole lines; `special` tells whether a line of these tokens has to go
    /// through the rules per line. Returns how many line feeds there are.
    pub(super) fn take(&mut self, chunk: &str, special: impl Fn(&str, &[Piece]) -> bool) -> u32 {
        self.rows.clear();
        self.pieces.clear();
        self.text.clear();
        self.unknown.clear();
        self.known.resize_with(SLOTS, Known::default);
        let (mut start, mut number) = (0, 0);
        while start < chunk.len() {
            let rest = &chunk[start..];
            let length = rest.find('\n');
            let line = &rest[..length.unwrap_or(rest.len())];
            self.line(line, start, number);
            start += line.len() + 1;
            number += u32::from(length.is_some());
        }
        self.parse(chunk, special);
        number
    }

    /// The lines that have tokens, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Row, &[Piece])> {
        let rows = self.rows.iter().filter(|row| row.count > 0);
        rows.map(|row| (*row, &self.pieces[row.first..row.first + row.count]))
    }

    fn line(&mut self, line: &str, start: usize, number: u32) {
        if line.is_empty() {
            return;
        }
        let hash = hash_of(line);
        let mut row = Row {
            start,
            end: start + line.len(),
            number,
            special: false,
            first: self.pieces.len(),
            count: 0,
        };
        match self.known.get(slot_of(hash)) {
            Some(known) if known.hash == hash && *known.text == *line => {
                row.special = known.special;
                row.count = known.pieces.len();
                self.pieces.extend_from_slice(&known.pieces);
            }
            Some(_) | None => {
                let row = self.rows.len();
                self.unknown.push(Unknown { row, hash });
                self.text.push_str(line);
                self.text.push('\n');
            }
        }
        self.rows.push(row);
    }

    /// Parses what is not known, and remembers what came before.
    fn parse(&mut self, chunk: &str, special: impl Fn(&str, &[Piece]) -> bool) {
        let mut unknown = self.unknown.iter();
        let mut begin = 0;
        let mut end = 0;
        let mut at = None;
        let (rows, pieces) = (&mut self.rows, &mut self.pieces);
        syntax::chunk(&self.text, |piece| {
            while piece.begin() >= end {
                let Some(next) = unknown.next() else {
                    return false;
                };
                let Some(row) = rows.get_mut(next.row) else {
                    return false;
                };
                row.first = pieces.len();
                at = Some(next.row);
                begin = end;
                end += row.end - row.start + 1;
            }
            if let Some(row) = at.and_then(|at| rows.get_mut(at)) {
                row.count += 1;
                pieces.push(piece.back(begin));
            }
            true
        });
        for Unknown { row, hash } in &self.unknown {
            let Some(row) = self.rows.get_mut(*row) else {
                continue;
            };
            let line = &chunk[row.start..row.end];
            let pieces = &self.pieces[row.first..row.first + row.count];
            row.special = special(line, pieces);
            let Some(known) = self.known.get_mut(slot_of(*hash)) else {
                continue;
            };
            if known.hash != *hash {
                *known = Known {
                    hash: *hash,
                    ..Known::default()
                };
            } else if line.len() <= LONGEST && pieces.len() <= MOST {
                known.text = line.into();
                known.special = row.special;
                known.pieces = pieces.into();
            }
        }
    }
}

/// Lines of a file that somebody made to collide are parsed each time, which is all.
fn hash_of(line: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = line.as_bytes().as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let hash = words
        .iter()
        .map(|word| u64::from_le_bytes(*word))
        .fold(FACTOR, mix);
    rest.iter().map(|byte| u64::from(*byte)).fold(hash, mix)
}

/// The upper bits are those that all bytes have a say in.
fn slot_of(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or(0) % SLOTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the grammar says of the chunk as a whole: tokens with their lines.
    fn whole(chunk: &str) -> Vec<(u32, Piece)> {
        let mut found = Vec::new();
        syntax::chunk(chunk, |piece| {
            let before = &chunk[..piece.begin()];
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            let number = before.matches('\n').count();
            found.push((u32::try_from(number).unwrap(), piece.back(start)));
            true
        });
        found
    }

    fn by_line(lines: &mut Lines, chunk: &str) -> Vec<(u32, Piece)> {
        let feeds = lines.take(chunk, |line, pieces| line.len() < pieces.len());
        assert_eq!(usize::try_from(feeds).unwrap(), chunk.matches('\n').count());
        let rows = lines.rows();
        rows.flat_map(|(row, pieces)| pieces.iter().map(move |piece| (row.number, *piece)))
            .collect()
    }

    proptest! {
        // Input: chunks of few different lines, so that many come again. Output: the tokens of the
        // whole, whatever is remembered.
        #[test]
        fn lines_have_the_tokens_that_the_chunk_has(
            chunks in prop::collection::vec(
                prop::collection::vec(r#"([ab\t "\{\}#!$]|é|\r){0,5}"#, 0..40),
                1..4,
            ),
        ) {
            let mut lines = Lines::default();
            for chunk in chunks {
                let chunk = chunk.join("\n");
                for _ in 0..3 {
                    prop_assert_eq!(by_line(&mut lines, &chunk), whole(&chunk));
                }
            }
        }
    }

    // Input: a line that needs the rules per line, three times. Output: so it does each time, from
    // the grammar and from memory.
    #[test]
    fn what_is_special_stays_special() {
        let mut lines = Lines::default();
        for _ in 0..3 {
            lines.take("plain\n$odd\nplain\n", |line, _| line.starts_with('$'));
            let special: Vec<bool> = lines.rows().map(|(row, _)| row.special).collect();
            assert_eq!(special, [false, true, false]);
        }
        assert!(lines.unknown.is_empty());
    }
}

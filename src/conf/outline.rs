//! What a configuration says, statement by statement, with the places.
//!
//! Owns: a tree of the statements as they were read, after definitions and conditions, for those
//! who look at a file rather than run it. The model knows neither lines nor what was set aside;
//! the lints need both. Never does: judge, or exist in a running daemon, where it would cost
//! memory for nothing. Driven by: `bind` fills it when [`super::inspect`] asks for it.

use super::bind::Statement;
use super::diag::Span;
use super::reader::{Place, span};
use super::source::{Source, to_display};

/// A statement of an [`Outline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(usize);

/// One statement: a keyword with its words, or a line of values.
#[derive(Debug)]
struct Entry {
    parent: Option<usize>,
    words: Vec<String>,
    columns: Vec<Option<(usize, usize)>>,
    place: Place,
}

/// All statements of a configuration in the order of the text.
#[derive(Debug, Default)]
pub struct Outline {
    entries: Vec<Entry>,
    open: Vec<usize>,
    sources: Vec<Source>,
}

impl Outline {
    /// Adds a statement to the innermost open block.
    pub(super) fn record(&mut self, st: &Statement<'_>) {
        let columns = (0..st.count()).map(|index| st.mark(index).columns);
        self.entries.push(Entry {
            parent: self.open.last().copied(),
            words: st.words(0).map(|word| to_display(word).into()).collect(),
            columns: columns.collect(),
            place: st.place(),
        });
    }

    /// The last statement is a block, and what follows stands in it.
    pub(super) fn enter(&mut self) {
        self.open.push(self.entries.len().saturating_sub(1));
    }

    /// The innermost block ends.
    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    /// Keeps the texts, of which spans are cut.
    pub(super) fn complete(mut self, sources: Vec<Source>) -> Self {
        self.sources = sources;
        self
    }

    fn entry(&self, id: StatementId) -> Option<&Entry> {
        self.entries.get(id.0)
    }

    /// Every statement.
    pub fn all(&self) -> impl Iterator<Item = StatementId> {
        (0..self.entries.len()).map(StatementId)
    }

    /// The statements of a block that begin with `keyword`; those of the top level for `None`.
    pub fn children<'a>(
        &'a self,
        block: Option<StatementId>,
        keyword: &'a str,
    ) -> impl Iterator<Item = StatementId> + 'a {
        self.lines(block)
            .filter(move |id| self.word(*id, 0) == Some(keyword))
    }

    /// All statements of a block.
    pub fn lines(&self, block: Option<StatementId>) -> impl Iterator<Item = StatementId> + '_ {
        let first = block.map_or(0, |id| id.0 + 1);
        let wanted = block.map(|id| id.0);
        self.entries
            .iter()
            .enumerate()
            .skip(first)
            // Blocks are closed in order: behind the block everything has an earlier parent.
            .take_while(move |(_, entry)| wanted.is_none() || entry.parent >= wanted)
            .filter(move |(_, entry)| entry.parent == wanted)
            .map(|(index, _)| StatementId(index))
    }

    /// The first statement of a block that begins with `keyword`.
    #[must_use]
    pub fn child(&self, block: Option<StatementId>, keyword: &str) -> Option<StatementId> {
        self.children(block, keyword).next()
    }

    /// The last one, which is the one that counts for most settings.
    #[must_use]
    pub fn last(&self, block: Option<StatementId>, keyword: &str) -> Option<StatementId> {
        self.children(block, keyword).last()
    }

    /// The block of a statement; `None` for the top level.
    #[must_use]
    pub fn parent(&self, id: StatementId) -> Option<StatementId> {
        self.entry(id)?.parent.map(StatementId)
    }

    /// Its words, the keyword first.
    #[must_use]
    pub fn words(&self, id: StatementId) -> &[String] {
        self.entry(id).map_or(&[], |entry| &entry.words)
    }

    /// The word at `index`; 0 is the keyword.
    #[must_use]
    pub fn word(&self, id: StatementId, index: usize) -> Option<&str> {
        self.words(id).get(index).map(String::as_str)
    }

    /// Where the word at `index` stands.
    #[must_use]
    pub fn span(&self, id: StatementId, index: usize) -> Option<Span> {
        let entry = self.entry(id)?;
        let columns = entry.columns.get(index).copied().flatten();
        Some(span(&self.sources, entry.place, columns))
    }

    /// The texts of all files that were read, by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources
            .iter()
            .map(|source| (&*source.name, source.text.as_str()))
    }

    /// A place in one of the texts: line `number`, which begins at byte `offset`.
    #[must_use]
    pub fn place(&self, file: &str, number: u32, offset: usize, columns: (usize, usize)) -> Span {
        let found = self.sources.iter().position(|s| &*s.name == file);
        let source = super::ast::SourceId(found.and_then(|i| u32::try_from(i).ok()).unwrap_or(0));
        let place = Place {
            source,
            number,
            offset,
        };
        span(&self.sources, place, Some(columns))
    }
}

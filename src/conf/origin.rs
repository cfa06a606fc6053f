//! How a line came to be: through which definitions and includes.
//!
//! Owns: the notes that tell of it below a finding. Never does: change what was found. Driven by:
//! `Loader::step`.

use std::collections::BTreeSet;

use super::diag::Diagnostic;
use super::reader::{Place, Reader, span};

/// Definitions and includes that are told of; more would bury the finding.
const MOST: usize = 8;

/// The finding with its origin.
pub(super) fn explained(mut finding: Diagnostic, reader: &Reader) -> Diagnostic {
    explain(&mut finding, reader);
    finding
}

/// Tells where the definitions stand that are used in the line of a finding, and where its file was
/// included.
pub(super) fn explain(finding: &mut Diagnostic, reader: &Reader) {
    let Some(at) = &finding.at else {
        return;
    };
    let source = reader.sources.iter().position(|s| s.name == at.file);
    let here = source.map(|source| route(source, at.line, reader));
    let mut notes = Vec::new();
    let mut told = BTreeSet::new();
    let mut texts = vec![at.text.to_string()];
    while let Some(text) = texts.pop() {
        for name in names(&text) {
            if told.len() >= MOST {
                break;
            }
            let earlier = |place: &&Place| {
                let source = place.source.0 as usize;
                here.as_ref()
                    .is_some_and(|here| route(source, place.number, reader) < *here)
            };
            let places = reader.definitions.places(name);
            if let Some(&place) = places.iter().rev().find(earlier)
                && told.insert(name.to_owned())
            {
                let span = reader.span(place, None);
                texts.push(span.text.to_string());
                notes.push((format!("`${name}` is defined here"), Some(span)));
            }
        }
    }
    let mut source = reader.sources.iter().find(|source| source.name == at.file);
    while let Some(place) = source.and_then(|source| source.included) {
        if notes.len() >= 2 * MOST {
            break;
        }
        let text = "the file was included here".to_owned();
        notes.push((text, Some(span(&reader.sources, place, None))));
        source = file_of(place, reader);
    }
    finding.notes.append(&mut notes);
}

/// The way to a line from the main file on: the line of each include, then its own. The order of
/// these is the order of reading, which tells what was defined when the line was read: several
/// lines are read before the first of them is looked at.
fn route(source: usize, number: u32, reader: &Reader) -> Vec<u32> {
    let mut lines = vec![number];
    let mut inner = reader.sources.get(source);
    while let Some(place) = inner.and_then(|source| source.included) {
        lines.push(place.number);
        inner = file_of(place, reader);
    }
    lines.reverse();
    lines
}

fn file_of(place: Place, reader: &Reader) -> Option<&super::source::Source> {
    reader.sources.get(place.source.0 as usize)
}

/// The names behind `$` and `${`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        rest.get(..end).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_out_of_a_line() {
        let found: Vec<&str> = names("a $B_1/24 ${C} $ ${_ENV X} $D.x").collect();
        assert_eq!(found, ["B_1", "C", "_ENV", "D"]);
        assert_eq!(names("no name").count(), 0);
    }
}

//! How a line came to be: through which definitions and includes.
//!
//! Owns: the notes that tell of it below a finding. Never does: change what was found. Driven by:
//! `Loader::step`.

use std::collections::BTreeSet;

use super::ast::SourceId;
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
    let Some(here) = reader
        .sources
        .iter()
        .position(|source| source.name == at.file)
    else {
        return;
    };
    let way = way(
        SourceId(u32::try_from(here).unwrap_or(u32::MAX)),
        at.line,
        reader,
    );
    let mut notes = Vec::new();
    let mut told = BTreeSet::new();
    let mut texts = vec![at.text.to_string()];
    while let Some(text) = texts.pop() {
        for name in names(&text) {
            if told.len() >= MOST {
                break;
            }
            // A slice may have been read further than to this line.
            let places = reader.definitions.places(name).iter().rev();
            let mut before = places.filter(|place| precedes(**place, &way, reader));
            if let Some(place) = before.next()
                && told.insert(name.to_owned())
            {
                let span = reader.span(*place, None);
                texts.push(span.text.to_string());
                notes.push((format!("`${name}` is defined here"), Some(span)));
            }
        }
    }
    let mut source = reader.sources.get(here);
    while let Some(place) = source.and_then(|source| source.included) {
        if notes.len() >= 2 * MOST {
            break;
        }
        let text = "the file was included here".to_owned();
        notes.push((text, Some(span(&reader.sources, place, None))));
        source = reader.sources.get(place.source.0 as usize);
    }
    finding.notes.append(&mut notes);
}

/// A line, and the lines whose includes led to it.
fn way(source: SourceId, line: u32, reader: &Reader) -> Vec<(SourceId, u32)> {
    let mut way = vec![(source, line)];
    let mut source = source;
    while let Some(place) = reader
        .sources
        .get(source.0 as usize)
        .and_then(|s| s.included)
    {
        // Files within files are limited in depth, and none includes itself.
        source = place.source;
        way.push((source, place.number));
    }
    way
}

/// Whether a place was read before the line at the end of a way.
fn precedes(place: Place, line: &[(SourceId, u32)], reader: &Reader) -> bool {
    way(place.source, place.number, reader)
        .into_iter()
        .find_map(|(source, number)| {
            let (_, other) = line.iter().find(|(other, _)| *other == source)?;
            Some(number < *other)
        })
        .unwrap_or(false)
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

//! Rules about taking a configuration to another release (`--for`).
//!
//! Owns: what this daemon reads and keepalived 2.4.3 does not, or reads otherwise. Driven by:
//! `lint::check`.

use super::Sink;
use super::subject::Router;
use crate::conf::{Class, Diagnostic, keyword_facts};

/// Bytes of a line that keepalived reads; it takes what follows for another line.
const LONGEST_LINE: usize = 1022;

/// Applies the rules.
pub(super) fn check(router: &Router<'_>, sink: &mut Sink<'_>) {
    lines(router, sink);
    keywords(router, sink);
    obsolete(sink);
}

/// What is peculiar about the text itself.
fn lines(router: &Router<'_>, sink: &mut Sink<'_>) {
    for (file, text) in router.outline.texts() {
        let mut offset = 0;
        for (line, number) in text.split_inclusive('\n').zip(1_u32..) {
            let shown = line.trim_end_matches(['\n', '\r']);
            let mut say = |message: String, columns: (usize, usize), help: &str| {
                let finding = Diagnostic::new(Class::Advice, message)
                    .at(router.outline.place(file, number, offset, columns))
                    .help(help);
                sink.add("does-not-port", finding);
            };
            if shown.len() > LONGEST_LINE {
                let message = format!(
                    "the line has {} bytes; keepalived 2.4.3 reads {LONGEST_LINE} and takes the \
                     rest for another line",
                    shown.len()
                );
                say(
                    message,
                    (LONGEST_LINE, shown.len()),
                    "cut the line into several",
                );
            }
            let code = shown.find(['#', '!']).map_or(shown, |end| &shown[..end]);
            let wide = code
                .char_indices()
                .find(|(_, c)| c.is_whitespace() && !c.is_ascii());
            if let Some((at, blank)) = wide {
                let message = format!(
                    "U+{:04X} is a letter to keepalived 2.4.3, here it is a blank",
                    u32::from(blank)
                );
                say(
                    message,
                    (at, at + blank.len_utf8()),
                    "type an ordinary space instead",
                );
            }
            offset += line.len();
        }
    }
}

/// Keywords that keepalived does not have.
fn keywords(router: &Router<'_>, sink: &mut Sink<'_>) {
    let ours: Vec<_> = keyword_facts().filter(|facts| facts.ours).collect();
    let outline = router.outline;
    for statement in outline.all() {
        let block = match outline.parent(statement) {
            Some(block) => outline.word(block, 0),
            None => Some("-"),
        };
        let name = outline.word(statement, 0);
        let found = ours
            .iter()
            .find(|facts| Some(facts.name) == name && Some(facts.block) == block);
        if let Some(facts) = found {
            let message = format!(
                "keepalived 2.4.3 does not know the keyword '{}'",
                facts.name
            );
            sink.advise("does-not-port", (statement, 0), message, |finding| finding);
        }
    }
}

/// What older releases had: this daemon calls it obsolete, keepalived 2.4.3 unknown, and the lines
/// of an unknown block are read as those of the block around it.
fn obsolete(sink: &mut Sink<'_>) {
    let marks = ["is obsolete - ignoring", "Missing '{'"];
    let file = sink.file;
    let of = |finding: &super::Finding| {
        let message = &finding.diagnostic.message;
        let mark = marks.iter().find(|mark| message.contains(**mark))?;
        Some((*mark, finding.diagnostic.at.clone()?))
    };
    let known: Vec<_> = sink
        .found
        .iter()
        .filter(|finding| finding.file == file && finding.rule.is_none())
        .filter_map(of)
        .collect();
    for (mark, span) in known {
        let message = if mark == marks[0] {
            "keepalived 2.4.3 does not know this keyword at all"
        } else {
            "keepalived 2.4.3 does not read what follows as the block's"
        };
        let finding = Diagnostic::new(Class::Advice, message).at(span);
        sink.add("does-not-port", finding);
    }
}

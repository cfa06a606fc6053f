//! Findings as text for a terminal: the excerpt with a caret, notes, help.
//!
//! Owns: the form of the excerpt. The log line in upstream's form is `Diagnostic`'s own `Display`
//! and always comes first; what is made here follows it. Never does: write anywhere. Driven by:
//! `cli` for a config test, `host` for a start in the foreground.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, Title};

use super::diag::{Class, Diagnostic, Span};
use super::source::to_display;

/// The finding with its excerpt, notes and help, without a line feed at the end; with terminal
/// colours if `styled`.
#[must_use]
pub fn render(finding: &Diagnostic, styled: bool) -> String {
    let title = level(finding.class).primary_title(finding.message.as_str());
    under(title, finding, styled)
}

/// The same under another heading than that of its class: a word such as `ignored`, and the short
/// name of the rule that was broken.
#[must_use]
pub fn render_as(finding: &Diagnostic, word: &str, rule: Option<&str>, styled: bool) -> String {
    let level = level(finding.class).with_name(word.to_owned());
    let mut title = level.primary_title(finding.message.as_str());
    if let Some(rule) = rule {
        title = title.id(rule.to_owned());
    }
    under(title, finding, styled)
}

fn under(title: Title<'_>, finding: &Diagnostic, styled: bool) -> String {
    let renderer = if styled {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut group = match &finding.at {
        Some(span) => title.element(snippet(span, AnnotationKind::Primary)),
        None => Group::with_title(title),
    };
    for (text, span) in &finding.notes {
        if span.is_none() {
            group = group.element(Level::NOTE.message(text.as_str()));
        }
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut groups = vec![group];
    for (text, span) in &finding.notes {
        if let Some(span) = span {
            let title = Level::NOTE.secondary_title(text.as_str());
            groups.push(title.element(snippet(span, AnnotationKind::Context)));
        }
    }
    renderer.render(&groups)
}

/// How bad a class is in words.
const fn level(class: Class) -> Level<'static> {
    match class {
        Class::Advice | Class::Notice => Level::INFO,
        Class::Warning | Class::Deprecated => Level::WARNING,
        Class::FileNotFound
        | Class::BadInterface
        | Class::Fatal
        | Class::MultipleFiles
        | Class::UnknownKeyword
        | Class::UnexpectedOpen
        | Class::MissingOpen
        | Class::UnexpectedClose
        | Class::MissingClose
        | Class::UnmatchedQuote
        | Class::MissingParameter
        | Class::InvalidNumber
        | Class::General
        | Class::Security => Level::ERROR,
    }
}

/// The line of a span. Only that line: with the whole file as source the renderer takes
/// milliseconds for each finding.
fn snippet(span: &Span, kind: AnnotationKind) -> Snippet<'_, Annotation<'_>> {
    let columns = shown_columns(&span.text, &span.columns);
    Snippet::source(to_display(&span.text))
        .line_start(usize::try_from(span.line).unwrap_or(usize::MAX))
        .path(&*span.file)
        .annotation(kind.span(columns))
}

/// The line of a span as people see it, and the byte range of what it is about within that.
#[must_use]
pub fn shown(span: &Span) -> (String, Range<usize>) {
    let columns = shown_columns(&span.text, &span.columns);
    (to_display(&span.text).into_owned(), columns)
}

/// The byte range in the text as it is shown, where mapped bytes have another length.
fn shown_columns(text: &str, columns: &Range<usize>) -> Range<usize> {
    let shown = |end: usize| text.get(..end).map_or(0, |before| to_display(before).len());
    let limit = to_display(text).len();
    let start = shown(columns.start).min(limit);
    start..shown(columns.end).clamp(start, limit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn span(text: &str, columns: Range<usize>) -> Span {
        Span {
            file: Arc::from("keepalived.conf"),
            line: 7,
            columns,
            text: Arc::from(text),
        }
    }

    // Input: an unknown keyword with a note elsewhere. Output: the line with a caret under the
    // word, the note with its own line, the help.
    #[test]
    fn a_finding_shows_its_line() {
        let finding = Diagnostic::new(Class::UnknownKeyword, "Unknown keyword 'prioritty'")
            .at(span("    prioritty 100", 4..13))
            .note(
                "the block began here",
                Some(span("vrrp_instance VI_1 {", 0..13)),
            )
            .help("did you mean `priority`?");
        let expected = "\
error: Unknown keyword 'prioritty'
 --> keepalived.conf:7:5
  |
7 |     prioritty 100
  |     ^^^^^^^^^
  |
  = help: did you mean `priority`?
note: the block began here
 --> keepalived.conf:7:1
  |
7 | vrrp_instance VI_1 {
  | -------------";
        assert_eq!(render(&finding, false), expected);
        assert!(render(&finding, true).contains('\u{1b}'));
    }

    // Input: bytes that are not UTF-8 before the word. Output: the caret is under the word all
    // the same, and nothing panics for ranges that do not fit.
    #[test]
    fn columns_follow_the_text_as_shown() {
        let text = super::super::source::to_text(b"\xff\xfe abc".to_vec());
        let start = text.find("abc").unwrap();
        let shown = to_display(&text);
        let columns = shown_columns(&text, &(start..start + 3));
        assert_eq!(&shown[columns], "abc");
        assert_eq!(shown_columns("ab", &(1..9)), 1..1);
    }
}

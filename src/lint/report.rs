//! A report as text for people and as JSON for pipelines.
//!
//! Owns: both forms and the exit status. Never does: write anywhere. Driven by: `main`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Finding, Report, Severity};
use crate::conf::{Span, render_as, shown};

/// Version of the JSON form: it grows when something that was there changes its meaning.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    files: Vec<File<'a>>,
    summary: Summary,
    findings: Vec<Item<'a>>,
    /// Findings that were left out.
    dropped: usize,
    exit_status: u8,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    /// What `-t` ends with for this file.
    config_test_status: u8,
}

#[derive(Serialize, Default, Clone, Copy, PartialEq, Eq, Debug)]
struct Summary {
    refused: usize,
    ignored: usize,
    deprecated: usize,
    advice: usize,
}

#[derive(Serialize)]
struct Item<'a> {
    severity: Severity,
    rule: Option<&'a str>,
    /// The configuration that was given, which may have included the file of the place.
    configuration: &'a str,
    message: &'a str,
    place: Option<Place<'a>>,
    notes: Vec<Note<'a>>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    /// In characters, from 1.
    column: usize,
    /// Behind the last character.
    end_column: usize,
    text: String,
}

#[derive(Serialize)]
struct Note<'a> {
    text: &'a str,
    place: Option<Place<'a>>,
}

fn place(span: &Span) -> Place<'_> {
    let (text, columns) = shown(span);
    let column = |byte: usize| text.get(..byte).map_or(0, |before| before.chars().count()) + 1;
    Place {
        file: &span.file,
        line: span.line,
        column: column(columns.start),
        end_column: column(columns.end),
        text,
    }
}

fn item<'a>(finding: &'a Finding, report: &'a Report) -> Item<'a> {
    let diagnostic = &finding.diagnostic;
    Item {
        severity: finding.severity,
        rule: finding.rule,
        configuration: report.files.get(finding.file).map_or("", String::as_str),
        message: &diagnostic.message,
        place: diagnostic.at.as_ref().map(place),
        notes: diagnostic
            .notes
            .iter()
            .map(|(text, span)| Note {
                text,
                place: span.as_ref().map(place),
            })
            .collect(),
        help: diagnostic.help.as_deref(),
    }
}

impl Report {
    fn count(&self, severity: Severity) -> usize {
        let of = |finding: &&Finding| finding.severity == severity;
        self.findings.iter().filter(of).count()
    }

    fn summary(&self) -> Summary {
        Summary {
            refused: self.count(Severity::Refused),
            ignored: self.count(Severity::Ignored),
            deprecated: self.count(Severity::Deprecated),
            advice: self.count(Severity::Advice),
        }
    }

    /// 0: nothing to say. 1: works as written, with advice or something deprecated. 2: something
    /// is ignored. 3: refused.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.findings.iter().map(|finding| finding.severity).max() {
            None => 0,
            Some(Severity::Advice | Severity::Deprecated) => 1,
            Some(Severity::Ignored) => 2,
            Some(Severity::Refused) => 3,
        }
    }

    /// For people: each finding with its excerpt, the worst last, and a line that counts them.
    #[must_use]
    pub fn human(&self, styled: bool) -> String {
        let mut text = String::new();
        for severity in Severity::ALL {
            for finding in self.findings.iter().filter(|f| f.severity == severity) {
                let excerpt = render_as(&finding.diagnostic, severity.word(), finding.rule, styled);
                text.push_str(&excerpt);
                text.push_str("\n\n");
            }
        }
        if self.dropped > 0 {
            let _ = writeln!(text, "{} further findings are left out", self.dropped);
        }
        let Summary {
            refused,
            ignored,
            deprecated,
            advice,
        } = self.summary();
        let _ = writeln!(
            text,
            "{}: {refused} refused, {ignored} ignored, {deprecated} deprecated, {advice} advice",
            self.files.join(", ")
        );
        text
    }

    /// For pipelines: one JSON document.
    #[must_use]
    pub fn json(&self) -> String {
        let document = Document {
            format: FORMAT,
            files: self
                .files
                .iter()
                .zip(&self.config_test)
                .map(|(name, &config_test_status)| File {
                    name,
                    config_test_status,
                })
                .collect(),
            summary: self.summary(),
            findings: self.findings.iter().map(|f| item(f, self)).collect(),
            dropped: self.dropped,
            exit_status: self.exit_status(),
        };
        // Strings and numbers only: this cannot fail.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }
}

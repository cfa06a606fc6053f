//! `keepalived check`: what is wrong with configurations, and what is right but will hurt.
//!
//! ```text
//! files -conf::inspect-> diagnostics + outline -rules-> findings -report-> text | JSON, exit status
//! ```
//!
//! Owns: the rules (`vrrp` of one file, `peers` of several, `scripts`, `ground` of this host,
//! `porting`), how bad each finding is, and the two forms of the report. The language and its
//! diagnostics are those of the daemon. Never does: look at the host itself; facts come through
//! [`Ground`]. Driven by: `main` for the command `check`.

pub mod explain;
mod ground;
mod peers;
mod porting;
mod report;
mod scripts;
mod subject;
mod vrrp;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::conf::{
    self, Class, Consequence, Diagnostic, Files, HostFacts, LoadOptions, Outline, StatementId,
};
use subject::Router;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works as written, but is known to hurt.
    Advice,
    /// Works, but has a better successor.
    Deprecated,
    /// The daemon starts without it or with another value: what runs is not what is written.
    Ignored,
    /// The daemon does not start with it.
    Refused,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Self; 4] = [Self::Advice, Self::Deprecated, Self::Ignored, Self::Refused];

    /// The word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Deprecated => "deprecated",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }

    /// How bad what the language's own diagnostics say is.
    fn of(finding: &Diagnostic) -> Self {
        match (finding.consequence, finding.class) {
            (Consequence::RefuseStart(_), _) => Self::Refused,
            (Consequence::KeepRunning, _) => Self::Ignored,
            (Consequence::Continue, Class::Advice) => {
                // It counts for nothing with `-t`, where keepalived's verdict is asked for. Here it
                // matters that what is written does not happen.
                if finding.message.contains("not active in this version") {
                    Self::Ignored
                } else {
                    Self::Advice
                }
            }
            (Consequence::Continue, Class::Notice) => Self::Advice,
            (Consequence::Continue, Class::Deprecated) => Self::Deprecated,
            (
                Consequence::Continue,
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
                | Class::Warning
                | Class::Security,
            ) => Self::Ignored,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule, if it is one of this module's and not of the language.
    pub rule: Option<&'static str>,
    /// Which of the given files it is about.
    pub file: usize,
    /// Text, places and help.
    pub diagnostic: Diagnostic,
}

/// What is known of the host, for the rules that look at it. Everything is `None` where nobody
/// may look.
pub trait Ground {
    /// MTU of an interface in bytes.
    fn mtu(&self, _interface: &str) -> Option<u32> {
        None
    }

    /// The first component of a program's path that somebody other than root can change.
    fn weak_component(&self, _program: &str) -> Option<WeakComponent> {
        None
    }

    /// Whether the kernel has IPVS, or a module of it.
    fn has_ipvs(&self) -> Option<bool> {
        None
    }

    /// Whether root may have a capability here, by its number in capabilities(7).
    fn allows(&self, _capability: u8) -> Option<bool> {
        None
    }

    /// The value of a kernel setting, by its name with dots.
    fn sysctl(&self, _name: &str) -> Option<String> {
        None
    }

    /// What is wrong with a regular expression under these options; `None` if it is one.
    fn wrong_pattern(&self, _pattern: &str, _options: &[&str]) -> Option<WrongPattern> {
        None
    }
}

/// A part of a path that should be root's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakComponent {
    /// The path up to this part.
    pub path: PathBuf,
    /// Who can change it, as an operator says it: `owned by user www-data (33)`.
    pub why: String,
}

/// Why a pattern is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPattern {
    /// Where in it, in bytes from its beginning.
    pub offset: usize,
    /// In the words of the library that reads it.
    pub why: String,
}

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The configurations, each that of one router.
    pub files: Vec<PathBuf>,
    /// How to read them.
    pub options: LoadOptions,
    /// Tell what keepalived 2.4.3 would not read in the same way.
    pub porting: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Names of the files, as given.
    pub files: Vec<String>,
    /// The findings, file by file.
    pub findings: Vec<Finding>,
    /// Exit status of a config test (`-t`) for each file.
    pub config_test: Vec<u8>,
    /// Findings that were left out because there were too many.
    pub dropped: usize,
}

/// Where the rules put what they find.
struct Sink<'a> {
    file: usize,
    outline: &'a Outline,
    found: &'a mut Vec<Finding>,
}

impl Sink<'_> {
    /// Reports something that has its place already.
    fn add(&mut self, rule: &'static str, diagnostic: Diagnostic) {
        self.found.push(Finding {
            severity: Severity::Advice,
            rule: Some(rule),
            file: self.file,
            diagnostic,
        });
    }

    /// Reports something about the word at `word` of a statement.
    fn advise(
        &mut self,
        rule: &'static str,
        (at, word): (StatementId, usize),
        message: impl Into<String>,
        complete: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let mut diagnostic = Diagnostic::new(Class::Advice, message);
        diagnostic.at = self.outline.span(at, word);
        self.add(rule, complete(diagnostic));
    }

    /// A rule that explains what the language has complained of without a place: its finding takes
    /// the complaint's rank and stands in its stead.
    fn explain(
        &mut self,
        rule: &'static str,
        complaint: &str,
        at: (StatementId, usize),
        complete: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let file = self.file;
        let same = |finding: &Finding| {
            finding.file == file
                && finding.rule.is_none()
                && finding.diagnostic.message == complaint
        };
        let known = self.found.iter().position(same);
        let known = known.map(|index| self.found.remove(index));
        self.advise(rule, at, complaint, complete);
        if let (Some(known), Some(own)) = (known, self.found.last_mut()) {
            own.severity = known.severity;
            own.diagnostic.class = known.diagnostic.class;
            own.diagnostic.consequence = known.diagnostic.consequence;
        }
    }
}

/// Checks configurations: each for itself, and all against each other.
#[must_use]
pub fn check(
    request: &Request,
    files: &dyn Files,
    facts: &dyn HostFacts,
    ground: &dyn Ground,
) -> Report {
    let mut report = Report::default();
    let mut outlines = Vec::with_capacity(request.files.len());
    for (file, path) in request.files.iter().enumerate() {
        let (loaded, outline) = conf::inspect(path, request.options.clone(), files, facts);
        report.files.push(path.to_string_lossy().into_owned());
        report.config_test.push(loaded.diagnostics.exit_status());
        report.dropped += loaded.diagnostics.dropped();
        for diagnostic in &loaded.diagnostics {
            report.findings.push(Finding {
                severity: Severity::of(diagnostic),
                rule: None,
                file,
                diagnostic: diagnostic.clone(),
            });
        }
        outlines.push(outline);
    }
    let routers: Vec<Router> = outlines.iter().map(Router::of).collect();
    for (file, router) in routers.iter().enumerate() {
        let mut sink = Sink {
            file,
            outline: router.outline,
            found: &mut report.findings,
        };
        vrrp::check(router, &mut sink);
        scripts::check(router, &mut sink);
        ground::check(router, ground, &mut sink);
        if request.porting {
            porting::check(router, &mut sink);
        }
    }
    peers::check(&routers, &report.files, &mut report.findings);
    report.findings.sort_by_key(|finding| finding.file);
    report
}

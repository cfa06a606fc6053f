//! The text of a configuration as one, for `config_save_dir` and `--config-fd`.
//!
//! Owns: keepalived's layout of such a copy: every file after a line `# NAME` and before a line `!`,
//! where it was included, without comments and outer blanks; conditions, definitions and repetitions
//! stay as they were written. Never does: read a file. Driven by: `Loader`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::diag::Diagnostics;
use super::source::Source;
use super::syntax::{self, Directive};

/// A copy that is being made, a part at a time.
pub(super) struct Copier {
    /// The files that the line of a file includes.
    included: BTreeMap<(usize, u32), Vec<usize>>,
    /// What was found at the line of a file.
    told: BTreeMap<(Arc<str>, u32), Vec<String>>,
    /// Files that are still to come, and those within which the copy is; the last one goes on. Files
    /// within files are as deep as the reader lets them be.
    stack: Vec<Place>,
    out: String,
}

/// Where the copy of a file stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    file: usize,
    offset: usize,
    /// Number of the line there, from 1; 0: it has not begun.
    number: u32,
}

impl Place {
    const fn before(file: usize) -> Self {
        Self {
            file,
            offset: 0,
            number: 0,
        }
    }
}

impl Copier {
    /// Nothing of these files is copied yet; with what was found about includes.
    pub(super) fn new(sources: &[Source], diagnostics: &Diagnostics) -> Self {
        let mut this = Self {
            included: BTreeMap::new(),
            told: BTreeMap::new(),
            stack: Vec::new(),
            out: String::new(),
        };
        for (index, source) in sources.iter().enumerate() {
            match source.included {
                Some(place) => {
                    let at = (place.source.0 as usize, place.number);
                    this.included.entry(at).or_default().push(index);
                }
                None => this.stack.push(Place::before(index)),
            }
        }
        this.stack.reverse();
        for finding in diagnostics {
            if let Some(span) = &finding.at {
                let at = (span.file.clone(), span.line);
                this.told
                    .entry(at)
                    .or_default()
                    .push(finding.message.clone());
            }
        }
        this
    }

    /// Copies about so many lines more; whether there are more.
    pub(super) fn step(&mut self, sources: &[Source], lines: usize) -> bool {
        for _ in 0..lines {
            let Some(mut place) = self.stack.pop() else {
                return false;
            };
            let Some(source) = sources.get(place.file) else {
                continue;
            };
            if place.number == 0 {
                self.out.push_str(&format!("# {}\n", source.name));
                place.number = 1;
            }
            let rest = source.text.get(place.offset..).unwrap_or_default();
            if rest.is_empty() {
                self.out.push_str("!\n");
                continue;
            }
            let end = rest.find('\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            place.offset += end.map_or(rest.len(), |end| end + 1);
            self.line(
                source,
                place.number,
                line.strip_suffix('\r').unwrap_or(line),
            );
            let included = self.included.remove(&(place.file, place.number));
            place.number += 1;
            self.stack.push(place);
            let inner = included.into_iter().flatten().rev();
            self.stack.extend(inner.map(Place::before));
        }
        !self.stack.is_empty()
    }

    /// The copy of what was read.
    pub(super) fn finish(mut self, sources: &[Source]) -> String {
        while self.step(sources, usize::MAX) {}
        self.out
    }

    fn line(&mut self, source: &Source, number: u32, line: &str) {
        let line = stripped(line);
        if let Directive::Include { .. } = syntax::directive(&line) {
            self.out.push('\n');
            let told = self.told.remove(&(source.name.clone(), number));
            for text in told.into_iter().flatten() {
                self.out.push_str(&format!("#! {text}\n"));
            }
        } else {
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }
}

/// A line without its comment and the blanks around it.
fn stripped(line: &str) -> Cow<'_, str> {
    match syntax::without_comment(line) {
        Some(text) => Cow::Borrowed(text.trim_start_matches(syntax::is_space)),
        None => {
            let text = syntax::physical(line).text;
            Cow::Owned(text.trim_start_matches(syntax::is_space).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::ast::SourceId;
    use super::super::diag::{Class, Diagnostic, Span};
    use super::super::reader::Place;
    use super::*;

    fn source(name: &str, text: &str, included: Option<(u32, u32)>) -> Source {
        Source {
            name: Arc::from(name),
            path: PathBuf::from(name),
            text: Arc::new(text.to_owned()),
            included: included.map(|(source, number)| Place {
                source: SourceId(source),
                number,
                offset: 0,
            }),
            binary: false,
        }
    }

    // Input: comments, a definition over lines, two files by one pattern, and one that is missing,
    // as keepalived 2.2.7 was given them. Output: its copy.
    #[test]
    fn the_copy_is_keepalived_s() {
        let main = "! first\nglobal_defs { # c\n\trouter_id \"a # b\" ! tail\n}\ninclude inc/*.conf\n\
                    $X = a \\\n   b\n@host1 vrrp_x\n  include none.conf\n";
        let sources = [
            source("k.conf", main, None),
            source("inc/a.conf", "  # only comment\na", Some((0, 5))),
            source("inc/b.conf", "b {  \n}", Some((0, 5))),
        ];
        let mut diagnostics = Diagnostics::default();
        let message = "Config files missing 'none.conf'.";
        diagnostics.push(Diagnostic::new(Class::FileNotFound, message).at(Span {
            file: Arc::from("k.conf"),
            line: 9,
            columns: 0..0,
            text: Arc::from(""),
        }));
        let wanted = "# k.conf\n\nglobal_defs {\nrouter_id \"a # b\"\n}\n\n\
                      # inc/a.conf\n\na\n!\n# inc/b.conf\nb {\n}\n!\n\
                      $X = a\\\nb\n@host1 vrrp_x\n\n#! Config files missing 'none.conf'.\n!\n";
        for lines in [1, 2, 1000] {
            let mut copier = Copier::new(&sources, &diagnostics);
            while copier.step(&sources, lines) {}
            assert_eq!(copier.finish(&sources), wanted);
        }
    }
}

//! The text of a configuration as one, for `config_save_dir` and `--config-fd`.
//!
//! Owns: keepalived's layout of such a copy: every file after a line `# NAME` and before a line `!`,
//! where it was included, without comments and outer blanks; conditions, definitions and repetitions
//! stay as they were written. Never does: read a file. Driven by: `Loader::finish`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::diag::Diagnostics;
use super::source::Source;
use super::syntax::{self, Directive};

/// The copy of what was read, with what was found about includes.
pub(super) fn copy(sources: &[Source], diagnostics: &Diagnostics) -> String {
    let mut copier = Copier {
        sources,
        included: BTreeMap::new(),
        told: BTreeMap::new(),
        out: String::new(),
    };
    for (index, source) in sources.iter().enumerate() {
        if let Some(place) = source.included {
            let at = (place.source.0 as usize, place.number);
            copier.included.entry(at).or_default().push(index);
        }
    }
    for finding in diagnostics {
        if let Some(span) = &finding.at {
            let at = (&*span.file, span.line);
            copier.told.entry(at).or_default().push(&finding.message);
        }
    }
    for (index, source) in sources.iter().enumerate() {
        if source.included.is_none() {
            copier.file(index);
        }
    }
    copier.out
}

struct Copier<'a> {
    sources: &'a [Source],
    /// The files that the line of a file includes.
    included: BTreeMap<(usize, u32), Vec<usize>>,
    /// What was found at the line of a file.
    told: BTreeMap<(&'a str, u32), Vec<&'a str>>,
    out: String,
}

impl Copier<'_> {
    /// Files within files are as deep as the reader lets them be.
    fn file(&mut self, index: usize) {
        let Some(source) = self.sources.get(index) else {
            return;
        };
        self.out.push_str(&format!("# {}\n", source.name));
        for (line, number) in source.text.lines().zip(1..) {
            let line = stripped(line);
            if let Directive::Include { .. } = syntax::directive(&line) {
                self.out.push('\n');
                for text in self
                    .told
                    .remove(&(&*source.name, number))
                    .into_iter()
                    .flatten()
                {
                    self.out.push_str(&format!("#! {text}\n"));
                }
            } else {
                self.out.push_str(&line);
                self.out.push('\n');
            }
            let included = self.included.remove(&(index, number));
            for inner in included.into_iter().flatten() {
                self.file(inner);
            }
        }
        self.out.push_str("!\n");
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
        assert_eq!(copy(&sources, &diagnostics), wanted);
    }
}

//! One reading of the configuration, and what is remembered of it.
//!
//! Owns: the loader with the host's files and facts, and the memory by which a reload without a
//! change is known before anything is parsed. Never does: judge or apply what was read. Driven by:
//! `worker`.

use std::path::Path;

use super::fetch::Fetched;
use super::files::Facts;
use super::memo::{Asked, Memo};
use crate::base::ident;
use crate::conf::{Diagnostic, Diagnostics, LoadOptions, Loaded, Loader, Progress};

/// A reading under way.
pub(super) struct Reading {
    loader: Loader,
    host: Asked<Fetched, Facts>,
}

/// What was read, to be compared with later.
#[derive(Debug, Default)]
pub(super) struct Known {
    memo: Memo,
    /// What was found then, to be told again.
    pub(super) diagnostics: Diagnostics,
}

impl Reading {
    /// Nothing is read yet.
    pub(super) fn new(main: &Path, options: LoadOptions, files: Fetched) -> Self {
        Self {
            loader: Loader::new(main, options),
            host: Asked::new(files, Facts),
        }
    }

    /// Reads about so many lines more; see [`Loader::step`].
    pub(super) fn step(&mut self, lines: usize) -> Progress {
        self.loader.step(&self.host, &self.host, lines)
    }

    /// What was read, and what to remember if it is taken.
    pub(super) fn finish(self) -> (Loaded, Known) {
        let loaded = self.loader.finish();
        let known = Known {
            memo: self.host.memo(),
            diagnostics: loaded.diagnostics.clone(),
        };
        (loaded, known)
    }
}

impl Known {
    /// The files that were read then, to be read again.
    pub(super) fn files(&self) -> Fetched {
        Fetched::of(self.memo.files())
    }

    /// Whether a reading of these files would come to the same.
    pub(super) fn holds(&self, files: &Fetched) -> bool {
        self.memo.holds(files, &Facts)
    }
}

/// Says what was found, and whether the configuration is not to be used. `tested`: only if a test of
/// it would end with 0; without that only what cannot be read stops a reload.
pub(super) fn refuses(diagnostics: &Diagnostics, tested: bool) -> bool {
    report(diagnostics);
    let status = diagnostics.exit_status();
    if let Some(finding) = diagnostics.blocks_reload() {
        log::error!(
            target: ident::DAEMON,
            "New config failed validation, the running configuration stays: {}",
            in_full(finding)
        );
        return true;
    }
    if tested && status != 0 {
        log::error!(
            target: ident::DAEMON,
            "New config failed validation, the running configuration stays: a test of it ends \
             with status {status}, see the messages above (reload_check_config)"
        );
        return true;
    }
    false
}

/// A finding with the places that its notes name, in one line.
fn in_full(finding: &Diagnostic) -> String {
    let mut text = finding.to_string();
    for (note, place) in &finding.notes {
        text.push_str("; ");
        if let Some(place) = place {
            text.push_str(&format!("({}: Line {}) ", place.file, place.line));
        }
        text.push_str(note);
    }
    text
}

pub(super) fn report(diagnostics: &Diagnostics) {
    for diagnostic in diagnostics {
        log::info!(target: ident::DAEMON, "{diagnostic}");
    }
}

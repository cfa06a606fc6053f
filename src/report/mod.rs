//! What the daemon writes about itself, as text in keepalived's layout.
//!
//! Owns: the layout of `keepalived.data` and its kin, of `keepalived.stats` and of
//! `keepalived.json`. Never does: open a file, read a clock, or show a password. Driven by: `host`,
//! which asks for one piece after another between turns of the loop, so that a large table delays
//! no advert.
//!
//! One file for each kind of block; each writes one object at a time, from the running
//! configuration and from what the domains know of it.

mod address;
mod bfd;
mod checkers;
mod global;
mod groups;
mod instance;
mod interfaces;
mod json;
mod page;
mod scripts;
mod service;
mod statics;
mod stats;
mod trackers;

pub use page::{Facts, Moment, Page};

/// Which part of the daemon a report is of; keepalived has a process for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The parent: the settings of the daemon alone.
    Parent,
    /// VRRP.
    Vrrp,
    /// Checks and IPVS.
    Check,
    /// BFD sessions.
    Bfd,
}

/// What a report tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Configuration and state (`keepalived.data`, `-d`).
    Data(Part),
    /// The counters of VRRP (`keepalived.stats`).
    Stats,
    /// Both of VRRP, for programs (`keepalived.json`), in version 1 or 2 of its form.
    Json(u8),
}

/// Whether a report is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to write.
    More,
    /// Everything is written.
    Done,
    /// The configuration has changed since the report began: it has to begin anew.
    Stale,
}

/// Where a section has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cursor {
    /// The object.
    item: usize,
    /// Its part.
    part: usize,
}

impl Cursor {
    /// On to the next object.
    const fn next_item(&mut self) {
        self.item += 1;
        self.part = 0;
    }
}

/// Writes the object at the cursor and moves on; false, with nothing written, after the last one.
type Section = fn(&Page<'_>, &mut Cursor, &mut String) -> Result<bool, std::fmt::Error>;

/// A report under way.
#[derive(Debug)]
pub struct Report {
    kind: Kind,
    section: usize,
    cursor: Cursor,
    generation: Option<u64>,
}

impl Report {
    /// A report of which nothing is written yet.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            section: 0,
            cursor: Cursor { item: 0, part: 0 },
            generation: None,
        }
    }

    /// Appends more of the report to `out`, about `bytes` of it.
    pub fn step(&mut self, page: &Page<'_>, bytes: usize, out: &mut String) -> Progress {
        let generation = page.snapshot.generation();
        if *self.generation.get_or_insert(generation) != generation {
            return Progress::Stale;
        }
        let full = out.len().saturating_add(bytes);
        let sections = sections(self.kind);
        while let Some(section) = sections.get(self.section) {
            // Writing to a String does not fail.
            if !section(page, &mut self.cursor, out).unwrap_or(false) {
                self.section += 1;
                self.cursor = Cursor::default();
            }
            if out.len() >= full {
                return Progress::More;
            }
        }
        Progress::Done
    }
}

/// The sections of a report, in keepalived's order.
fn sections(kind: Kind) -> &'static [Section] {
    match kind {
        Kind::Data(Part::Parent) => &[global::section],
        Kind::Data(Part::Vrrp) => &[
            global::of_vrrp,
            statics::section,
            interfaces::delays,
            instance::section,
            instance::sockets,
            groups::section,
            scripts::section,
            trackers::files,
            trackers::processes,
            trackers::sessions,
            interfaces::section,
        ],
        Kind::Data(Part::Check) => &[
            global::section,
            service::tls,
            service::topology,
            checkers::section,
            checkers::file_checks,
            checkers::files,
            checkers::sessions,
        ],
        Kind::Data(Part::Bfd) => &[global::section, bfd::section],
        Kind::Stats => &[stats::section],
        Kind::Json(1) => &[json::version_1],
        Kind::Json(_) => &[json::version_2],
    }
}

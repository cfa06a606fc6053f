//! The command line of `keepalived check`.
//!
//! Owns: what may be said behind `check`. Never does: check anything. Driven by: `cli::parse`, if
//! `check` is the very first word; anywhere else it is a stray word, as it is to keepalived.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people: each finding with its excerpt.
    #[default]
    Human,
    /// For pipelines: one JSON document.
    Json,
}

/// A release that a configuration shall go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The release that this daemon follows.
    #[value(name = "keepalived-2.4.3")]
    Keepalived243,
}

/// Check configurations, each that of one router, and against each other
///
/// Ends with 0 if there is nothing to say, 1 if there is only advice or something deprecated, 2 if
/// something is ignored (what runs is not what is written), 3 if the daemon would not start, and
/// 64 if the command line is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "keepalived check", disable_version_flag = true)]
pub struct Check {
    /// The configurations
    #[arg(value_name = "FILE", default_value = "/etc/keepalived/keepalived.conf")]
    pub files: Vec<PathBuf>,

    /// Form of the report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Also tell which lines this release of keepalived would not read in the same way
    #[arg(long = "for", value_enum, value_name = "RELEASE")]
    pub target: Option<Target>,

    /// Tell what a keyword means, in which blocks, with its range and default, and end
    #[arg(long, value_name = "KEYWORD")]
    pub explain: Option<String>,

    /// Do not look at the interfaces, users, scripts and settings of this host
    #[arg(long)]
    pub offline: bool,

    /// Error if any configuration file missing (same as includet)
    #[arg(short = 'e', long)]
    pub all_config: bool,

    /// Skip any configuration lines beginning '@' that don't match id
    #[arg(short = 'i', long, value_name = "ID")]
    pub config_id: Option<String>,
}

/// Exit status for a wrong command line, as in sysexits.h.
pub const USAGE: u8 = 64;

/// What is said behind `check`.
///
/// # Errors
/// The text to show, and the exit status: help and mistakes.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Check, (String, u8)> {
    let name = OsString::from("keepalived check");
    Check::try_parse_from(std::iter::once(name).chain(words)).map_err(|error| {
        let status = if error.use_stderr() { USAGE } else { 0 };
        (error.render().to_string(), status)
    })
}

//! `VRRP Track files`, `VRRP Track processes` and `VRRP Track BFDs`.

use std::fmt::{self, Write};

use super::instance::weight;
use super::page::{heading, seconds};
use super::{Cursor, Page};
use crate::conf::model::options::{
    ArgumentMatch, TrackFile, TrackProcess, Tracked, Tracking, Weight,
};
use crate::conf::model::{BfdAudience, Config};

/// What is tracked by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `track_interface`
    Interface,
    /// `track_script`
    Script,
    /// `track_file`
    File,
    /// `track_process`
    Process,
    /// `track_bfd`
    Bfd,
}

/// The uses of trackers of that kind.
pub(super) fn of(kind: Kind, tracking: &Tracking) -> &[Tracked] {
    match kind {
        Kind::Interface => &tracking.interfaces,
        Kind::Script => &tracking.scripts,
        Kind::File => &tracking.files,
        Kind::Process => &tracking.processes,
        Kind::Bfd => &tracking.bfd,
    }
}

/// The weight that a tracker has where its use gives none.
pub(super) fn own_weight(config: &Config, kind: Kind, name: &str) -> Weight {
    let trackers = &config.trackers;
    match kind {
        Kind::Interface => None,
        Kind::Script => {
            let mut scripts = trackers.scripts.iter();
            let script = scripts.find(|script| script.name == name);
            script.map(|script| script.weight)
        }
        Kind::File => {
            let mut files = trackers.files.iter();
            files.find(|file| file.name == name).map(file_weight)
        }
        Kind::Process => {
            let mut processes = trackers.processes.iter();
            let process = processes.find(|process| process.name == name);
            process.map(|process| process.weight)
        }
        Kind::Bfd => {
            let mut sessions = config.bfd_instances.iter();
            let session = sessions.find(|session| session.name == name);
            session.map(|session| Weight {
                value: session.weight,
                reverse: session.reverse,
            })
        }
    }
    .unwrap_or_default()
}

/// What a file's value is multiplied with: 1 if nothing is said.
fn file_weight(file: &TrackFile) -> Weight {
    file.weight.unwrap_or(Weight {
        value: 1,
        reverse: false,
    })
}

/// The instances that track something, themselves or through their group, with how they do.
fn users<'a>(
    config: &'a Config,
    kind: Kind,
    name: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Tracked)> {
    config.vrrp_instances.iter().filter_map(move |instance| {
        let mut groups = config.sync_groups.iter();
        let group = groups.find(|group| group.members.contains(&instance.name));
        let trackings = group
            .map(|group| &group.tracking)
            .into_iter()
            .chain([&instance.options.tracking]);
        let mut tracked = trackings.flat_map(|tracking| of(kind, tracking));
        let found = tracked.find(|tracked| tracked.name == name)?;
        Some((instance.name.as_str(), found))
    })
}

/// The instances that track something, with the weight there; nothing if there are none.
pub(super) fn write_users(
    page: &Page<'_>,
    kind: Kind,
    name: &str,
    own: Weight,
    out: &mut String,
) -> fmt::Result {
    for (place, (user, tracked)) in users(page.snapshot.config(), kind, name).enumerate() {
        if place == 0 {
            writeln!(out, "   Tracking instances :")?;
        }
        let weight = weight(tracked.weight.unwrap_or(own));
        writeln!(out, "     {user}, {weight}")?;
    }
    Ok(())
}

/// `VRRP Track files`, a file at a time.
pub(super) fn files(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let config = page.snapshot.config();
    // Those that nobody tracks are not read.
    let tracked = |file: &&TrackFile| users(config, Kind::File, &file.name).next().is_some();
    let Some(file) = config
        .trackers
        .files
        .iter()
        .filter(tracked)
        .nth(cursor.item)
    else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Track files")?;
    }
    cursor.next_item();
    writeln!(out, " Track file = {}", file.name)?;
    writeln!(
        out,
        "   File = {}",
        file.file.as_deref().unwrap_or_default()
    )?;
    let value = page.snapshot.file_value(&file.name);
    let value = value.or(file.initial).unwrap_or(0);
    writeln!(out, "   Status = {value}")?;
    let own = file_weight(file);
    writeln!(out, "   {}", weight(own).replacen("weight", "Weight =", 1))?;
    write_users(page, Kind::File, &file.name, own, out)?;
    Ok(true)
}

/// `VRRP Track processes`, a process at a time.
pub(super) fn processes(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(process) = page.snapshot.config().trackers.processes.get(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Track processes")?;
    }
    cursor.next_item();
    write_process(page, process, out)?;
    Ok(true)
}

/// How arguments are compared, as reports name it; nothing if they are not.
pub(super) const fn matching(process: &TrackProcess) -> Option<&'static str> {
    match process.arguments_match {
        Some(ArgumentMatch::Partial) => Some("partial"),
        Some(ArgumentMatch::Initial) => Some("initial"),
        Some(ArgumentMatch::Exact) => Some("exact"),
        None if process.arguments.is_empty() => None,
        None => Some("exact"),
    }
}

/// How few processes are enough: none where none may be.
pub(super) fn fewest(process: &TrackProcess) -> u16 {
    match process.quorum_max {
        Some(0) => 0,
        Some(_) | None => process.quorum.unwrap_or(1),
    }
}

fn write_process(page: &Page<'_>, process: &TrackProcess, out: &mut String) -> fmt::Result {
    writeln!(out, " VRRP Track process = {}", process.name)?;
    let program = process.process.as_deref().unwrap_or_default();
    writeln!(out, "   Process = {program}")?;
    if !process.arguments.is_empty() {
        writeln!(out, "   Parameters = {}", process.arguments.join(" "))?;
    }
    match matching(process) {
        // Without a word as in the configuration.
        Some("exact") => out.push_str("   Param match\n"),
        Some(way) => writeln!(out, "   Param match = {way}")?,
        None => {}
    }
    writeln!(out, "   Min processes = {}", fewest(process))?;
    if let Some(most) = process.quorum_max {
        writeln!(out, "   Max processes = {most}")?;
    }
    let is = page.snapshot.process(&process.name);
    writeln!(out, "   Current processes = {}", is.count)?;
    let enough = is.enough || (is.count == 0 && fewest(process) == 0);
    writeln!(out, "   Have quorum = {enough}")?;
    writeln!(
        out,
        "   {}",
        weight(process.weight).replacen("weight", "Weight =", 1)
    )?;
    writeln!(
        out,
        "   Terminate delay = {}s",
        seconds(process.terminate_delay)
    )?;
    writeln!(out, "   Fork delay = {}s", seconds(process.fork_delay))?;
    if page.running {
        let not = |running| if running { "" } else { "not " };
        writeln!(out, "   Fork delay timer {}running", not(is.gaining))?;
        writeln!(out, "   Terminate delay timer {}running", not(is.losing))?;
    }
    let full = process.full_command || matching(process).is_some();
    writeln!(out, "   Full command = {full}")?;
    write_users(page, Kind::Process, &process.name, process.weight, out)
}

/// `VRRP Track BFDs`, a session at a time.
pub(super) fn sessions(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let sessions = &page.snapshot.config().bfd_instances;
    let mut told = sessions
        .iter()
        .filter(|session| session.audience != BfdAudience::Checker);
    let Some(session) = told.nth(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Track BFDs")?;
    }
    cursor.next_item();
    let own = Weight {
        value: session.weight,
        reverse: session.reverse,
    };
    let config = page.snapshot.config();
    let trackings = config.vrrp_instances.iter();
    let trackings = trackings.map(|instance| &instance.options.tracking);
    let mut trackings = trackings.chain(config.sync_groups.iter().map(|group| &group.tracking));
    let names = |tracked: &Tracked| tracked.name == session.name;
    let tracked = trackings.any(|tracking| tracking.bfd.iter().any(names));
    let reverse = if session.reverse { " reverse" } else { "" };
    writeln!(out, " VRRP Track BFD = {}", session.name)?;
    writeln!(out, "   Weight = {}{reverse}", session.weight)?;
    let up = page
        .snapshot
        .session(&session.key())
        .is_some_and(|view| view.up);
    writeln!(out, "   Bfd is {}", if up { "up" } else { "down" })?;
    writeln!(out, "   Tracking VRRP instances :")?;
    if tracked {
        write_users(page, Kind::Bfd, &session.name, own, out)?;
    }
    Ok(true)
}

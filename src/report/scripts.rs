//! `VRRP Scripts`.

use std::fmt::{self, Write};

use super::instance::weight;
use super::page::{command, heading};
use super::trackers::{Kind, write_users};
use super::{Cursor, Page};
use crate::conf::model::options::TrackScript;
use crate::node::snapshot::Phase;

/// `VRRP Scripts`, a script at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let scripts = page.snapshot.config().trackers.scripts.iter();
    // Those that nobody tracks are not run.
    let mut told = scripts.filter(|script| page.snapshot.script(&script.name).is_some());
    let Some(script) = told.nth(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Scripts")?;
    }
    cursor.next_item();
    write_script(page, script, out)?;
    Ok(true)
}

fn write_script(page: &Page<'_>, script: &TrackScript, out: &mut String) -> fmt::Result {
    writeln!(out, " VRRP Script = {}", script.name)?;
    writeln!(out, "   Command = {}", command(&script.script.argv))?;
    writeln!(out, "   Interval = {} sec", script.interval.as_secs())?;
    let timeout = script.timeout.unwrap_or_default().as_secs();
    writeln!(out, "   Timeout = {timeout} sec")?;
    writeln!(
        out,
        "   {}",
        weight(script.weight).replacen("weight", "Weight =", 1)
    )?;
    writeln!(out, "   Rise = {}", script.rise)?;
    writeln!(out, "   Fall = {}", script.fall)?;
    let view = page.snapshot.script(&script.name);
    let result = view.map_or(0, |view| view.result);
    writeln!(out, "   Result = {result}")?;
    writeln!(out, "   Insecure = no")?;
    let init = match view {
        Some(view) if view.known => "unknown",
        Some(_) | None if script.init_fail => "INIT/FAILED",
        Some(_) | None => "INIT",
    };
    writeln!(out, "   Init state = {init}")?;
    let good = view.is_some_and(|view| view.good);
    writeln!(out, "   Status = {}", if good { "GOOD" } else { "BAD" })?;
    let (user, group) = page.facts.ids(
        script.script.user.as_deref(),
        script.script.group.as_deref(),
    );
    writeln!(out, "   Script uid:gid = {user}:{group}")?;
    writeln!(out, "   VRRP instances :")?;
    write_users(page, Kind::Script, &script.name, script.weight, out)?;
    let phase = match view.map_or(Phase::Idle, |view| view.phase) {
        Phase::Idle => "idle",
        Phase::Running => "running",
        Phase::Terminating => "requested termination",
        Phase::Killing => "forcing termination",
    };
    writeln!(out, "   State = {phase}")
}

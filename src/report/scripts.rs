//! `VRRP Scripts`.

use std::fmt::{self, Write};

use super::instance::weight;
use super::page::{command, heading};
use super::trackers::{Kind, write_users};
use super::{Cursor, Page};
use crate::conf::model::options::TrackScript;

/// `VRRP Scripts`, a script at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(script) = page.snapshot.config().trackers.scripts.get(cursor.item) else {
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
    writeln!(out, "   Result = 0")?;
    writeln!(out, "   Insecure = no")?;
    let init = if script.init_fail {
        "INIT/FAILED"
    } else {
        "INIT"
    };
    writeln!(out, "   Init state = {init}")?;
    writeln!(out, "   Status = BAD")?;
    let (user, group) = page.facts.ids(
        script.script.user.as_deref(),
        script.script.group.as_deref(),
    );
    writeln!(out, "   Script uid:gid = {user}:{group}")?;
    writeln!(out, "   VRRP instances :")?;
    write_users(page, Kind::Script, &script.name, script.weight, out)?;
    writeln!(out, "   State = idle")
}

//! `VRRP Sync groups`.

use std::fmt::{self, Write};

use super::instance::{mails, write_scripts, write_tracking};
use super::page::{heading, yes};
use super::{Cursor, Page};
use crate::conf::model::options::SyncGroup;
use crate::node::snapshot::{InstanceView, State};

/// `VRRP Sync groups`, a group at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(group) = page.snapshot.config().sync_groups.get(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "VRRP Sync groups")?;
    }
    cursor.next_item();
    write_group(page, group, out)?;
    Ok(true)
}

/// The members of a group as they stand.
fn members(page: &Page<'_>, group: &SyncGroup) -> Vec<InstanceView> {
    let instances = &page.snapshot.config().vrrp_instances;
    group
        .members
        .iter()
        .filter_map(|name| instances.iter().find(|instance| instance.name == *name))
        .filter_map(|instance| page.snapshot.instance(&instance.key()))
        .collect()
}

fn write_group(page: &Page<'_>, group: &SyncGroup, out: &mut String) -> fmt::Result {
    let members = members(page, group);
    let count = |wanted: State| members.iter().filter(|view| view.state == wanted).count();
    // Where they agree, it is theirs.
    let state = if count(State::Fault) > 0 {
        "FAULT"
    } else if count(State::Master) == members.len() && !members.is_empty() {
        "MASTER"
    } else if count(State::Init) > 0 {
        "INIT"
    } else {
        "BACKUP"
    };
    writeln!(out, " VRRP Sync Group = {}, {state}", group.name)?;
    if page.running {
        // Those that are in FAULT for the sake of the group alone do not count.
        let faulty = members.iter().filter(|view| view.detail.faulty);
        let waiting = members
            .iter()
            .filter(|view| view.detail.trackers.scripts_unknown > 0);
        writeln!(
            out,
            "   Num member fault {}, num member init {}",
            faulty.count(),
            waiting.count()
        )?;
    }
    writeln!(out, "   VRRP member instances :")?;
    for member in &group.members {
        writeln!(out, "     {member}")?;
    }
    if group.weights_apply {
        writeln!(out, "   sync group tracking weight set")?;
    }
    let mail = mails(page, &group.notify);
    writeln!(out, "   Using smtp notification = {}", yes(mail))?;
    write_tracking(page, &group.tracking, out)?;
    write_scripts(page, &group.notify, out)
}

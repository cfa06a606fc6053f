//! `Static Addresses`, `Static Routes`, `Static Rules` and `Static Track groups`.

use std::fmt::{self, Write};

use super::page::heading;
use super::{Cursor, Page};

/// All of them: there are few.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let statics = &page.snapshot.config().statics;
    if cursor.item > 0 {
        return Ok(false);
    }
    cursor.next_item();
    if !statics.addresses.is_empty() {
        heading(out, "Static Addresses")?;
    }
    for fixed in &statics.addresses {
        let group = fixed.group.as_deref();
        let group = group.map_or_else(String::new, |group| format!(" track_group {group}"));
        let set = if page.running { " set" } else { "" };
        let interface = fixed.address.interface.as_deref().unwrap_or_default();
        let text = fixed.address.text(interface, &format!("{group}{set}"));
        writeln!(out, "     {text}")?;
    }
    if !statics.routes.is_empty() {
        heading(out, "Static Routes")?;
    }
    for route in &statics.routes {
        writeln!(out, "     {route}")?;
    }
    if !statics.rules.is_empty() {
        heading(out, "Static Rules")?;
    }
    for rule in &statics.rules {
        writeln!(out, "     {rule}")?;
    }
    if !statics.groups.is_empty() {
        heading(out, "Static Track groups")?;
    }
    for group in &statics.groups {
        writeln!(out, " Static Track Group = {}", group.name)?;
        writeln!(out, "   VRRP member instances :")?;
        for member in &group.members {
            writeln!(out, "     {member}")?;
        }
    }
    Ok(true)
}

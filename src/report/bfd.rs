//! `BFD Topology`: the sessions.

use std::fmt::{self, Write};

use super::page::{heading, yes};
use super::{Cursor, Page};
use crate::conf::model::{BfdAudience, BfdInstance};

/// `BFD Topology`, a session at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(session) = page.snapshot.config().bfd_instances.get(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "BFD Topology")?;
    }
    cursor.next_item();
    write_session(session, out)?;
    Ok(true)
}

fn write_session(session: &BfdInstance, out: &mut String) -> fmt::Result {
    writeln!(out, " BFD Instance = {}", session.name)?;
    writeln!(out, "   Neighbor IP = {}", session.neighbor)?;
    if let Some(source) = session.source {
        writeln!(out, "   Source IP = {source}")?;
    }
    let (rx, tx) = (session.min_rx.as_micros(), session.min_tx.as_micros());
    writeln!(out, "   Required min RX interval = {rx} us")?;
    writeln!(out, "   Desired min TX interval = {tx} us")?;
    let idle = session.idle_tx.as_micros();
    writeln!(out, "   Desired idle TX interval = {idle} us")?;
    writeln!(out, "   Detection multiplier = {}", session.multiplier)?;
    writeln!(out, "   TTL = {}", session.ttl)?;
    writeln!(out, "   max_hops = {}", session.max_hops.unwrap_or(0))?;
    writeln!(out, "   passive = {}", session.passive)?;
    let vrrp = session.audience != BfdAudience::Checker;
    let check = session.audience != BfdAudience::Vrrp;
    let capital = |value| if yes(value) == "yes" { "Yes" } else { "No" };
    writeln!(out, "   send event to VRRP process = {}", capital(vrrp))?;
    writeln!(out, "   send event to checker process = {}", capital(check))
}

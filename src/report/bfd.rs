//! `BFD Topology`: the sessions.

use std::fmt::{self, Write};

use super::page::{heading, yes};
use super::{Cursor, Page};
use crate::base::time::micros;
use crate::base::{Duration, Family, Instant};
use crate::conf::model::{BfdAudience, BfdInstance};
use crate::node::snapshot::SessionView;

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
        if page.running {
            heading(out, "BFD Data")?;
            let family = Family::of(session.neighbor);
            for (multihop, name) in [(false, "fd_in"), (true, "multihop fd_in")] {
                if let Some(socket) = page.snapshot.bfd_listener(family, multihop) {
                    writeln!(out, " {name} = {}", descriptor(page, Some(socket)))?;
                }
            }
        }
        heading(out, "BFD Topology")?;
    }
    cursor.next_item();
    write_session(session, out)?;
    if page.running
        && let Some(view) = page.snapshot.session(&session.key())
    {
        write_state(page, &view, out)?;
    }
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
    let limit = match Family::of(session.neighbor) {
        Family::V4 => "TTL",
        Family::V6 => "hoplimit",
    };
    writeln!(out, "   {limit} = {}", session.ttl)?;
    let hops = session.max_hops.map_or(-1, i16::from);
    writeln!(out, "   max_hops = {hops}")?;
    writeln!(out, "   passive = {}", session.passive)?;
    let vrrp = session.audience != BfdAudience::Checker;
    let check = session.audience != BfdAudience::Vrrp;
    let capital = |value| if yes(value) == "yes" { "Yes" } else { "No" };
    writeln!(out, "   send event to VRRP process = {}", capital(vrrp))?;
    writeln!(out, "   send event to checker process = {}", capital(check))
}

fn descriptor(page: &Page<'_>, socket: Option<crate::node::snapshot::SocketId>) -> i32 {
    let known = socket.and_then(|socket| page.facts.descriptor(socket));
    known.unwrap_or(-1)
}

/// When a timer fires, as seconds and the local time.
fn due(page: &Page<'_>, at: Option<Instant>) -> String {
    at.map_or_else(
        || "[disabled]".to_owned(),
        |at| page.facts.moment(at).to_string(),
    )
}

fn us(duration: Duration) -> String {
    format!("{} us", micros(duration))
}

fn write_state(page: &Page<'_>, view: &SessionView, out: &mut String) -> fmt::Result {
    let number = u8::from;
    writeln!(out, "   fd_out {}", descriptor(page, view.socket))?;
    writeln!(out, "   next packet = {}", due(page, view.transmit_at))?;
    writeln!(out, "   expires = {}", due(page, view.expires_at))?;
    writeln!(out, "   local state = {}", view.state)?;
    writeln!(out, "   remote state = {}", view.remote_state)?;
    writeln!(out, "   local discriminator = {:#x}", view.discriminator)?;
    let remote = view.remote_discriminator;
    writeln!(out, "   remote discriminator = {remote:#x}")?;
    writeln!(out, "   local diag = {}", view.diagnostic)?;
    writeln!(out, "   remote diag = {}", view.remote_diagnostic)?;
    writeln!(out, "   remote min tx intv = {}", us(view.remote_min_tx))?;
    writeln!(out, "   remote min rx intv = {}", us(view.remote_min_rx))?;
    writeln!(out, "   local demand = 0")?;
    writeln!(out, "   remote demand = {}", number(view.remote_demand))?;
    let multiplier = view.remote_multiplier;
    writeln!(out, "   remote detect multiplier = {multiplier}")?;
    writeln!(out, "   {}poll, !final", if view.poll { "" } else { "!" })?;
    writeln!(out, "   local tx intv = {}", us(view.interval))?;
    writeln!(out, "   remote tx intv = {}", us(view.remote_interval))?;
    writeln!(out, "   local detection time = {}", us(view.detection))?;
    let detection = us(view.remote_detection);
    writeln!(out, "   remote detection time = {detection}")?;
    let seen = view.last_seen.map_or_else(
        || "last_seen = [never]".to_owned(),
        |at| format!("last seen = {}", page.facts.moment(at).year_inside()),
    );
    writeln!(out, "   {seen}")
}

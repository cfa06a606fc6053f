//! `keepalived.stats`: the counters of VRRP.

use std::fmt::{self, Write};

use super::{Cursor, Page};

/// An instance at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let instances = &page.snapshot.config().vrrp_instances;
    let Some(instance) = instances.get(cursor.item) else {
        return Ok(false);
    };
    cursor.next_item();
    let Some(view) = page.snapshot.instance(&instance.key()) else {
        return Ok(true);
    };
    let stats = view.stats;
    writeln!(out, "VRRP Instance: {}", instance.name)?;
    writeln!(out, "  Advertisements:")?;
    writeln!(out, "    Received: {}", stats.advert_rcvd)?;
    writeln!(out, "    Sent: {}", stats.advert_sent)?;
    writeln!(out, "  Became master: {}", stats.become_master)?;
    writeln!(out, "  Released master: {}", stats.release_master)?;
    writeln!(out, "  Packet Errors:")?;
    writeln!(out, "    Length: {}", stats.errors.packet_len_err)?;
    writeln!(out, "    TTL: {}", stats.errors.ip_ttl_err)?;
    writeln!(out, "    Invalid Type: {}", stats.errors.invalid_type_rcvd)?;
    let interval = stats.errors.advert_interval_err;
    writeln!(out, "    Advertisement Interval: {interval}")?;
    writeln!(out, "    Address List: {}", stats.errors.addr_list_err)?;
    writeln!(out, "  Authentication Errors:")?;
    writeln!(out, "    Invalid Type: {}", stats.errors.invalid_authtype)?;
    writeln!(out, "    Type Mismatch: {}", stats.errors.authtype_mismatch)?;
    writeln!(out, "    Failure: {}", stats.errors.auth_failure)?;
    writeln!(out, "  Priority Zero:")?;
    writeln!(out, "    Received: {}", stats.pri_zero_rcvd)?;
    writeln!(out, "    Sent: {}", stats.pri_zero_sent)?;
    Ok(true)
}

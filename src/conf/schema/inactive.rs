//! Keywords that keepalived knows and this version does nothing with yet.
//!
//! Owns: their names and forms, so that a block of them is skipped whole and the operator is told
//! honestly. A keyword that becomes active moves from here to its table. Driven by:
//! `schema::find`.

use super::Form::{self, InactiveBlock as Block};
use super::Level::{self, Instance, Root, SyncGroup};

/// Level, name and form, sorted by level and name.
pub(super) static INACTIVE: &[(Level, &str, Form)] = &[
    (Root, "garp_group", Block),
    (Root, "interface_up_down_delays", Block),
    (Root, "linkbeat_interfaces", Block),
    (Root, "static_ipaddress", Block),
    (Root, "static_routes", Block),
    (Root, "static_rules", Block),
    (Root, "track_group", Block),
    (Instance, "auth_hmac", Block),
    (Instance, "track_bfd", Block),
    (Instance, "virtual_routes", Block),
    (Instance, "virtual_rules", Block),
    (SyncGroup, "track_bfd", Block),
];

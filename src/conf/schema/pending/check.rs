//! Rows of the virtual servers and their servers whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{other_probes as o, server_policy as s, service_policy as v};
use super::super::{Keyword, Level};

pub(super) static VIRTUAL_SERVER: &[Keyword] = &[
    Keyword::leaf(
        "ha_suspend",
        v::ha_suspend,
        "check only while the address is here",
    ),
    Keyword::leaf("omega", v::omega, "scripts run at the stop"),
    Keyword::leaf(
        "quorum_down",
        v::quorum_down,
        "runs when the quorum is lost",
    ),
    Keyword::leaf("quorum_up", v::quorum_up, "runs when the quorum is gained"),
    Keyword::leaf("smtp_alert", v::smtp_alert, "mail at changes"),
    Keyword::leaf("snmp_name", v::snmp_name, "name in the MIB"),
];

pub(super) static REAL_SERVER: &[Keyword] = &[
    Keyword::block(
        "BFD_CHECK",
        o::bfd_check,
        Level::BfdCheck,
        Some(o::close_bfd),
        "looks at a BFD session",
    ),
    Keyword::block(
        "FILE_CHECK",
        o::file_check,
        Level::FileCheck,
        Some(o::close_file),
        "looks at a tracked file",
    ),
    Keyword::leaf("notify_down", s::notify_down, "runs when it fails"),
    Keyword::leaf("notify_up", s::notify_up, "runs when it comes back"),
    Keyword::leaf("smtp_alert", s::smtp_alert, "mail at changes"),
    Keyword::leaf("snmp_name", s::snmp_name, "name in the MIB"),
];

//! Rows of the virtual servers and their servers whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{other_probes as o, server_policy as s, service_policy as v};
use super::super::{Keyword, Level};

pub(super) static VIRTUAL_SERVER: &[Keyword] = &[
    Keyword::leaf("flag-1", v::scheduler_flag, "first flag of the scheduler"),
    Keyword::leaf("flag-2", v::scheduler_flag, "second flag of the scheduler"),
    Keyword::leaf("flag-3", v::scheduler_flag, "third flag of the scheduler"),
    Keyword::leaf(
        "ha_suspend",
        v::ha_suspend,
        "check only while the address is here",
    ),
    Keyword::leaf("hashed", v::hashed, "without effect"),
    Keyword::leaf("hysteresis", v::hysteresis, "margin around the quorum"),
    Keyword::leaf(
        "inhibit_on_failure",
        v::inhibit_on_failure,
        "servers that fail keep weight 0",
    ),
    Keyword::leaf("ip_family", v::ip_family, "inet or inet6"),
    Keyword::leaf(
        "mh-fallback",
        v::hash_flag,
        "mh: another server if the one is down",
    ),
    Keyword::leaf("mh-port", v::hash_flag, "mh: the port counts"),
    Keyword::leaf("omega", v::omega, "scripts run at the stop"),
    Keyword::leaf("ops", v::ops, "one-packet scheduling"),
    Keyword::leaf(
        "persistence_engine",
        v::persistence_engine,
        "what identifies a client",
    ),
    Keyword::leaf("quorum", v::quorum, "sum of weights that is needed"),
    Keyword::leaf(
        "quorum_down",
        v::quorum_down,
        "runs when the quorum is lost",
    ),
    Keyword::leaf("quorum_up", v::quorum_up, "runs when the quorum is gained"),
    Keyword::leaf(
        "sh-fallback",
        v::hash_flag,
        "sh: another server if the one is down",
    ),
    Keyword::leaf("sh-port", v::hash_flag, "sh: the port counts"),
    Keyword::leaf("smtp_alert", v::smtp_alert, "mail at changes"),
    Keyword::leaf("snmp_name", v::snmp_name, "name in the MIB"),
    Keyword::leaf(
        "sorry_server",
        v::sorry_server,
        "used when the quorum is lost",
    ),
    Keyword::leaf(
        "sorry_server_inhibit",
        v::sorry_server_inhibit,
        "it keeps weight 0 else",
    ),
    Keyword::leaf(
        "sorry_server_lvs_method",
        v::sorry_server_lvs_method,
        "NAT, DR or TUN",
    ),
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
    Keyword::block(
        "MISC_CHECK",
        o::misc_check,
        Level::MiscCheck,
        Some(o::close_misc),
        "runs a command",
    ),
    Keyword::leaf(
        "inhibit_on_failure",
        s::inhibit_on_failure,
        "it keeps weight 0 when it fails",
    ),
    Keyword::leaf(
        "lthreshold",
        s::lthreshold,
        "connections below which it gets new ones again",
    ),
    Keyword::leaf("notify_down", s::notify_down, "runs when it fails"),
    Keyword::leaf("notify_up", s::notify_up, "runs when it comes back"),
    Keyword::leaf("smtp_alert", s::smtp_alert, "mail at changes"),
    Keyword::leaf("snmp_name", s::snmp_name, "name in the MIB"),
    Keyword::leaf(
        "uthreshold",
        s::uthreshold,
        "connections beyond which it gets none",
    ),
];

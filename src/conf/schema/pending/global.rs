//! Rows of `global_defs` whose function is not there yet.
//!
//! Owns: the table. Driven by: `schema::pending`.

use super::super::super::bind::daemon;
use super::super::Keyword;

pub(super) static GLOBAL: &[Keyword] = &[
    Keyword::leaf(
        "dbus_no_interface_name",
        daemon::setting,
        "path element when an instance has no interface",
    ),
    Keyword::leaf("dbus_service_name", daemon::setting, "bus name"),
    Keyword::leaf("enable_dbus", daemon::setting, "join system bus"),
    Keyword::leaf("enable_snmp_checker", daemon::setting, "serve checker MIB"),
    Keyword::leaf("enable_snmp_keepalived", daemon::setting, "older spelling"),
    Keyword::leaf(
        "enable_snmp_rfc",
        daemon::setting,
        "serve RFC2787 and RFC6527 MIBs",
    ),
    Keyword::leaf("enable_snmp_rfcv2", daemon::setting, "serve RFC2787 (v2)"),
    Keyword::leaf("enable_snmp_rfcv3", daemon::setting, "serve RFC6527 (v3)"),
    Keyword::leaf(
        "enable_snmp_vrrp",
        daemon::setting,
        "serve keepalived vrrp MIB",
    ),
    Keyword::leaf("enable_traps", daemon::setting, "send SNMP notifications"),
    Keyword::leaf(
        "snmp_rs_stats_update_interval",
        daemon::setting,
        "how old figures of servers may be",
    ),
    Keyword::leaf("snmp_socket", daemon::setting, "AgentX master address"),
    Keyword::leaf(
        "snmp_vs_stats_update_interval",
        daemon::setting,
        "how old figures of services may be",
    ),
];

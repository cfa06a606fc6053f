//! Keywords that keepalived knows and this version does nothing with yet.
//!
//! Owns: their names and forms, so that a block of them is skipped whole and the operator is told
//! honestly. A keyword that becomes active moves from here to its table. Driven by:
//! `schema::find`.

use super::Form::{self, InactiveBlock as Block, InactiveLeaf as Leaf};
use super::Level::{self, Global, Instance, Root, SyncGroup};

/// Level, name and form, sorted by level and name.
pub(super) static INACTIVE: &[(Level, &str, Form)] = &[
    (Root, "garp_group", Block),
    (Root, "interface_up_down_delays", Block),
    (Root, "linkbeat_interfaces", Block),
    (Root, "static_ipaddress", Block),
    (Root, "static_routes", Block),
    (Root, "static_rules", Block),
    (Root, "track_group", Block),
    (Global, "bfd_cpu_affinity", Leaf),
    (Global, "bfd_rt_priority", Leaf),
    (Global, "checker_cpu_affinity", Leaf),
    (Global, "checker_rt_priority", Leaf),
    (Global, "iproute_etc_dir", Leaf),
    (Global, "iproute_usr_dir", Leaf),
    (Global, "json_dump_file", Leaf),
    (Global, "json_version", Leaf),
    (Global, "lvs_flush_on_stop", Leaf),
    (Global, "lvs_flush_onstop", Leaf),
    (Global, "lvs_notify_fifo_script", Leaf),
    (Global, "lvs_sync_daemon", Leaf),
    (Global, "lvs_timeouts", Leaf),
    (Global, "max_auto_priority", Leaf),
    (Global, "reload_check_config", Leaf),
    (Global, "snmp_rs_stats_update_interval", Leaf),
    (Global, "snmp_vs_stats_update_interval", Leaf),
    (Global, "state_dump_file", Leaf),
    (Global, "stats_dump_file", Leaf),
    (Global, "umask", Leaf),
    (Global, "vrrp_cpu_affinity", Leaf),
    (Global, "vrrp_garp_extra_if", Leaf),
    (Global, "vrrp_ipsets", Leaf),
    (Global, "vrrp_rt_priority", Leaf),
    (Global, "vrrp_rx_bufs_policy", Leaf),
    (Global, "vrrp_vmac_garp_intvl", Leaf),
    (Instance, "auth_hmac", Block),
    (Instance, "track_bfd", Block),
    (Instance, "virtual_routes", Block),
    (Instance, "virtual_rules", Block),
    (SyncGroup, "track_bfd", Block),
];

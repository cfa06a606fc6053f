//! Rows of `global_defs`.
//!
//! Owns: the table. Driven by: `schema::find`.

use super::super::bind::{daemon, global, lvs, process, settings};
use super::{Form, Keyword};

pub(super) static GLOBAL: &[Keyword] = &[
    Keyword::leaf(
        "bfd_cpu_affinity",
        process::affinity,
        "CPUs of the BFD side",
    ),
    Keyword::leaf("bfd_no_swap", daemon::setting, "mlockall bfd"),
    Keyword::leaf("bfd_priority", daemon::setting, "nice of bfd"),
    Keyword::leaf(
        "bfd_process_name",
        daemon::process_name,
        "name of bfd process",
    ),
    Keyword::leaf("bfd_rlimit_rtime", daemon::setting, "older spelling"),
    Keyword::leaf("bfd_rlimit_rttime", daemon::setting, "RLIMIT_RTTIME of bfd"),
    Keyword::leaf(
        "bfd_rt_priority",
        process::realtime,
        "real-time priority of the BFD side",
    ),
    Keyword::leaf(
        "checker_cpu_affinity",
        process::affinity,
        "CPUs of the checkers",
    ),
    Keyword::leaf(
        "checker_log_all_failures",
        daemon::setting,
        "log every failed check not just first/last",
    ),
    Keyword::leaf("checker_no_swap", daemon::setting, "mlockall checker"),
    Keyword::leaf("checker_priority", daemon::setting, "nice of checker"),
    Keyword::leaf(
        "checker_process_name",
        daemon::process_name,
        "name of checker process",
    ),
    Keyword::leaf("checker_rlimit_rtime", daemon::setting, "older spelling"),
    Keyword::leaf(
        "checker_rlimit_rttime",
        daemon::setting,
        "RLIMIT_RTTIME of checker",
    ),
    Keyword::leaf(
        "checker_rt_priority",
        process::realtime,
        "real-time priority of the checkers",
    ),
    Keyword::leaf(
        "config_save_dir",
        daemon::setting,
        "save the consolidated config and state there at each (re)load (created 0700)",
    ),
    Keyword::leaf(
        "data_use_instance",
        daemon::setting,
        "add instance/netns to dump file names",
    ),
    Keyword::leaf(
        "default_interface",
        daemon::setting,
        "interface for static addresses without dev",
    ),
    Keyword::leaf(
        "disable_local_igmp",
        daemon::setting,
        "set sysctl igmp_link_local_mcast_reports=0 (restart only)",
    ),
    Keyword::leaf(
        "dynamic_interfaces",
        daemon::dynamic,
        "allow interfaces not (yet) existing; optionally interface type/index changes",
    ),
    Keyword::leaf(
        "enable_script_security",
        settings::script_security,
        "scripts that others can change do not run",
    ),
    Keyword::leaf(
        "fifo_write_vrrp_states_on_reload",
        daemon::setting,
        "rewrite all vrrp states to FIFO after reload",
    ),
    Keyword {
        name: "include_check",
        form: Form::Leaf(global::include_check),
        doc: "how strict an include is",
    },
    Keyword::leaf(
        "iproute_etc_dir",
        daemon::setting,
        "the administrator's names of routing tables and the like",
    ),
    Keyword::leaf(
        "iproute_usr_dir",
        daemon::setting,
        "names of routing tables and the like",
    ),
    Keyword::leaf("json_dump_file", daemon::setting, "the state as JSON"),
    Keyword::leaf(
        "json_version",
        daemon::json_version,
        "layout of the state as JSON",
    ),
    Keyword::leaf(
        "log_unknown_vrids",
        daemon::setting,
        "log adverts with unknown VRID",
    ),
    Keyword::leaf(
        "lvs_flush",
        daemon::setting,
        "empty the IPVS table at the start",
    ),
    Keyword::leaf(
        "lvs_flush_on_stop",
        lvs::flush_on_stop,
        "how much of IPVS is emptied at the stop",
    ),
    Keyword::leaf("lvs_flush_onstop", lvs::flush_on_stop, "older spelling"),
    Keyword::leaf(
        "lvs_netlink_cmd_rcv_bufs",
        daemon::setting,
        "same for checker",
    ),
    Keyword::leaf(
        "lvs_netlink_cmd_rcv_bufs_force",
        daemon::setting,
        "same for checker",
    ),
    Keyword::leaf(
        "lvs_netlink_monitor_rcv_bufs",
        daemon::setting,
        "same for checker",
    ),
    Keyword::leaf(
        "lvs_netlink_monitor_rcv_bufs_force",
        daemon::setting,
        "same for checker",
    ),
    Keyword::leaf(
        "lvs_no_repair",
        daemon::setting,
        "leave what other programs change of our services",
    ),
    Keyword::leaf("lvs_notify_fifo", daemon::fifo, "FIFO for checker events"),
    Keyword::leaf(
        "lvs_notify_fifo_script",
        settings::fifo_script,
        "reads the FIFO of the checkers",
    ),
    Keyword::leaf("lvs_process_name", daemon::process_name, "older spelling"),
    Keyword::leaf(
        "lvs_sync_daemon",
        lvs::sync_daemon,
        "tells other directors of connections",
    ),
    Keyword::leaf(
        "lvs_timeouts",
        lvs::timeouts,
        "how long connections are remembered",
    ),
    Keyword::leaf(
        "max_auto_priority",
        process::automatic,
        "how far the real-time priority may be raised by itself",
    ),
    Keyword::leaf(
        "min_auto_priority_delay",
        daemon::setting,
        "timer lateness that triggers the raise",
    ),
    Keyword::leaf("nftables", daemon::setting, "use nftables for filtering"),
    Keyword::leaf(
        "nftables_counters",
        daemon::setting,
        "add counters to generated rules",
    ),
    Keyword::leaf(
        "nftables_ifindex",
        daemon::setting,
        "match on ifindex instead of ifname",
    ),
    Keyword::leaf(
        "nftables_ipvs",
        daemon::setting,
        "use nftables+fwmark to implement virtual server groups",
    ),
    Keyword::leaf("nftables_ipvs_priority", daemon::setting, "chain priority"),
    Keyword::leaf(
        "nftables_ipvs_start_fwmark",
        daemon::setting,
        "first auto fwmark",
    ),
    Keyword::leaf("nftables_priority", daemon::setting, "chain priority"),
    Keyword::leaf(
        "no_checker_emails",
        daemon::setting,
        "suppress mails about checkers of RS (VS quorum mails stay)",
    ),
    Keyword::leaf("no_email_faults", daemon::setting, "no mail on FAULT state"),
    Keyword {
        name: "notification_email",
        form: Form::NamedValues {
            open: daemon::emails_open,
            line: daemon::email,
            close: Some(daemon::emails),
        },
        doc: "who gets mails",
    },
    Keyword::leaf("notification_email_from", daemon::setting, "From address"),
    Keyword::leaf(
        "notify_fifo",
        daemon::fifo,
        "FIFO that receives vrrp and checker events",
    ),
    Keyword::leaf(
        "notify_fifo_script",
        settings::fifo_script,
        "reads the notify FIFO",
    ),
    Keyword::leaf(
        "process_monitor_rcv_bufs",
        daemon::setting,
        "SO_RCVBUF of proc connector socket",
    ),
    Keyword::leaf(
        "process_monitor_rcv_bufs_force",
        daemon::setting,
        "use SO_RCVBUFFORCE",
    ),
    Keyword::leaf(
        "process_name",
        daemon::process_name,
        "name of parent process",
    ),
    Keyword::leaf(
        "process_names",
        daemon::setting,
        "rename the three children keepalived_vrrp, keepalived_lvs, keepalived_bfd",
    ),
    Keyword::leaf(
        "random_seed",
        daemon::setting,
        "intended seed for ${_RANDOM}; has no effect in 2.4.3 (seeded before parsing)",
    ),
    Keyword::leaf(
        "reload_check_config",
        daemon::setting,
        "tests a new configuration before a reload",
    ),
    Keyword::leaf(
        "reload_file",
        daemon::setting,
        "file which exists while a reload is running",
    ),
    Keyword::leaf(
        "reload_repeat",
        daemon::setting,
        "do not delete a time-of-day only file after the reload",
    ),
    Keyword::leaf(
        "reload_time_file",
        daemon::setting,
        "file with the time of a scheduled reload (inotify)",
    ),
    Keyword {
        name: "router_id",
        form: Form::Leaf(global::router_id),
        doc: "how this router names itself",
    },
    Keyword::leaf(
        "rs_init_notifies",
        daemon::setting,
        "send RS notify at startup and after reload for present state",
    ),
    Keyword::leaf("script_user", settings::script_user, "whom scripts run as"),
    Keyword::leaf(
        "set_supplementary_groups",
        daemon::setting,
        "scripts get all groups of their user",
    ),
    Keyword::leaf(
        "shutdown_script",
        settings::daemon_script,
        "runs when the daemon stops",
    ),
    Keyword::leaf(
        "shutdown_script_timeout",
        daemon::setting,
        "kill time of shutdown script",
    ),
    Keyword::leaf(
        "smtp_alert",
        daemon::setting,
        "global default for smtp_alert everywhere",
    ),
    Keyword::leaf(
        "smtp_alert_checker",
        daemon::setting,
        "mail default for checkers",
    ),
    Keyword::leaf("smtp_alert_vrrp", daemon::setting, "mail default for vrrp"),
    Keyword::leaf(
        "smtp_connect_timeout",
        daemon::smtp_timeout,
        "mail connect timeout",
    ),
    Keyword::leaf(
        "smtp_helo_name",
        daemon::setting,
        "HELO argument for alerts",
    ),
    Keyword::leaf("smtp_server", daemon::smtp_server, "mail relay"),
    Keyword::leaf(
        "startup_script",
        settings::daemon_script,
        "runs when the daemon starts",
    ),
    Keyword::leaf(
        "startup_script_timeout",
        daemon::setting,
        "kill time of startup script",
    ),
    Keyword::leaf("state_dump_file", daemon::setting, "what USR1 writes"),
    Keyword::leaf("stats_dump_file", daemon::setting, "what USR2 writes"),
    Keyword::leaf(
        "tmp_config_directory",
        daemon::setting,
        "where the read-only copy of config for children is kept (restart only)",
    ),
    Keyword::leaf("umask", process::umask, "bits that files are made without"),
    Keyword::leaf(
        "use_symlink_paths",
        daemon::setting,
        "scripts run by the path that is written",
    ),
    Keyword::leaf(
        "v3_checksum_as_v2",
        daemon::setting,
        "omit pseudo header from VRRPv3 IPv4 checksum",
    ),
    Keyword::leaf(
        "vmac_addr_prefix",
        daemon::setting,
        "prefix of generated vmac names for use_vmac_addr",
    ),
    Keyword::leaf(
        "vmac_prefix",
        daemon::setting,
        "prefix of generated vmac names",
    ),
    Keyword::leaf(
        "vrrp_check_unicast_src",
        daemon::setting,
        "check unicast source addresses on every instance",
    ),
    Keyword::leaf("vrrp_cpu_affinity", process::affinity, "CPUs of VRRP"),
    Keyword::leaf(
        "vrrp_delay_after_boot",
        daemon::setting,
        "like startup delay but counted from system uptime (the larger wins)",
    ),
    Keyword::leaf(
        "vrrp_down_timer_adverts",
        daemon::setting,
        "missed adverts before takeover",
    ),
    Keyword::leaf(
        "vrrp_garp_extra_if",
        daemon::extra_garp,
        "gratuitous ARP on other interfaces too",
    ),
    Keyword::leaf(
        "vrrp_garp_interval",
        daemon::setting,
        "gap between GARPs on an interface",
    ),
    Keyword {
        name: "vrrp_garp_lower_prio_delay",
        form: Form::Leaf(global::garp_lower_prio_delay),
        doc: "seconds to the second burst after a lower-priority advert",
    },
    Keyword {
        name: "vrrp_garp_lower_prio_repeat",
        form: Form::Leaf(global::garp_lower_prio_repeat),
        doc: "packets for each address after a lower-priority advert",
    },
    Keyword {
        name: "vrrp_garp_master_delay",
        form: Form::Leaf(global::garp_master_delay),
        doc: "seconds to the second burst after becoming master",
    },
    Keyword {
        name: "vrrp_garp_master_refresh",
        form: Form::Leaf(global::garp_master_refresh),
        doc: "seconds between the bursts that follow",
    },
    Keyword {
        name: "vrrp_garp_master_refresh_repeat",
        form: Form::Leaf(global::garp_master_refresh_repeat),
        doc: "packets for each address in those",
    },
    Keyword {
        name: "vrrp_garp_master_repeat",
        form: Form::Leaf(global::garp_master_repeat),
        doc: "packets for each address in a burst",
    },
    Keyword::leaf(
        "vrrp_gna_interval",
        daemon::setting,
        "gap between unsolicited NAs",
    ),
    Keyword::leaf(
        "vrrp_higher_prio_send_advert",
        daemon::setting,
        "master sends one advert before yielding to higher prio",
    ),
    Keyword::leaf(
        "vrrp_ipsets",
        daemon::ipsets,
        "names of the sets of iptables",
    ),
    Keyword::leaf(
        "vrrp_iptables",
        daemon::iptables,
        "use iptables for no_accept/vmac filtering (warns and means nftables if built without iptables)",
    ),
    Keyword::leaf(
        "vrrp_lower_prio_no_advert",
        daemon::setting,
        "master does not answer lower priority advert",
    ),
    Keyword::leaf(
        "vrrp_mcast_group4",
        daemon::multicast,
        "default v4 advert group",
    ),
    Keyword::leaf(
        "vrrp_mcast_group6",
        daemon::multicast,
        "default v6 advert group",
    ),
    Keyword::leaf(
        "vrrp_min_garp",
        daemon::setting,
        "reduce GARPs to one, no repeat/refresh/delay (only values still default)",
    ),
    Keyword::leaf(
        "vrrp_netlink_cmd_rcv_bufs",
        daemon::setting,
        "SO_RCVBUF of cmd socket",
    ),
    Keyword::leaf(
        "vrrp_netlink_cmd_rcv_bufs_force",
        daemon::setting,
        "use SO_RCVBUFFORCE",
    ),
    Keyword::leaf(
        "vrrp_netlink_monitor_rcv_bufs",
        daemon::setting,
        "SO_RCVBUF of monitor socket",
    ),
    Keyword::leaf(
        "vrrp_netlink_monitor_rcv_bufs_force",
        daemon::setting,
        "use SO_RCVBUFFORCE",
    ),
    Keyword::leaf("vrrp_no_swap", daemon::setting, "mlockall vrrp"),
    Keyword::leaf("vrrp_notify_fifo", daemon::fifo, "FIFO for vrrp events"),
    Keyword::leaf(
        "vrrp_notify_fifo_script",
        settings::fifo_script,
        "reads the notify FIFO of VRRP",
    ),
    Keyword::leaf(
        "vrrp_notify_priority_changes",
        daemon::setting,
        "emit notify on effective priority change too",
    ),
    Keyword::leaf(
        "vrrp_owner_ignore_adverts",
        daemon::setting,
        "address owner drops received adverts (RFC 9568)",
    ),
    Keyword::leaf(
        "vrrp_priority",
        daemon::setting,
        "nice value of vrrp process",
    ),
    Keyword::leaf(
        "vrrp_process_name",
        daemon::process_name,
        "name of vrrp process",
    ),
    Keyword::leaf("vrrp_rlimit_rtime", daemon::setting, "older spelling"),
    Keyword::leaf(
        "vrrp_rlimit_rttime",
        daemon::setting,
        "RLIMIT_RTTIME of vrrp",
    ),
    Keyword::leaf(
        "vrrp_rt_priority",
        process::realtime,
        "real-time priority of VRRP",
    ),
    Keyword::leaf(
        "vrrp_rx_bufs_multiplier",
        daemon::setting,
        "factor for MTU/ADVERT policy",
    ),
    Keyword::leaf(
        "vrrp_rx_bufs_policy",
        daemon::receive_policy,
        "how receive buffers are sized",
    ),
    Keyword::leaf(
        "vrrp_skip_check_adv_addr",
        daemon::setting,
        "do not re-check address list of same master",
    ),
    Keyword::leaf(
        "vrrp_startup_delay",
        daemon::setting,
        "vrrp waits this long before acting",
    ),
    Keyword::leaf("vrrp_strict", daemon::setting, "nothing beyond the RFC"),
    Keyword::leaf(
        "vrrp_version",
        settings::version,
        "version of instances that name none",
    ),
    Keyword::leaf("vrrp_vmac_garp_intvl", daemon::extra_garp, "older spelling"),
];

//! Rows of `global_defs`.
//!
//! Owns: the table. Driven by: `schema::find`.

use super::super::bind::{daemon, global, lvs, settings};
use super::{Form, Keyword};

pub(super) static GLOBAL: &[Keyword] = &[
    Keyword {
        name: "include_check",
        form: Form::Leaf(global::include_check),
        doc: "how strict an include is",
    },
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
        "v3_checksum_as_v2",
        daemon::setting,
        "omit pseudo header from VRRPv3 IPv4 checksum",
    ),
    Keyword::leaf(
        "vrrp_check_unicast_src",
        daemon::setting,
        "check unicast source addresses on every instance",
    ),
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
        "vrrp_higher_prio_send_advert",
        daemon::setting,
        "master sends one advert before yielding to higher prio",
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
        "vrrp_owner_ignore_adverts",
        daemon::setting,
        "address owner drops received adverts (RFC 9568)",
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
    Keyword::leaf(
        "vrrp_version",
        settings::version,
        "version of instances that name none",
    ),
];

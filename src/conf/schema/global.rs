//! Rows of `global_defs`.
//!
//! Owns: the table. Driven by: `schema::find`.

use super::super::bind::{daemon, global, settings};
use super::{Form, Keyword};

pub(super) static GLOBAL: &[Keyword] = &[
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
        "log_unknown_vrids",
        daemon::setting,
        "log adverts with unknown VRID",
    ),
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
    Keyword {
        name: "router_id",
        form: Form::Leaf(global::router_id),
        doc: "how this router names itself",
    },
    Keyword::leaf("script_user", settings::script_user, "whom scripts run as"),
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
];

//! Rows of `global_defs`.
//!
//! Owns: the table. Driven by: `schema::find`.

use super::super::bind::{daemon, global};
use super::{Form, Keyword};

pub(super) static GLOBAL: &[Keyword] = &[
    Keyword {
        name: "include_check",
        form: Form::Leaf(global::include_check),
        doc: "how strict an include is",
    },
    Keyword::leaf(
        "lvs_flush",
        daemon::setting,
        "empty the IPVS table at the start",
    ),
    Keyword::leaf(
        "lvs_no_repair",
        daemon::setting,
        "leave what other programs change of our services",
    ),
    Keyword {
        name: "router_id",
        form: Form::Leaf(global::router_id),
        doc: "how this router names itself",
    },
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
];

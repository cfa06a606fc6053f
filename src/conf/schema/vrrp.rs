//! Rows of the top level, of `vrrp_instance` and of `authentication`.
//!
//! Owns: the tables. Driven by: `schema::find`.

use super::super::bind::{address, global, group, instance, options, virtual_server};
use super::{Form, Keyword, Level};

pub(super) static ROOT: &[Keyword] = &[
    Keyword {
        name: "global_defs",
        form: Form::Block {
            open: global::open,
            inner: Level::Global,
            close: None,
        },
        doc: "settings of the daemon as a whole",
    },
    Keyword {
        name: "virtual_server",
        form: Form::Block {
            open: virtual_server::open,
            inner: Level::VirtualServer,
            close: Some(virtual_server::close),
        },
        doc: "a service of IPVS with its real servers",
    },
    Keyword {
        name: "virtual_server_group",
        form: Form::NamedValues {
            open: group::open,
            line: group::entry,
            close: Some(group::close),
        },
        doc: "addresses and marks that share servers",
    },
    Keyword {
        name: "vrrp_instance",
        form: Form::Block {
            open: instance::open,
            inner: Level::Instance,
            close: Some(options::close),
        },
        doc: "a virtual router",
    },
];

pub(super) static INSTANCE: &[Keyword] = &[
    Keyword {
        name: "advert_int",
        form: Form::Leaf(instance::advert_int),
        doc: "seconds between adverts",
    },
    Keyword {
        name: "authentication",
        form: Form::Block {
            open: instance::authentication,
            inner: Level::Authentication,
            close: None,
        },
        doc: "authentication of version 2",
    },
    Keyword {
        name: "garp_lower_prio_delay",
        form: Form::Leaf(instance::garp_lower_prio_delay),
        doc: "seconds to the second burst after a lower-priority advert",
    },
    Keyword {
        name: "garp_lower_prio_repeat",
        form: Form::Leaf(instance::garp_lower_prio_repeat),
        doc: "packets for each address after a lower-priority advert",
    },
    Keyword {
        name: "garp_master_delay",
        form: Form::Leaf(instance::garp_master_delay),
        doc: "seconds to the second burst after becoming master",
    },
    Keyword {
        name: "garp_master_refresh",
        form: Form::Leaf(instance::garp_master_refresh),
        doc: "seconds between the bursts that follow",
    },
    Keyword {
        name: "garp_master_refresh_repeat",
        form: Form::Leaf(instance::garp_master_refresh_repeat),
        doc: "packets for each address in those",
    },
    Keyword {
        name: "garp_master_repeat",
        form: Form::Leaf(instance::garp_master_repeat),
        doc: "packets for each address in a burst",
    },
    Keyword {
        name: "interface",
        form: Form::Leaf(instance::interface),
        doc: "the interface that adverts go through",
    },
    Keyword {
        name: "nopreempt",
        form: Form::Leaf(instance::nopreempt),
        doc: "do not displace a master of lower priority",
    },
    Keyword {
        name: "preempt",
        form: Form::Leaf(instance::preempt),
        doc: "displace a master of lower priority",
    },
    Keyword {
        name: "preempt_delay",
        form: Form::Leaf(instance::preempt_delay),
        doc: "seconds before that",
    },
    Keyword {
        name: "priority",
        form: Form::Leaf(instance::priority),
        doc: "1 to 254; 255 owns the addresses",
    },
    Keyword {
        name: "state",
        form: Form::Leaf(instance::state),
        doc: "MASTER or BACKUP at the start",
    },
    Keyword {
        name: "virtual_ipaddress",
        form: Form::Values {
            line: address::virtual_ipaddress,
        },
        doc: "the addresses of the virtual router",
    },
    Keyword {
        name: "virtual_router_id",
        form: Form::Leaf(instance::virtual_router_id),
        doc: "1 to 255",
    },
];

pub(super) static AUTHENTICATION: &[Keyword] = &[
    Keyword {
        name: "auth_pass",
        form: Form::Leaf(instance::auth_pass),
        doc: "the password, 8 bytes",
    },
    Keyword {
        name: "auth_type",
        form: Form::Leaf(instance::auth_type),
        doc: "PASS or AH",
    },
];

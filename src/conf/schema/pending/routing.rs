//! Rows of `track_group` and `garp_group`, whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{links, statics};
use super::super::{Form, Keyword};

pub(super) static TRACK_GROUP: &[Keyword] = &[Keyword {
    name: "group",
    form: Form::NamedValues {
        open: statics::group_open,
        line: statics::member,
        close: Some(statics::group_close),
    },
    doc: "names of the instances",
}];

pub(super) static GARP_GROUP: &[Keyword] = &[
    Keyword::leaf(
        "garp_interval",
        links::pace,
        "seconds between gratuitous ARP",
    ),
    Keyword::leaf(
        "gna_interval",
        links::pace,
        "seconds between unsolicited neighbour advertisements",
    ),
    Keyword::leaf("interface", links::garp_interface, "one that belongs to it"),
    Keyword {
        name: "interfaces",
        form: Form::NamedValues {
            open: links::garp_interfaces_open,
            line: links::garp_interfaces,
            close: Some(links::garp_interfaces_close),
        },
        doc: "those that belong to it",
    },
];

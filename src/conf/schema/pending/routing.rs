//! Rows of `garp_group`, whose function is not there yet.
//!
//! Owns: the table. Driven by: `schema::pending`.

use super::super::super::bind::links;
use super::super::{Form, Keyword};

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

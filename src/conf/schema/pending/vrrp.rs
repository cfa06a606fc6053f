//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{daemon, options};
use super::super::Keyword;

pub(super) static ROOT: &[Keyword] = &[Keyword::leaf(
    "namespace_with_ipsets",
    daemon::setting,
    "declare that ipsets work inside the namespace",
)];

pub(super) static INSTANCE: &[Keyword] = &[
    Keyword::leaf("debug", options::debug, "without effect"),
    Keyword::leaf(
        "lvs_sync_daemon_interface",
        options::lvs_sync_interface,
        "of older releases",
    ),
    Keyword::leaf(
        "no_virtual_ipaddress",
        options::flag,
        "it runs without addresses",
    ),
    Keyword::leaf("vrf", options::vrf, "the VRF where no interface is named"),
];

//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{bfd, daemon, options, sync_group};
use super::super::{Keyword, Level};

pub(super) static ROOT: &[Keyword] = &[
    Keyword::block(
        "bfd_instance",
        bfd::open,
        Level::BfdInstance,
        Some(bfd::close),
        "a BFD session",
    ),
    Keyword::leaf(
        "namespace_with_ipsets",
        daemon::setting,
        "declare that ipsets work inside the namespace",
    ),
];

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
    Keyword::values(
        "track_bfd",
        options::track_bfd,
        "BFD sessions that change the priority",
    ),
    Keyword::leaf("vrf", options::vrf, "the VRF where no interface is named"),
];

pub(super) static SYNC_GROUP: &[Keyword] = &[Keyword::values(
    "track_bfd",
    sync_group::track_bfd,
    "BFD sessions that change the priority",
)];

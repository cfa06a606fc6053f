//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{bfd, daemon, links, options, sync_group};
use super::super::{Keyword, Level};

pub(super) static ROOT: &[Keyword] = &[
    Keyword::block(
        "SSL",
        bfd::ssl,
        Level::Ssl,
        None,
        "what SSL_GET shows of itself",
    ),
    Keyword::block(
        "bfd_instance",
        bfd::open,
        Level::BfdInstance,
        Some(bfd::close),
        "a BFD session",
    ),
    Keyword::values(
        "interface_up_down_delays",
        links::delay,
        "how long a link has to be up or down until it counts",
    ),
    Keyword::values(
        "linkbeat_interfaces",
        links::polled,
        "interfaces whose link is asked for",
    ),
    Keyword::leaf(
        "linkbeat_use_polling",
        daemon::setting,
        "use link polling (MII/ethtool/ioctl) instead of netlink for link state of all interfaces",
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
        "garp_extra_if",
        options::garp_extra_if,
        "gratuitous ARP on other interfaces too, every so many seconds",
    ),
    Keyword::leaf(
        "linkbeat_use_polling",
        options::linkbeat,
        "of older releases",
    ),
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
    Keyword::leaf(
        "use_vmac_addr",
        options::flag,
        "so do addresses on other interfaces",
    ),
    Keyword::leaf(
        "vmac_garp_intvl",
        options::garp_extra_if,
        "older name of garp_extra_if",
    ),
    Keyword::leaf("vrf", options::vrf, "the VRF where no interface is named"),
];

pub(super) static SYNC_GROUP: &[Keyword] = &[Keyword::values(
    "track_bfd",
    sync_group::track_bfd,
    "BFD sessions that change the priority",
)];

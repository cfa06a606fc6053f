//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{bfd, daemon, links, options, route, rule, statics, sync_group};
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
    Keyword::block(
        "garp_group",
        links::garp_open,
        Level::GarpGroup,
        Some(links::garp_close),
        "the pace of announcements on some interfaces",
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
    Keyword::values(
        "static_ipaddress",
        statics::address,
        "addresses as long as the daemon runs",
    ),
    Keyword::values(
        "static_routes",
        route::static_route,
        "routes as long as the daemon runs",
    ),
    Keyword::values(
        "static_rules",
        rule::static_rule,
        "policy rules as long as the daemon runs",
    ),
    Keyword::block(
        "track_group",
        statics::open,
        Level::TrackGroup,
        None,
        "instances that static addresses, routes and rules depend on",
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
    Keyword::leaf(
        "smtp_alert",
        options::boolean,
        "a mail at every change of state",
    ),
    Keyword::leaf("strict_mode", options::boolean, "nothing beyond the RFC"),
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
    Keyword::values(
        "virtual_routes",
        route::virtual_route,
        "routes while it is master",
    ),
    Keyword::values(
        "virtual_rules",
        rule::virtual_rule,
        "policy rules while it is master",
    ),
    Keyword::leaf(
        "vmac_garp_intvl",
        options::garp_extra_if,
        "older name of garp_extra_if",
    ),
    Keyword::leaf("vrf", options::vrf, "the VRF where no interface is named"),
];

pub(super) static SYNC_GROUP: &[Keyword] = &[
    Keyword::leaf(
        "smtp_alert",
        sync_group::smtp_alert,
        "a mail at every change of state",
    ),
    Keyword::values(
        "track_bfd",
        sync_group::track_bfd,
        "BFD sessions that change the priority",
    ),
];

//! Rows of the top level, of `vrrp_instance` and of `authentication`.
//!
//! Owns: the tables. Driven by: `schema::find`.

use super::super::bind::{
    address, bfd, daemon, global, group, instance, links, options, route, rule, signing, statics,
    sync_group, tracker, virtual_server, vmac,
};
use super::{Form, Keyword, Level};

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
    Keyword::leaf(
        "child_wait_time",
        daemon::setting,
        "how long parent waits for children at shutdown before SIGKILL",
    ),
    Keyword::block(
        "garp_group",
        links::garp_open,
        Level::GarpGroup,
        Some(links::garp_close),
        "the pace of announcements on some interfaces",
    ),
    Keyword {
        name: "global_defs",
        form: Form::Block {
            open: global::open,
            inner: Level::Global,
            close: None,
        },
        doc: "settings of the daemon as a whole",
    },
    Keyword::leaf(
        "instance",
        daemon::setting,
        "instance name; suffixes pid files and syslog ident, forces pid dir; restart only",
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
    Keyword::leaf(
        "net_namespace",
        daemon::net_namespace,
        "run in this network namespace; forces pid dir; changing it needs restart",
    ),
    Keyword::leaf(
        "net_namespace_ipvs",
        daemon::setting,
        "namespace for IPVS handling; changing it needs restart",
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
        "track_file",
        tracker::file_open,
        Level::TrackFile,
        Some(tracker::file_close),
        "a file whose value changes priorities",
    ),
    Keyword::block(
        "track_group",
        statics::open,
        Level::TrackGroup,
        Some(statics::close),
        "instances that static addresses, routes and rules depend on",
    ),
    Keyword::leaf(
        "use_pid_dir",
        daemon::setting,
        "place pid files under RUN/keepalived/",
    ),
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
            close: Some(vmac::close),
        },
        doc: "a virtual router",
    },
    Keyword::block(
        "vrrp_script",
        tracker::script_open,
        Level::TrackScript,
        Some(tracker::script_close),
        "a script whose result changes priorities",
    ),
    Keyword::block(
        "vrrp_sync_group",
        sync_group::open,
        Level::SyncGroup,
        Some(sync_group::close),
        "instances that share their state",
    ),
    Keyword::block(
        "vrrp_track_file",
        tracker::file_open,
        Level::TrackFile,
        Some(tracker::file_close),
        "older name of track_file",
    ),
    Keyword::block(
        "vrrp_track_process",
        tracker::process_open,
        Level::TrackProcess,
        Some(tracker::process_close),
        "a process whose presence changes priorities",
    ),
];

pub(super) static INSTANCE: &[Keyword] = &[
    Keyword::leaf(
        "accept",
        options::flag,
        "packets to the addresses are taken",
    ),
    Keyword {
        name: "advert_int",
        form: Form::Leaf(instance::advert_int),
        doc: "seconds between adverts",
    },
    Keyword::block(
        "auth_hmac",
        signing::open,
        Level::Signing,
        Some(signing::close),
        "a signature behind each advert",
    ),
    Keyword {
        name: "authentication",
        form: Form::Block {
            open: instance::authentication,
            inner: Level::Authentication,
            close: None,
        },
        doc: "authentication of version 2",
    },
    Keyword::leaf(
        "check_unicast_src",
        options::flag,
        "adverts are taken from the peers only",
    ),
    Keyword::leaf("debug", options::debug, "without effect"),
    Keyword::leaf(
        "dont_track_primary",
        options::flag,
        "faults of the own interface do not count",
    ),
    Keyword::leaf(
        "down_timer_adverts",
        options::down_timer_adverts,
        "adverts that may be missed before a takeover",
    ),
    Keyword::leaf(
        "garp_extra_if",
        options::garp_extra_if,
        "gratuitous ARP on other interfaces too, every so many seconds",
    ),
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
    Keyword::leaf(
        "higher_prio_send_advert",
        options::boolean,
        "a last advert before yielding",
    ),
    Keyword {
        name: "interface",
        form: Form::Leaf(instance::interface),
        doc: "the interface that adverts go through",
    },
    Keyword::leaf(
        "kernel_rx_buf_size",
        options::receive_buffer,
        "bytes of the socket's receive buffer",
    ),
    Keyword::leaf(
        "linkbeat_use_polling",
        options::linkbeat,
        "of older releases",
    ),
    Keyword::leaf(
        "lower_prio_no_advert",
        options::boolean,
        "no advert in answer to a lower priority",
    ),
    Keyword::leaf(
        "lvs_sync_daemon_interface",
        options::lvs_sync_interface,
        "of older releases",
    ),
    Keyword::leaf("mcast_dst_ip", options::destination, "where adverts go"),
    Keyword::leaf("mcast_src_ip", options::source, "where adverts come from"),
    Keyword::leaf(
        "native_ipv6",
        options::native_ipv6,
        "IPv6 though no address says so",
    ),
    Keyword::leaf(
        "no_accept",
        options::flag,
        "packets to the addresses are dropped",
    ),
    Keyword::leaf(
        "no_virtual_ipaddress",
        options::flag,
        "it runs without addresses",
    ),
    Keyword {
        name: "nopreempt",
        form: Form::Leaf(instance::nopreempt),
        doc: "do not displace a master of lower priority",
    },
    Keyword::leaf("notify", options::notify, "script at every change of state"),
    Keyword::leaf(
        "notify_backup",
        options::notify,
        "script on becoming backup",
    ),
    Keyword::leaf(
        "notify_deleted",
        options::notify,
        "script on being removed by a reload",
    ),
    Keyword::leaf("notify_fault", options::notify, "script on a fault"),
    Keyword::leaf(
        "notify_master",
        options::notify,
        "script on becoming master",
    ),
    Keyword::leaf(
        "notify_master_rx_lower_pri",
        options::notify,
        "script on an advert of lower priority",
    ),
    Keyword::leaf(
        "notify_priority_changes",
        options::boolean,
        "changes of the priority are told",
    ),
    Keyword::leaf("notify_stop", options::notify, "script at the stop"),
    Keyword::leaf(
        "old_unicast_checksum",
        options::old_unicast_checksum,
        "checksums as before 1.3.6",
    ),
    Keyword::leaf(
        "owner_ignore_adverts",
        options::boolean,
        "the owner of the addresses ignores adverts",
    ),
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
    Keyword::leaf(
        "promote_secondaries",
        options::flag,
        "sets promote_secondaries on the interface",
    ),
    Keyword::leaf(
        "skip_check_adv_addr",
        options::boolean,
        "the addresses in adverts are not compared",
    ),
    Keyword::leaf(
        "smtp_alert",
        options::boolean,
        "a mail at every change of state",
    ),
    Keyword {
        name: "state",
        form: Form::Leaf(instance::state),
        doc: "MASTER or BACKUP at the start",
    },
    Keyword::leaf("strict_mode", options::boolean, "nothing beyond the RFC"),
    Keyword::leaf(
        "thread_timer_expired",
        options::misspelt_expired,
        "another spelling of timer_expired_backup",
    ),
    Keyword::leaf(
        "timer_expired_backup",
        options::expired_backup,
        "a late timer makes it backup",
    ),
    Keyword::values(
        "track_bfd",
        options::track_bfd,
        "BFD sessions that change the priority",
    ),
    Keyword::values(
        "track_file",
        options::track_file,
        "files that change the priority",
    ),
    Keyword::values(
        "track_interface",
        options::track_interface,
        "interfaces that change the priority",
    ),
    Keyword::values(
        "track_process",
        options::track_process,
        "processes that change the priority",
    ),
    Keyword::values(
        "track_script",
        options::track_script,
        "scripts that change the priority",
    ),
    Keyword::leaf(
        "track_src_ip",
        options::flag,
        "without its source address it is faulty",
    ),
    Keyword::leaf(
        "unicast_fault_no_peer",
        options::flag,
        "without peers it is faulty",
    ),
    Keyword {
        name: "unicast_peer",
        form: Form::NamedValues {
            open: options::unicast_open,
            line: options::unicast_peer,
            close: None,
        },
        doc: "whom adverts go to",
    },
    Keyword::leaf("unicast_src_ip", options::source, "where adverts come from"),
    Keyword::leaf(
        "unicast_ttl",
        options::unicast_ttl,
        "TTL of adverts to peers",
    ),
    Keyword::leaf(
        "use_ipvlan",
        vmac::use_ipvlan,
        "it runs on an ipvlan interface",
    ),
    Keyword::leaf(
        "use_vmac",
        vmac::use_vmac,
        "it runs on an interface with the virtual MAC address",
    ),
    Keyword::leaf(
        "use_vmac_addr",
        options::flag,
        "so do addresses on other interfaces",
    ),
    Keyword::leaf(
        "v3_checksum_as_v2",
        options::boolean,
        "checksum of version 3 without pseudo header",
    ),
    Keyword::leaf("version", options::version, "2 or 3"),
    Keyword {
        name: "virtual_ipaddress",
        form: Form::Values {
            line: address::virtual_ipaddress,
        },
        doc: "the addresses of the virtual router",
    },
    Keyword::values(
        "virtual_ipaddress_excluded",
        options::excluded,
        "addresses that are not in adverts",
    ),
    Keyword {
        name: "virtual_router_id",
        form: Form::Leaf(instance::virtual_router_id),
        doc: "1 to 255",
    },
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
    Keyword::leaf(
        "vmac_xmit_base",
        options::flag,
        "adverts leave through the base interface",
    ),
    Keyword::leaf("vrf", options::vrf, "the VRF where no interface is named"),
];

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

pub(super) static SIGNING: &[Keyword] = &[
    Keyword::leaf("active_key", signing::active_key, "the key that signs"),
    Keyword::leaf(
        "anti_replay",
        signing::anti_replay,
        "how repeated adverts are told from new ones",
    ),
    Keyword::leaf("key", signing::key, "a key to sign and verify with"),
    Keyword::leaf(
        "mode",
        signing::mode,
        "what is done with adverts without a signature",
    ),
    Keyword::leaf(
        "time_window",
        signing::time_window,
        "how old a signature may be, in seconds",
    ),
];

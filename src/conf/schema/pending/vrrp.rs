//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{bfd, daemon, links, options, sync_group, tracker};
use super::super::{Form, Keyword, Level};

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
    Keyword::block(
        "track_file",
        tracker::file_open,
        Level::TrackFile,
        Some(tracker::file_close),
        "a file whose value changes priorities",
    ),
    Keyword::leaf(
        "use_pid_dir",
        daemon::setting,
        "place pid files under RUN/keepalived/",
    ),
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

pub(super) static SYNC_GROUP: &[Keyword] = &[
    Keyword::leaf(
        "global_tracking",
        sync_group::weights_apply,
        "older name of sync_group_tracking_weight",
    ),
    Keyword {
        name: "group",
        form: Form::NamedValues {
            open: sync_group::group_open,
            line: sync_group::members,
            close: Some(sync_group::group_close),
        },
        doc: "names of the instances",
    },
    Keyword::leaf(
        "notify",
        sync_group::notify,
        "script at every change of state",
    ),
    Keyword::leaf(
        "notify_backup",
        sync_group::notify,
        "script on becoming backup",
    ),
    Keyword::leaf("notify_fault", sync_group::notify, "script on a fault"),
    Keyword::leaf(
        "notify_master",
        sync_group::notify,
        "script on becoming master",
    ),
    Keyword::leaf(
        "notify_priority_changes",
        sync_group::priority_changes,
        "changes of priorities are told",
    ),
    Keyword::leaf("notify_stop", sync_group::notify, "script at the stop"),
    Keyword::leaf(
        "smtp_alert",
        sync_group::smtp_alert,
        "a mail at every change of state",
    ),
    Keyword::leaf(
        "sync_group_tracking_weight",
        sync_group::weights_apply,
        "weights of trackers hold in the group too",
    ),
    Keyword::values(
        "track_bfd",
        sync_group::track_bfd,
        "BFD sessions that change the priority",
    ),
    Keyword::values(
        "track_file",
        sync_group::track_file,
        "files that change the priority",
    ),
    Keyword::values(
        "track_interface",
        sync_group::track_interface,
        "interfaces that change the priority",
    ),
    Keyword::values(
        "track_process",
        sync_group::track_process,
        "processes that change the priority",
    ),
    Keyword::values(
        "track_script",
        sync_group::track_script,
        "scripts that change the priority",
    ),
];

pub(super) static TRACK_SCRIPT: &[Keyword] = &[
    Keyword::leaf("fall", tracker::fall, "failures until it is down"),
    Keyword::leaf("init_fail", tracker::init_fail, "down before its first run"),
    Keyword::leaf("interval", tracker::interval, "seconds from run to run"),
    Keyword::leaf("rise", tracker::rise, "successes until it is up"),
    Keyword::leaf("script", tracker::script, "the command"),
    Keyword::leaf("timeout", tracker::timeout, "seconds until it is killed"),
    Keyword::leaf("user", tracker::script_user, "whom it runs as"),
    Keyword::leaf(
        "weight",
        tracker::script_weight,
        "what it adds to the priority",
    ),
];

pub(super) static TRACK_PROCESS: &[Keyword] = &[
    Keyword::leaf("delay", tracker::delays, "both delays"),
    Keyword::leaf("fork_delay", tracker::delays, "seconds until a gain counts"),
    Keyword::leaf(
        "full_command",
        tracker::full_command,
        "the command line is compared",
    ),
    Keyword::leaf(
        "param_match",
        tracker::param_match,
        "how arguments are compared",
    ),
    Keyword::leaf("process", tracker::process, "the program and its arguments"),
    Keyword::leaf("quorum", tracker::quorum, "how many have to run"),
    Keyword::leaf("quorum_max", tracker::quorum_max, "how many may run"),
    Keyword::leaf(
        "terminate_delay",
        tracker::delays,
        "seconds until a loss counts",
    ),
    Keyword::leaf(
        "weight",
        tracker::process_weight,
        "what it adds to the priority",
    ),
];

pub(super) static TRACK_FILE: &[Keyword] = &[
    Keyword::leaf("file", tracker::file, "the file"),
    Keyword::leaf("init_file", tracker::init_file, "written at the start"),
    Keyword::leaf(
        "weight",
        tracker::file_weight,
        "what its value is multiplied with",
    ),
];

//! Rows of `vrrp_sync_group` and of trackers.
//!
//! Owns: the tables. Driven by: `schema::find`.

use super::super::bind::{sync_group, tracker};
use super::{Form, Keyword};

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

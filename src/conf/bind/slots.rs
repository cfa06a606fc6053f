//! Which field a keyword of the daemon as a whole sets, and what it takes.
//!
//! Owns: the table of keywords with one plain value: the field, the range, and keepalived's words
//! about anything else. Never does: read a line (`daemon` does). Driven by: `daemon::setting`.

use std::path::PathBuf;

use super::super::model::{
    Buffers, Checks, Dbus, Dumps, Fifos, Firewall, Global, Interfaces, Lvs, Mail, OnOff, Process,
    Reloading, Scheduling, Scripts, Snmp, VrrpDefaults,
};
use crate::base::Duration;

/// What a keyword takes, and where it goes. In a text `{}` is the word, `{k}` the keyword; an empty
/// text: nothing is said of a bad value.
pub(in super::super) enum Slot<'g> {
    /// Nothing; what follows does not matter.
    Flag(&'g mut bool),
    /// The same for two fields at once.
    Flags(&'g mut bool, &'g mut bool),
    /// A boolean; the text is about anything else.
    Switch(&'g mut bool, &'static str),
    /// A boolean that makes a difference when it is not given.
    Choice(&'g mut Option<bool>, &'static str),
    /// A word, without which reading ends.
    Needed(&'g mut Option<String>),
    /// A path, without which reading ends.
    NeededPath(&'g mut Option<PathBuf>),
    /// A word; the text is about there being none.
    Word(&'g mut Option<String>, &'static str),
    /// A path; the text is about there being none.
    Path(&'g mut Option<PathBuf>, &'static str),
    /// A word or none.
    Name(&'g mut Option<String>),
    /// A word or none; the keyword alone means something too.
    Optional(&'g mut OnOff),
    /// A number in a range; the text is about anything else.
    Number(&'g mut i32, i32, i32, &'static str),
    /// A number in a range that makes a difference when it is not given.
    Chosen(&'g mut Option<i32>, i32, i32, &'static str),
    /// A number without sign.
    Unsigned(&'g mut u32, u32, u32, &'static str),
    /// A number without sign that makes a difference when it is not given.
    Size(&'g mut Option<u32>, u32, u32, &'static str),
    /// A number that fits a byte.
    Small(&'g mut u8, u8, u8, &'static str),
    /// Whole seconds in a range.
    WholeSeconds(&'g mut Duration, u32, u32, &'static str),
    /// Whole microseconds in a range.
    Micros(&'g mut Duration, u32, u32, &'static str),
    /// Seconds in a range, in microseconds.
    Seconds(&'g mut Duration, u64, u64, &'static str),
    /// Seconds in a range that make a difference when they are not given.
    Interval(&'g mut Option<Duration>, u64, u64, &'static str),
}

impl Slot<'_> {
    /// What a name or path was set to before.
    pub(super) fn first(&self) -> Option<String> {
        match self {
            Self::Needed(field) | Self::Word(field, _) | Self::Name(field) => (*field).clone(),
            Self::NeededPath(field) | Self::Path(field, _) => {
                let path = field.as_ref()?;
                Some(path.to_string_lossy().into_owned())
            }
            Self::Optional(OnOff::On) => Some(String::new()),
            Self::Optional(OnOff::Named(name)) => Some(name.clone()),
            Self::Optional(OnOff::Off)
            | Self::Flag(_)
            | Self::Flags(..)
            | Self::Switch(..)
            | Self::Choice(..)
            | Self::Number(..)
            | Self::Chosen(..)
            | Self::Unsigned(..)
            | Self::Size(..)
            | Self::Small(..)
            | Self::WholeSeconds(..)
            | Self::Micros(..)
            | Self::Seconds(..)
            | Self::Interval(..) => None,
        }
    }
}

/// The most seconds that fit 32 bits of microseconds.
const MAX: u64 = 4_294_967_295;
/// Said of most booleans.
const GLOBAL: &str = "Invalid value '{}' for global {k} specified";
/// Said of others.
const PLAIN: &str = "Invalid value for {k} specified";

/// The slot of a keyword that has one.
pub(in super::super) fn slot<'g>(keyword: &str, global: &'g mut Global) -> Option<Slot<'g>> {
    let Global {
        router_id: _,
        process,
        mail,
        scripts,
        fifos,
        dumps,
        reload,
        vrrp,
        interfaces,
        firewall,
        checks,
        lvs,
        snmp,
        dbus,
        buffers,
    } = global;
    of_vrrp(keyword, vrrp)
        .or_else(|| of_process(keyword, process))
        .or_else(|| of_mail(keyword, mail))
        .or_else(|| of_scripts(keyword, scripts))
        .or_else(|| of_fifos(keyword, fifos))
        .or_else(|| of_dumps(keyword, dumps))
        .or_else(|| of_reload(keyword, reload))
        .or_else(|| of_interfaces(keyword, interfaces))
        .or_else(|| of_firewall(keyword, firewall))
        .or_else(|| of_checks(keyword, checks))
        .or_else(|| of_lvs(keyword, lvs))
        .or_else(|| of_snmp(keyword, snmp))
        .or_else(|| of_dbus(keyword, dbus))
        .or_else(|| of_buffers(keyword, buffers))
}

fn of_vrrp<'g>(keyword: &str, vrrp: &'g mut VrrpDefaults) -> Option<Slot<'g>> {
    const BAD: &str = "{k} '{}' is invalid";
    Some(match keyword {
        "vrrp_min_garp" => Slot::Switch(&mut vrrp.min_garp, PLAIN),
        "vrrp_lower_prio_no_advert" => Slot::Switch(&mut vrrp.lower_no_advert, PLAIN),
        "vrrp_higher_prio_send_advert" => Slot::Switch(&mut vrrp.higher_send_advert, PLAIN),
        "vrrp_owner_ignore_adverts" => Slot::Switch(
            &mut vrrp.owner_ignores,
            // keepalived mixes these two up.
            "Invalid value '{k}' for global {} specified",
        ),
        "vrrp_skip_check_adv_addr" => Slot::Switch(
            &mut vrrp.skip_address_check,
            "Invalid value '{}' for global vrrp_check_adv_addr specified",
        ),
        "vrrp_strict" => Slot::Switch(&mut vrrp.strict, GLOBAL),
        "vrrp_check_unicast_src" => Slot::Flag(&mut vrrp.check_unicast_source),
        "v3_checksum_as_v2" => Slot::Flag(&mut vrrp.old_checksum_v3),
        "log_unknown_vrids" => Slot::Flag(&mut vrrp.log_unknown_vrids),
        "vrrp_down_timer_adverts" => Slot::Small(
            &mut vrrp.down_timer_adverts,
            1,
            100,
            "Invalid {k} [1:100] '{}'",
        ),
        "vrrp_rx_bufs_multiplier" => {
            Slot::Unsigned(&mut vrrp.receive_multiplier, 1, u32::MAX, "Invalid {k} {}")
        }
        "vrrp_garp_interval" => Slot::Seconds(&mut vrrp.garp_interval, 1, MAX, BAD),
        "vrrp_gna_interval" => Slot::Seconds(&mut vrrp.gna_interval, 1, MAX, BAD),
        "vrrp_startup_delay" => Slot::Seconds(&mut vrrp.startup_delay, 1000, MAX, BAD),
        "vrrp_delay_after_boot" => Slot::Seconds(&mut vrrp.delay_after_boot, 1000, MAX, BAD),
        "vmac_prefix" => Slot::Needed(&mut vrrp.vmac_prefix),
        "vmac_addr_prefix" => Slot::Needed(&mut vrrp.vmac_address_prefix),
        _ => return None,
    })
}

fn of_process<'g>(keyword: &str, process: &'g mut Process) -> Option<Slot<'g>> {
    const NAMELESS: &str = "{k} name missing - ignoring";
    const DELAY: &str = "{k} '{}' must be in [1, 10000000] - ignoring";
    Some(match keyword {
        "instance" => Slot::Word(&mut process.instance, NAMELESS),
        "net_namespace" => Slot::Word(&mut process.net_namespace, NAMELESS),
        "net_namespace_ipvs" => Slot::Optional(&mut process.net_namespace_ipvs),
        "namespace_with_ipsets" => Slot::Flag(&mut process.namespace_with_ipsets),
        "use_pid_dir" => Slot::Flag(&mut process.pid_directory),
        "process_names" => Slot::Flag(&mut process.own_names),
        "child_wait_time" => {
            Slot::WholeSeconds(&mut process.child_wait, 0, u32::MAX, "Invalid {k} {}")
        }
        "min_auto_priority_delay" => {
            Slot::Micros(&mut process.min_auto_priority_delay, 1, 10_000_000, DELAY)
        }
        "random_seed" => Slot::Size(&mut process.random_seed, 0, u32::MAX, "{k} {} invalid"),
        "tmp_config_directory" => Slot::Path(
            &mut process.config_directory,
            "tmp_config_directory missing directory name",
        ),
        _ => return of_scheduling(keyword, process),
    })
}

fn of_scheduling<'g>(keyword: &str, process: &'g mut Process) -> Option<Slot<'g>> {
    const NICE: [&str; 3] = [
        "Invalid vrrp process priority specified",
        "Invalid checker process priority specified",
        "Invalid bfd process priority specified",
    ];
    const LIMIT: [&str; 3] = [
        "Invalid vrrp real-time limit - {}",
        "Invalid checker real-time limit - {}",
        "Invalid bfd real-time limit - {}",
    ];
    let (which, setting) = keyword.split_once('_')?;
    let (scheduling, index): (&mut Scheduling, _) = match which {
        "vrrp" => (&mut process.vrrp, 0),
        "checker" => (&mut process.checker, 1),
        "bfd" => (&mut process.bfd, 2),
        _ => return None,
    };
    Some(match setting {
        "no_swap" => Slot::Flag(&mut scheduling.no_swap),
        "priority" => Slot::Chosen(&mut scheduling.nice, -20, 19, NICE[index]),
        "rlimit_rttime" | "rlimit_rtime" => Slot::Size(
            &mut scheduling.realtime_limit_micros,
            1,
            u32::MAX,
            LIMIT[index],
        ),
        _ => return None,
    })
}

fn of_mail<'g>(keyword: &str, mail: &'g mut Mail) -> Option<Slot<'g>> {
    Some(match keyword {
        "smtp_alert" => Slot::Choice(&mut mail.alert, GLOBAL),
        "smtp_alert_vrrp" => Slot::Choice(&mut mail.alert_vrrp, GLOBAL),
        "smtp_alert_checker" => Slot::Choice(&mut mail.alert_checker, GLOBAL),
        "smtp_helo_name" => Slot::Name(&mut mail.helo_name),
        "notification_email_from" => Slot::Word(&mut mail.from, "emailfrom missing - ignoring"),
        "no_email_faults" => Slot::Flag(&mut mail.no_faults),
        "no_checker_emails" => Slot::Switch(&mut mail.no_checkers, GLOBAL),
        _ => return None,
    })
}

fn of_scripts<'g>(keyword: &str, scripts: &'g mut Scripts) -> Option<Slot<'g>> {
    const RANGE: &str = "{k} '{}' must be in [1, 1000] - ignoring";
    Some(match keyword {
        "use_symlink_paths" => Slot::Switch(
            &mut scripts.keep_symlinks,
            "Invalid value '{}' for global use_symlink_path specified",
        ),
        "set_supplementary_groups" => Slot::Switch(&mut scripts.supplementary_groups, GLOBAL),
        "startup_script_timeout" => {
            Slot::WholeSeconds(&mut scripts.startup_timeout, 1, 1000, RANGE)
        }
        "shutdown_script_timeout" => {
            Slot::WholeSeconds(&mut scripts.shutdown_timeout, 1, 1000, RANGE)
        }
        _ => return None,
    })
}

fn of_fifos<'g>(keyword: &str, fifos: &'g mut Fifos) -> Option<Slot<'g>> {
    Some(match keyword {
        "vrrp_notify_priority_changes" => Slot::Switch(&mut fifos.priority_changes, GLOBAL),
        "fifo_write_vrrp_states_on_reload" => Slot::Flag(&mut fifos.states_on_reload),
        _ => return None,
    })
}

fn of_dumps<'g>(keyword: &str, dumps: &'g mut Dumps) -> Option<Slot<'g>> {
    // keepalived spells the name like this.
    const BAD: &str = "Invalid value '{}' for global date_use_instance specified";
    Some(match keyword {
        "data_use_instance" => Slot::Switch(&mut dumps.with_instance, BAD),
        "config_save_dir" => Slot::NeededPath(&mut dumps.configurations),
        "state_dump_file" => Slot::NeededPath(&mut dumps.state),
        "stats_dump_file" => Slot::NeededPath(&mut dumps.stats),
        "json_dump_file" => Slot::NeededPath(&mut dumps.json),
        _ => return None,
    })
}

fn of_reload<'g>(keyword: &str, reload: &'g mut Reloading) -> Option<Slot<'g>> {
    Some(match keyword {
        "reload_time_file" => Slot::Path(&mut reload.time_file, "reload_time_file invalid"),
        "reload_repeat" => Slot::Flag(&mut reload.repeat),
        "reload_check_config" => Slot::Optional(&mut reload.check),
        "reload_file" => Slot::Optional(&mut reload.file),
        _ => return None,
    })
}

fn of_interfaces<'g>(keyword: &str, interfaces: &'g mut Interfaces) -> Option<Slot<'g>> {
    const NAMELESS: &str = "default_interface requires interface name";
    Some(match keyword {
        "default_interface" => Slot::Word(&mut interfaces.default, NAMELESS),
        "iproute_usr_dir" => Slot::NeededPath(&mut interfaces.iproute_usr),
        "iproute_etc_dir" => Slot::NeededPath(&mut interfaces.iproute_etc),
        "disable_local_igmp" => Slot::Flag(&mut interfaces.no_local_igmp),
        "linkbeat_use_polling" => Slot::Flag(&mut interfaces.poll_links),
        _ => return None,
    })
}

fn of_firewall<'g>(keyword: &str, firewall: &'g mut Firewall) -> Option<Slot<'g>> {
    const PRIORITY: &str = "invalid nftables chain priority '{}'";
    const IPVS_PRIORITY: &str = "invalid ipvs nftables chain priority '{}'";
    const MARK: &str = "invalid ipvs nftables start_fwmark priority '{}'";
    Some(match keyword {
        "nftables" => Slot::Optional(&mut firewall.nftables),
        "nftables_priority" => Slot::Number(&mut firewall.priority, i32::MIN, i32::MAX, PRIORITY),
        "nftables_ifindex" => Slot::Flag(&mut firewall.by_index),
        "nftables_counters" => Slot::Flag(&mut firewall.counters),
        "nftables_ipvs" => Slot::Optional(&mut firewall.ipvs),
        "nftables_ipvs_priority" => Slot::Number(
            &mut firewall.ipvs_priority,
            i32::MIN,
            i32::MAX,
            IPVS_PRIORITY,
        ),
        "nftables_ipvs_start_fwmark" => {
            Slot::Unsigned(&mut firewall.ipvs_first_mark, 1, u32::MAX, MARK)
        }
        _ => return None,
    })
}

fn of_checks<'g>(keyword: &str, checks: &'g mut Checks) -> Option<Slot<'g>> {
    Some(match keyword {
        "checker_log_all_failures" => Slot::Switch(&mut checks.log_all_failures, PLAIN),
        "rs_init_notifies" => Slot::Switch(&mut checks.notify_initial, GLOBAL),
        _ => return None,
    })
}

fn of_lvs<'g>(keyword: &str, lvs: &'g mut Lvs) -> Option<Slot<'g>> {
    Some(match keyword {
        "lvs_flush" => Slot::Flag(&mut lvs.flush),
        "lvs_no_repair" => Slot::Flag(&mut lvs.no_repair),
        _ => return None,
    })
}

fn of_snmp<'g>(keyword: &str, snmp: &'g mut Snmp) -> Option<Slot<'g>> {
    const SOCKET: &str = "SNMP error : snmp socket name missing";
    const BAD: &str = "snmp stats vs update interval '{}' invalid - ignoring";
    /// From a millisecond to half a minute, in microseconds.
    const MIN: u64 = 1000;
    const MAX: u64 = 30_000_000;
    Some(match keyword {
        "snmp_socket" => Slot::Word(&mut snmp.socket, SOCKET),
        "snmp_vs_stats_update_interval" => Slot::Interval(&mut snmp.service_figures, MIN, MAX, BAD),
        "snmp_rs_stats_update_interval" => Slot::Interval(&mut snmp.server_figures, MIN, MAX, BAD),
        "enable_traps" => Slot::Flag(&mut snmp.traps),
        "enable_snmp_vrrp" | "enable_snmp_keepalived" => Slot::Flag(&mut snmp.vrrp),
        "enable_snmp_checker" => Slot::Flag(&mut snmp.checker),
        "enable_snmp_rfc" => Slot::Flags(&mut snmp.rfc2787, &mut snmp.rfc6527),
        "enable_snmp_rfcv2" => Slot::Flag(&mut snmp.rfc2787),
        "enable_snmp_rfcv3" => Slot::Flag(&mut snmp.rfc6527),
        _ => return None,
    })
}

fn of_dbus<'g>(keyword: &str, dbus: &'g mut Dbus) -> Option<Slot<'g>> {
    const NAMELESS: &str = "{k} missing - ignoring";
    Some(match keyword {
        "enable_dbus" => Slot::Flag(&mut dbus.enabled),
        "dbus_service_name" => Slot::Word(&mut dbus.service, NAMELESS),
        "dbus_no_interface_name" => Slot::Word(&mut dbus.no_interface, NAMELESS),
        _ => return None,
    })
}

fn of_buffers<'g>(keyword: &str, buffers: &'g mut Buffers) -> Option<Slot<'g>> {
    const SIZE: &str = "{k} size ({}) invalid";
    let (name, force) = match keyword.strip_suffix("_force") {
        Some(name) => (name, true),
        None => (keyword, false),
    };
    let buffer = match name {
        "vrrp_netlink_cmd_rcv_bufs" => &mut buffers.vrrp_command,
        "vrrp_netlink_monitor_rcv_bufs" => &mut buffers.vrrp_monitor,
        "lvs_netlink_cmd_rcv_bufs" => &mut buffers.lvs_command,
        "lvs_netlink_monitor_rcv_bufs" => &mut buffers.lvs_monitor,
        "process_monitor_rcv_bufs" => &mut buffers.processes,
        _ => return None,
    };
    Some(if force {
        Slot::Switch(&mut buffer.force, GLOBAL)
    } else {
        Slot::Size(&mut buffer.bytes, 0, u32::MAX, SIZE)
    })
}

/// What keepalived says of a keyword without its word, where it does not stop reading.
pub(super) fn missing(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "startup_script_timeout" | "shutdown_script_timeout" => "{k} requires value",
        "min_auto_priority_delay" => "min_auto_priority_delay requires delay time",
        "iproute_usr_dir" | "iproute_etc_dir" => "{k} requires path",
        "state_dump_file" | "stats_dump_file" | "json_dump_file" => "{k} requires a non-empty path",
        "instance" | "net_namespace" => "{k} name missing - ignoring",
        "vrrp_priority" => "No vrrp process priority specified",
        "checker_priority" => "No checker process priority specified",
        "bfd_priority" => "No bfd process priority specified",
        "vrrp_netlink_cmd_rcv_bufs"
        | "vrrp_netlink_monitor_rcv_bufs"
        | "lvs_netlink_cmd_rcv_bufs"
        | "lvs_netlink_monitor_rcv_bufs"
        | "process_monitor_rcv_bufs" => "{k} size missing",
        "vrrp_rx_bufs_multiplier" => "Invalid vrrp_rx_bufs_multiplier",
        _ => return None,
    })
}

/// What keepalived says of more than one word, where it minds.
pub(super) fn too_many(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "vrrp_rx_bufs_multiplier" => "Invalid vrrp_rx_bufs_multiplier",
        "snmp_socket" => "Too many parameters specified for snmp_socket - ignoring",
        "reload_time_file" => "reload_time_file invalid",
        _ => return None,
    })
}

/// What keepalived says of a keyword that comes again, where the first one counts; `{}` is the
/// second one's word, `{o}` the first one's.
pub(super) fn again(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "nftables" => "nftables already specified - ignoring",
        "nftables_ipvs" => "ipvs nftables already specified - ignoring",
        "snmp_socket" => "SNMP socket already set to {o} - ignoring",
        "vmac_prefix" => "vmac prefix has already been specified - ignoring {}",
        "vmac_addr_prefix" => "vmac_addr prefix has already been specified - ignoring {}",
        "tmp_config_directory" => "tmp_config_directory already specified - ignoring",
        "net_namespace" | "net_namespace_ipvs" | "instance" => {
            "Duplicate {k} definition {} - ignoring"
        }
        _ => return None,
    })
}

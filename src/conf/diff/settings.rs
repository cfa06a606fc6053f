//! How far changes of the settings of the daemon as a whole reach.
//!
//! Owns: a row for each field of each group of [`Global`]. Never does: compare groups of which
//! somebody keeps a copy (instances and checks carry what they took over). Driven by: `conf::diff`.

use super::super::model::plan::Change;
use super::super::model::{
    Buffers, Checks, Dbus, Dumps, Fifos, Firewall, Global, Interfaces, Lvs, Mail, Process,
    Reloading, Scripts, Snmp, VrrpDefaults,
};
use super::{Reach, Row, of};

/// Rows of fields, by how far they reach.
macro_rules! rows {
    ($($change:ident: $($field:ident)+;)+) => {
        &[$($(Row {
            field: stringify!($field),
            reach: Reach::Changes(|old, new| old.$field != new.$field, Change::$change),
        },)+)+]
    };
}

/// Names and scheduling are taken on at a reload; what was made with the process stays.
static PROCESS: &[Row<Process>] = rows![
    Live: child_wait own_names name vrrp checker bfd max_auto_priority min_auto_priority_delay
        umask random_seed;
    Restart: instance net_namespace net_namespace_ipvs namespace_with_ipsets pid_directory
        config_directory;
];
static MAIL: &[Row<Mail>] = rows![
    Live: to from server port helo_name connect_timeout alert alert_vrrp alert_checker no_faults
        no_checkers;
];
/// The startup script has run.
static SCRIPTS: &[Row<Scripts>] = rows![
    Live: security user group supplementary_groups keep_symlinks shutdown shutdown_timeout startup
        startup_timeout;
];
static FIFOS: &[Row<Fifos>] = rows![
    Live: priority_changes states_on_reload;
    Reopen: all vrrp lvs;
];
static DUMPS: &[Row<Dumps>] = rows![
    Live: state stats json json_version with_instance configurations;
];
static RELOADING: &[Row<Reloading>] = rows![
    Live: check repeat file;
    Reopen: time_file;
];
/// What an instance takes over stands in the instance, and reaches as far as there.
static VRRP: &[Row<VrrpDefaults>] = rows![
    Live: version strict group4 group6 garp garp_interval gna_interval min_garp extra_garp
        down_timer_adverts lower_no_advert higher_send_advert owner_ignores check_unicast_source
        skip_address_check old_checksum_v3 log_unknown_vrids vmac_prefix vmac_address_prefix
        startup_delay delay_after_boot receive_policy receive_multiplier;
];
static INTERFACES: &[Row<Interfaces>] = rows![
    Live: dynamic default iproute_usr iproute_etc;
    Reopen: poll_links;
    Restart: no_local_igmp;
];
static FIREWALL: &[Row<Firewall>] = rows![
    Reopen: priority by_index counters;
    Restart: nftables ipvs ipvs_priority ipvs_first_mark;
];
static CHECKS: &[Row<Checks>] = rows![
    Live: log_all_failures notify_initial;
];
static LVS: &[Row<Lvs>] = rows![
    Live: flush no_repair flush_on_stop timeouts;
    Reopen: sync_daemon;
];
static SNMP: &[Row<Snmp>] = rows![
    Live: traps service_figures server_figures;
    Reopen: socket vrrp checker rfc2787 rfc6527;
];
static DBUS: &[Row<Dbus>] = rows![
    Reopen: enabled service no_interface;
];
static BUFFERS: &[Row<Buffers>] = rows![
    Reopen: vrrp_command vrrp_monitor lvs_command lvs_monitor processes;
];

/// The rows of the groups themselves: each reaches as far as its fields.
static GLOBAL: &[Row<Global>] = rows![
    Live: router_id process mail scripts fifos dumps reload vrrp interfaces firewall checks lvs
        snmp dbus buffers;
];

/// The fields that differ and hold only from the next start.
pub(super) fn restarts(old: &Global, new: &Global) -> Vec<(&'static str, &'static str)> {
    fn differ<T>(
        object: &'static str,
        table: &'static [Row<T>],
        old: &T,
        new: &T,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        table.iter().filter_map(move |row| match row.reach {
            Reach::Changes(differs, Change::Restart) if differs(old, new) => {
                Some((object, row.field))
            }
            Reach::Changes(..) | Reach::Identity => None,
        })
    }
    let process = differ("process", PROCESS, &old.process, &new.process);
    let interfaces = differ("interfaces", INTERFACES, &old.interfaces, &new.interfaces);
    let firewall = differ("firewall", FIREWALL, &old.firewall, &new.firewall);
    process.chain(interfaces).chain(firewall).collect()
}

/// The fields that have a row.
pub(super) fn fields() -> Vec<(&'static str, &'static str)> {
    [
        of("Global", GLOBAL),
        of("Process", PROCESS),
        of("Mail", MAIL),
        of("Scripts", SCRIPTS),
        of("Fifos", FIFOS),
        of("Dumps", DUMPS),
        of("Reloading", RELOADING),
        of("VrrpDefaults", VRRP),
        of("Interfaces", INTERFACES),
        of("Firewall", FIREWALL),
        of("Checks", CHECKS),
        of("Lvs", LVS),
        of("Snmp", SNMP),
        of("Dbus", DBUS),
        of("Buffers", BUFFERS),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    // Input: a change of what is fixed at the start, and one of what is not. Output: the first.
    #[test]
    fn what_holds_from_the_next_start_is_named() {
        let old = Global::default();
        let mut new = old.clone();
        new.process.net_namespace = Some("blue".to_owned());
        new.process.child_wait = Duration::from_secs(9);
        assert_eq!(restarts(&old, &new), [("process", "net_namespace")]);
        assert_eq!(restarts(&new, &new), []);
    }

    // Input: the tables without a field that needs a restart. Output: there is none, so that
    // `restarts` may leave them out.
    #[test]
    fn only_three_groups_need_a_restart() {
        fn restarts<T>(table: &[Row<T>]) -> bool {
            let needs = |row: &Row<T>| matches!(row.reach, Reach::Changes(_, Change::Restart));
            table.iter().any(needs)
        }
        assert!(restarts(PROCESS) && restarts(INTERFACES) && restarts(FIREWALL));
        assert!(!restarts(MAIL) && !restarts(SCRIPTS) && !restarts(FIFOS) && !restarts(DUMPS));
        assert!(!restarts(RELOADING) && !restarts(VRRP));
        assert!(!restarts(CHECKS) && !restarts(LVS) && !restarts(SNMP) && !restarts(DBUS));
        assert!(!restarts(BUFFERS) && !restarts(GLOBAL));
    }
}

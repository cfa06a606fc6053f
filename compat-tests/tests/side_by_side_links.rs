//! VMACs, accept mode and the firewall, ours beside the real daemon.
//!
//! Owns the comparison of what both leave in the kernel for the same configuration: links with
//! their settings, addresses, nftables, while master and after the stop. Needs root, both binaries
//! (KEEPALIVED_OURS, KEEPALIVED_REAL) and `nft`, else says `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use compat_tests::bed::{Host, Result, needs, needs_root, wait_until};
use compat_tests::routers::{PATIENCE, Segment, both_daemons};

/// What a configuration has made of the kernel.
#[derive(Debug, PartialEq, Eq)]
struct Kernel {
    /// Name, kind, state, MAC address of each link of the daemon's own.
    links: Vec<String>,
    addresses: Vec<String>,
    /// `interface setting value`
    settings: Vec<String>,
    rules: String,
}

fn daemons() -> Option<(PathBuf, PathBuf)> {
    if !needs_root() || !needs("nft") {
        return None;
    }
    both_daemons().map(|[ours, real]| (ours, real))
}

/// Link-local addresses of the host's own follow from MAC addresses that differ.
fn is_ours(line: &str) -> bool {
    !line.contains("fe80:") || line.contains("fe80::99")
}

fn kernel(host: &Host) -> Result<Kernel> {
    let shell = |line: &str| host.shell(line)?.stdout_if_ok(line);
    let links = shell(
        "ip -o -d link show type macvlan | sed -E 's/^[0-9]+: ([^@]+)@([^:]+): <([^>]*)>.*link\\/ether ([0-9a-f:]+).*(macvlan mode [a-z]+).*(addrgenmode [a-z0-9]+).*/\\1 \\2 \\3 \\4 \\5 \\6/'",
    )?;
    let addresses =
        shell("ip -o addr | sed -E 's/^[0-9]+: +//; s/ +/ /g; s/\\\\.*//; s/ proto keepalived//'")?;
    let settings = shell(
        "cd /proc/sys/net/ipv4/conf; for d in *; do for s in arp_ignore arp_filter accept_local rp_filter promote_secondaries; do echo $d $s $(cat $d/$s); done; done; cd ../../ipv6/conf; for d in *; do echo $d disable_ipv6 $(cat $d/disable_ipv6); done; echo reports $(cat ../../ipv4/igmp_link_local_mcast_reports)",
    )?;
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let mut addresses = lines(&addresses);
    addresses.retain(|line| is_ours(line));
    Ok(Kernel {
        links: lines(&links),
        addresses,
        settings: lines(&settings),
        rules: shell(
            "nft list tables | sort | while read -r table name; do nft list $table $name; done | sed -E 's/packets [0-9]+ bytes [0-9]+/N/'",
        )?,
    })
}

/// Lets the first router of a segment be master of `addresses`, then stops it.
fn trace(daemon: &Path, configuration: &str, last: &[&str]) -> Result<(Kernel, Kernel)> {
    let mut segment = Segment::new([daemon, daemon])?;
    let router = &mut segment.routers[0];
    router.host().shell(
        "for d in all default eth0; do echo 0 >/proc/sys/net/ipv6/conf/$d/disable_ipv6; done; ip addr add fe80::1/64 dev eth0 nodad",
    )?;
    router.configure(configuration)?;
    router.start()?;
    let all = |listed: &str| last.iter().all(|address| listed.contains(address));
    let there = wait_until(PATIENCE, "the addresses", || {
        let listed = router.host().must(&["ip", "-o", "addr"]);
        listed.is_ok_and(|listed| all(&listed))
    });
    there.unwrap_or_else(|error| panic!("{error}\n{}", router.log_tail()));
    let as_master = kernel(router.host())?;
    router.stop()?;
    let afterwards = kernel(router.host())?;
    Ok((as_master, afterwards))
}

fn instance(name: &str, vrid: u8, settings: &str, addresses: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n state MASTER\n interface eth0\n virtual_router_id {vrid}\n \
         priority 200\n{settings}\n virtual_ipaddress {{\n{addresses}\n }}\n}}\n"
    )
}

/// What differs by intent in `settings`: the real daemon leaves the interface below a VMAC as it
/// has set it, ours gives it its old values back.
fn compare(case: &str, configuration: &str, last: &[&str]) {
    let Some((ours, real)) = daemons() else {
        return;
    };
    let (ours, ours_after) = trace(&ours, configuration, last).unwrap();
    let (real, real_after) = trace(&real, configuration, last).unwrap();
    assert_eq!(ours, real, "{case}: as master");
    let but_settings = |kernel: Kernel| Kernel {
        settings: Vec::new(),
        ..kernel
    };
    assert!(
        ours_after.links.is_empty(),
        "{case}: {:?}",
        ours_after.links
    );
    for line in &ours_after.settings {
        assert!(
            !line.starts_with("eth0 arp_") || line.ends_with(" 0"),
            "{case}: {line}"
        );
    }
    assert_eq!(
        but_settings(ours_after),
        but_settings(real_after),
        "{case}: after the stop"
    );
}

/// Input: VMACs of version 2, version 3 and IPv6, one with a name, one that transmits by the
/// interface below. Output: the same links, settings, addresses and nftables.
#[test]
fn vmacs_are_made_and_removed_as_by_the_real_one() {
    let configuration = [
        instance("V1", 51, " use_vmac", " 10.1.0.100/16"),
        instance(
            "V2",
            52,
            " version 3\n use_vmac foo\n vmac_xmit_base",
            " 10.1.0.110",
        ),
        instance("V3", 52, " use_vmac", " fe80::99\n 2001:db8::5/64"),
    ]
    .concat();
    let addresses = ["10.1.0.100/16", "10.1.0.110/32", "2001:db8::5/64"];
    compare("VMACs", &configuration, &addresses);
}

/// Input: `no_accept` in both families, also on a VMAC. Output: the same table, which is gone
/// after the stop.
#[test]
fn traffic_is_kept_from_addresses_as_by_the_real_one() {
    let configuration = [
        instance("V1", 51, " no_accept", " 10.1.0.100\n 10.1.0.101"),
        instance(
            "V2",
            52,
            " version 3\n no_accept",
            " fe80::99\n 2001:db8::5/64",
        ),
    ]
    .concat();
    let addresses = ["10.1.0.100/32", "10.1.0.101/32", "2001:db8::5/64"];
    compare("no_accept", &configuration, &addresses);
}

/// Input: the same with a VMAC, a name of its own, another priority, and counters. Output: the same
/// table under that name.
#[test]
fn the_table_looks_as_configured() {
    let configuration = [
        "global_defs {\n nftables mine\n nftables_priority 7\n nftables_counters\n \
         nftables_ifindex\n}\n"
            .to_owned(),
        instance("V1", 51, " no_accept", " 10.1.0.100\n 10.1.0.101"),
        instance(
            "V2",
            52,
            " version 3\n use_vmac\n no_accept",
            " fe80::99\n 2001:db8::5/64",
        ),
    ]
    .concat();
    let addresses = ["10.1.0.100/32", "10.1.0.101/32", "2001:db8::5/64"];
    compare("nftables", &configuration, &addresses);
}

/// Input: `default_interface`, which stands below the address that needs it, `disable_local_igmp`,
/// receive buffers, and keywords of old releases. Output: the address is there, and reports of the
/// link's groups are off while the daemon runs, and need no rules.
#[test]
fn defaults_of_interfaces_hold_as_with_the_real_one() {
    let configuration = [
        "static_ipaddress {\n 10.9.9.9/32\n}\n".to_owned(),
        "global_defs {\n default_interface eth0\n disable_local_igmp\n \
         vrrp_netlink_cmd_rcv_bufs 100000\n vrrp_netlink_monitor_rcv_bufs 5000000\n \
         vrrp_netlink_monitor_rcv_bufs_force\n}\n"
            .to_owned(),
        instance("V1", 51, " use_vmac\n debug 2", " 10.1.0.100"),
    ]
    .concat();
    let addresses = ["10.1.0.100/32", "10.9.9.9/32"];
    compare("default_interface", &configuration, &addresses);
}

/// Input: `use_vmac` of single addresses, `use_vmac_addr`, with a prefix of names. Output: the same
/// links below the same addresses, which are gone after the stop. Settings and rules are not compared:
/// 2.2.7 leaves a VMAC out of the rules if its instance stands before all that have `use_vmac`, and
/// puts that of an IPv4 instance into those for IPv6 if it carries an IPv6 address.
#[test]
fn vmacs_of_addresses_are_made_and_removed_as_by_the_real_one() {
    let excluded = " virtual_ipaddress_excluded {\n 2001:db8::5/64 dev eth0 use_vmac\n }";
    let other_family =
        " use_vmac\n use_vmac_addr\n virtual_ipaddress_excluded {\n 2001:db8::6/64\n }";
    let configuration = [
        "global_defs {\n vmac_addr_prefix foo\n}\n".to_owned(),
        instance(
            "V1",
            51,
            excluded,
            " 10.1.0.100/16 use_vmac\n 10.1.0.101/16",
        ),
        instance("V2", 52, other_family, " 10.1.0.110"),
    ]
    .concat();
    let addresses = ["10.1.0.100/16", "10.1.0.110/32", "2001:db8::6/64"];
    let Some((ours, real)) = daemons() else {
        return;
    };
    let (ours, ours_after) = trace(&ours, &configuration, &addresses).unwrap();
    let (real, real_after) = trace(&real, &configuration, &addresses).unwrap();
    assert_eq!((ours.links, ours.addresses), (real.links, real.addresses));
    assert!(ours_after.links.is_empty(), "{:?}", ours_after.links);
    assert_eq!(ours_after.addresses, real_after.addresses);
    assert_eq!(ours_after.rules, real_after.rules);
}

//! Addresses, routes and rules, ours beside the real daemon.
//!
//! Owns the comparison of what `ip addr`, `ip route` and `ip rule` show while master, after a
//! reload and after the stop, for configurations that cover the options of those lines. Needs root
//! and both binaries (KEEPALIVED_OURS, KEEPALIVED_REAL), else says `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use compat_tests::bed::{Host, Result, needs_root, wait_until};
use compat_tests::routers::{PATIENCE, Segment, daemon_from};
use nix::sys::signal::{Signal, kill};

/// A configuration, what it becomes by a reload, and where the two daemons differ on purpose.
struct Case {
    name: &'static str,
    /// Lines of the instance.
    instance: &'static str,
    /// Lines outside of it.
    outside: &'static str,
    /// The same after a reload.
    reloaded: (&'static str, &'static str),
    /// Something of `ip addr`, `ip route` or `ip rule` that says that it is master, and that the
    /// reload is done.
    shows: [&'static str; 2],
    /// What the real daemon forgets to remove.
    left_by_the_real_one: &'static [&'static str],
}

fn daemons() -> Option<(PathBuf, PathBuf)> {
    if !needs_root() {
        return None;
    }
    match (
        daemon_from("KEEPALIVED_OURS"),
        daemon_from("KEEPALIVED_REAL"),
    ) {
        (Some(ours), Some(real)) => Some((ours, real)),
        _ => {
            println!("skipped: KEEPALIVED_OURS or KEEPALIVED_REAL is not set");
            None
        }
    }
}

/// Addresses, routes and rules, without what the kernel numbers or counts itself.
fn kernel(host: &Host) -> Result<Vec<String>> {
    let line = "ip -o addr | sed -E 's/^[0-9]+: +//; s/ +/ /g; s/ proto keepalived//; \
                s/ tentative//; s/(preferred_lft|valid_lft) [0-9]+sec/\\1 some/'; \
                for f in -4 -6; do ip $f -d route show table all | sed -E 's/expires [0-9]+sec/expires/; s/ +$//'; \
                ip $f -d rule; done";
    let text = host.shell(line)?.stdout_if_ok("ip")?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Link-local addresses of the host's own come when they like.
    lines.retain(|line| !line.contains("fe80:") && !line.contains("ff00::"));
    // Next hops stay below their route.
    let text = lines.join("\n").replace("\n\t", " ; ");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

fn configuration((instance, outside): (&str, &str)) -> String {
    format!(
        "{outside}\nvrrp_instance VI_1 {{\n state MASTER\n interface eth0\n virtual_router_id 51\n \
         priority 200\n{instance}\n}}\n"
    )
}

/// What the kernel shows as master, after the reload, and after the stop.
fn trace(daemon: &Path, case: &Case) -> Result<[Vec<String>; 3]> {
    let mut segment = Segment::dual_stack([daemon, daemon])?;
    let router = &mut segment.routers[0];
    router.host().ip_batch(
        "link add eth1 address 02:00:00:00:00:77 type veth peer name far1\nlink set far1 up\n\
         link set eth1 up\naddr add 10.2.0.1/24 dev eth1\naddr add fd02::1/64 dev eth1 nodad\n",
    )?;
    router.configure(&configuration((case.instance, case.outside)))?;
    router.start()?;
    let wait = |router: &compat_tests::routers::Router, shown: &str| -> Result<Vec<String>> {
        let mut last: Option<Vec<String>> = None;
        wait_until(PATIENCE, shown, || {
            let now = kernel(router.host()).unwrap_or_default();
            let there = now.iter().any(|line| line.contains(shown));
            // Twice the same: nothing is under way.
            let settled = there && last.as_ref() == Some(&now);
            last = Some(now);
            settled
        })
        .unwrap_or_else(|error| panic!("{}: {error}\n{}", case.name, router.log_tail()));
        Ok(last.unwrap_or_default())
    };
    let as_master = wait(router, case.shows[0])?;
    router.configure(&configuration(case.reloaded))?;
    let parent = router.parent().expect("it runs");
    kill(parent, Signal::SIGHUP).unwrap();
    let reloaded = wait(router, case.shows[1])?;
    router.stop()?;
    let stopped = kernel(router.host())?;
    Ok([as_master, reloaded, stopped])
}

fn compare(case: &Case) {
    let Some((ours, real)) = daemons() else {
        return;
    };
    let [ours, ours_reloaded, ours_stopped] = trace(&ours, case).unwrap();
    let [real, mut real_reloaded, mut real_stopped] = trace(&real, case).unwrap();
    assert_eq!(ours, real, "{}: as master", case.name);
    let forgotten = |line: &String| {
        let left = case.left_by_the_real_one.iter();
        left.clone().any(|left| line.contains(left))
    };
    real_reloaded.retain(|line| !forgotten(line));
    real_stopped.retain(|line| !forgotten(line));
    assert_eq!(
        ours_reloaded, real_reloaded,
        "{}: after the reload",
        case.name
    );
    assert_eq!(ours_stopped, real_stopped, "{}: after the stop", case.name);
}

/// Input: every option of an address, in both families, also of excluded ones and on another
/// interface. 2.2.7 forgets an address with a peer at the stop, and its routes.
#[test]
fn addresses_have_what_the_real_one_gives_them() {
    compare(&Case {
        name: "addresses",
        instance: " promote_secondaries\n virtual_ipaddress {\n  10.1.0.100/24\n  \
                   10.1.0.101 peer 10.9.9.9\n  10.1.0.102/24 noprefixroute home preferred_lft 1000\n  \
                   10.1.0.104/24 preferred_lft 0 mngtmpaddr\n  10.1.0.105/24 brd + scope link label eth0:x\n }\n \
                   virtual_ipaddress_excluded {\n  10.3.0.110/24 dev eth1\n  fd00::55/64\n  \
                   fd00::56/64 -nodad home noprefixroute\n  fd00::57/64 mngtmpaddr preferred_lft forever\n  \
                   fd00::58 preferred_lft 100\n  fd00::59 peer fd00::60\n  fd00::61 no_track\n }",
        outside: "",
        reloaded: (
            " virtual_ipaddress {\n  10.1.0.100/24\n  10.1.0.102/24 noprefixroute\n }\n \
             virtual_ipaddress_excluded {\n  fd00::55/64\n  fd00::62/64\n }",
            "",
        ),
        shows: ["fd00::61", "fd00::62"],
        left_by_the_real_one: &["10.9.9.9", "10.1.0.101"],
    });
}

/// Input: every kind of route and option that 2.2.7 knows and this kernel takes. Output: the same
/// tables. Routes of kind `local` and `broadcast` are left out: the real one asks for a scope that
/// the kernel refuses.
#[test]
fn routes_are_what_the_real_one_makes_of_them() {
    compare(&Case {
        name: "routes",
        instance: " virtual_ipaddress {\n  10.1.0.100/24\n }\n virtual_routes {\n  \
                   192.168.100.0/24 dev eth1\n  \
                   192.168.101.0/24 via 10.1.255.9 dev eth0 metric 5 table 100 tos 0x10 no_track protocol 4\n  \
                   192.168.102.0/24 via 10.1.255.9 dev eth0 mtu lock 1400 window 1000 rtt 300ms rttvar 250ms \
                   ssthresh 5 cwnd 7 advmss 900 reordering 4 hoplimit 60 initcwnd 8 features ecn rto_min 210ms \
                   initrwnd 6 quickack 1 congctl lock cubic realms 3/4\n  \
                   192.168.103.0/24 nexthop via 10.1.255.9 dev eth0 weight 2 onlink realms 5 nexthop via 10.1.255.8 dev eth0\n  \
                   unreachable 192.168.104.0/24\n  prohibit 192.168.105.0/24 metric 7\n  \
                   throw 192.168.106.0/24 table 1000\n  multicast 239.1.1.0/24 dev eth0\n  \
                   192.168.109.0/24 via 172.16.0.1 dev eth0 onlink\n  append 192.168.110.0/24 via 10.1.255.9 dev eth0\n  \
                   192.168.111.7 dev eth0 scope link\n  fd01::/64 via fd00::9 dev eth0 pref high expires 600\n  \
                   fd01:1::/64 dev eth0 metric 33 src fd00::1\n  blackhole fd01:2::/64\n  \
                   fd01:3::/64 nexthop via fd00::9 dev eth0 nexthop via fd00::8 dev eth0 weight 3\n  \
                   fd01:4::/64 from fd07::/64 via fd00::9 dev eth0\n  default via 10.1.255.9 dev eth0 table 200\n  \
                   192.168.112.0/24 src 10.1.0.100 dev eth0\n  \
                   add 192.168.113.0/24 via 10.1.255.9 dev eth0 fastopen_no_cookie 1\n  \
                   192.168.114.0/24 via 10.1.255.9 dev eth0 ttl-propagate enabled\n }",
        outside: "",
        reloaded: (
            " virtual_ipaddress {\n  10.1.0.100/24\n }\n virtual_routes {\n  192.168.100.0/24 dev eth1\n  \
             192.168.102.0/24 via 10.1.255.8 dev eth0\n  fd01::/64 via fd00::9 dev eth0 pref low\n  \
             192.168.120.0/24 dev eth0\n }",
            "",
        ),
        shows: ["192.168.114.0/24", "192.168.120.0/24"],
        left_by_the_real_one: &[],
    });
}

/// Input: rules with every selector and action; static addresses, routes and rules beside them.
#[test]
fn rules_and_statics_are_what_the_real_one_makes_of_them() {
    compare(&Case {
        name: "rules and statics",
        instance: " virtual_ipaddress {\n  10.1.0.100/24\n }\n virtual_rules {\n  \
                   from 192.168.100.0/24 table 100 preference 600\n  to 192.168.200.0/24 lookup 100 preference 500\n  \
                   not from 192.168.100.0/24 to 192.168.200.0/24 tos 0x10 fwmark 5/0xff realms 3/4 iif eth0 oif eth1 table 1001 preference 501\n  \
                   from 192.168.100.0/24 goto 600 preference 502\n  from 192.168.101.0/24 nop preference 503\n  \
                   from 192.168.102.0/24 blackhole preference 504\n  from 192.168.103.0/24 unreachable preference 505\n  \
                   from 192.168.104.0/24 prohibit preference 506\n  \
                   from all table 100 suppress_prefixlength 8 suppress_ifgroup 3 preference 507\n  \
                   from fd07::/64 table 100 preference 508\n  \
                   from all ipproto tcp sport 100-200 dport 80-80 table 100 preference 509\n  \
                   from all uidrange 100-200 table 100 preference 510 no_track protocol 4\n  \
                   from all tunnel-id 77 table 100 preference 511\n  from all l3mdev preference 512\n  \
                   from 192.168.105.0/24 table 100\n }",
        outside: "track_group TG {\n group {\n  VI_1\n }\n}\nstatic_ipaddress {\n 10.3.0.1/24 dev eth1 track_group TG\n}\n\
                  static_routes {\n 192.168.150.0/24 via 10.1.255.9 dev eth0 track_group TG\n \
                  192.168.151.0/24 via 10.1.255.9 dev eth0 no_track\n}\nstatic_rules {\n \
                  from 192.168.150.0/24 iif eth0 table 100 track_group TG preference 700\n \
                  from 192.168.151.0/24 table 100 preference 701 no_track\n}",
        reloaded: (
            " virtual_ipaddress {\n  10.1.0.100/24\n }\n virtual_rules {\n  \
             from 192.168.100.0/24 table 100 preference 600\n  to 192.168.200.0/24 lookup 101 preference 500\n  \
             from 192.168.210.0/24 table 100 preference 900\n }",
            "static_ipaddress {\n 10.3.0.1/24 dev eth1\n 10.3.0.2/24 dev eth1\n}\nstatic_routes {\n \
             192.168.150.0/24 via 10.1.255.9 dev eth0\n}\nstatic_rules {\n \
             from 192.168.152.0/24 table 100 preference 702\n}",
        ),
        shows: ["16384:", "192.168.210.0/24"],
        left_by_the_real_one: &[],
    });
}

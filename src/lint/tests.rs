//! The rules, each on the situation that it was made for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::conf::FileError;

/// Files in memory.
struct Memory(BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let text = self.0.get(path).ok_or(FileError::Missing)?;
        Ok(text.clone().into_bytes())
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        vec![pattern.to_owned()]
    }
}

struct Anywhere;

impl HostFacts for Anywhere {
    fn interface_exists(&self, _: &str) -> bool {
        true
    }

    fn node_name(&self) -> String {
        "node1".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
}

/// Nothing is known.
struct Nowhere;

impl Ground for Nowhere {}

fn reports(texts: &[&str]) -> Report {
    reports_on(texts, &Nowhere)
}

fn reports_on(texts: &[&str], ground: &dyn Ground) -> Report {
    let names = ["a.conf", "b.conf", "c.conf"];
    let files: BTreeMap<PathBuf, String> = names
        .into_iter()
        .zip(texts)
        .map(|(name, text)| (PathBuf::from(name), (*text).to_owned()))
        .collect();
    let request = Request {
        files: files.keys().cloned().collect(),
        ..Request::default()
    };
    check(&request, &Memory(files), &Anywhere, ground)
}

/// The rules that were broken, with the line of each.
fn rules(texts: &[&str]) -> Vec<(&'static str, u32)> {
    broken(&reports(texts))
}

fn broken(report: &Report) -> Vec<(&'static str, u32)> {
    let line = |finding: &Finding| finding.diagnostic.at.as_ref().map_or(0, |span| span.line);
    report
        .findings
        .iter()
        .filter_map(|finding| Some((finding.rule?, line(finding))))
        .collect()
}

/// An instance with lines of its own.
fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n {lines}\n \
         virtual_ipaddress {{\n 192.0.2.10/24\n }}\n}}\n"
    )
}

// Input: the sample configuration of many years, with `vrrp_strict`. Output: said of the line that
// closes the address, not once `accept` is there, nor for the owner, nor with strict mode off.
#[test]
fn strict_mode_closes_the_addresses() {
    let global = "global_defs {\n router_id LVS\n vrrp_strict\n}\n";
    let of = |lines: &str| rules(&[&format!("{global}{}", instance(lines))]);
    assert_eq!(of("priority 100"), [("strict-closes-addresses", 3)]);
    assert_eq!(of("priority 100\n accept"), []);
    assert_eq!(of("state MASTER\n priority 255"), []);
    assert_eq!(of("priority 100\n strict_mode off"), []);
    assert_eq!(
        rules(&[&instance("strict_mode on")]),
        [("strict-closes-addresses", 4)]
    );
}

// Input: `nopreempt` with `state MASTER`. Output: keepalived's complaint once, with the caret under
// `nopreempt` and what to do; it keeps its rank.
#[test]
fn nopreempt_needs_state_backup() {
    let report = reports(&[&instance("state MASTER\n priority 100\n nopreempt")]);
    assert_eq!(broken(&report), [("nopreempt-with-master", 6)]);
    let [finding] = &report.findings[..] else {
        panic!("{:?}", report.findings);
    };
    assert_eq!(finding.severity, Severity::Ignored);
    assert_eq!(
        finding.diagnostic.message,
        "(VI_1) Warning - nopreempt will not work with initial state MASTER - clearing"
    );
    assert_eq!(report.exit_status(), 2);
    let fine = instance("state BACKUP\n priority 100\n nopreempt");
    assert_eq!(rules(&[&fine]), []);
}

const SCRIPT: &str = "vrrp_script chk {\n script /bin/true\n interval 2\n weight -20\n}\n";
const SECURE: &str = "global_defs {\n enable_script_security\n script_user root\n}\n";

fn with_script(lines: &str) -> String {
    format!("{SECURE}{SCRIPT}{}", instance(lines))
}

// Input: a weight behind nopreempt. Output: said of the tracker: nothing ever fails over.
#[test]
fn weights_do_nothing_with_nopreempt() {
    let track = "track_script {\n chk\n }";
    let text = with_script(&format!(
        "state BACKUP\n priority 100\n nopreempt\n {track}"
    ));
    assert_eq!(rules(&[&text]), [("weight-with-nopreempt", 17)]);
    let fine = with_script(&format!("state BACKUP\n priority 100\n {track}"));
    assert_eq!(rules(&[&fine]), []);
    let zero = with_script("nopreempt\n track_script {\n chk weight 0\n }");
    assert_eq!(rules(&[&zero]), []);
}

// Input: a weighted script of a member of a sync group. Output: said unless the group counts.
#[test]
fn weights_do_nothing_in_a_sync_group() {
    let track = "track_script {\n chk\n }";
    let group = |more: &str| format!("vrrp_sync_group G {{\n group {{\n VI_1\n }}\n{more}\n}}\n");
    let text = |more: &str| format!("{}{}", with_script(track), group(more));
    assert_eq!(rules(&[&text("")]), [("weight-in-sync-group", 14)]);
    assert_eq!(rules(&[&text("sync_group_tracking_weight")]), []);
    let owner = with_script(&format!("state MASTER\n priority 255\n {track}"));
    assert_eq!(rules(&[&owner]), [("weight-of-an-owner", 16)]);
}

// Input: master 150 with a weight of -20, backup 100. Output: 130 is still more than 100. With -60
// it is less; without a weight a failure is a fault.
#[test]
fn weights_have_to_reach_the_peer() {
    let own = |weight: &str| {
        let track = format!("track_script {{\n chk {weight}\n }}");
        with_script(&format!("state MASTER\n priority 150\n {track}"))
    };
    let backup = instance("state BACKUP\n priority 100");
    let of = |weight: &str| rules(&[&own(weight), &backup]);
    assert_eq!(of(""), [("weight-too-small", 16)]);
    assert_eq!(of("weight -60"), []);
    assert_eq!(of("weight 0"), []);
    // 150 + 40 when all is well, 150 when not: still more than 100.
    assert_eq!(of("weight 40"), [("weight-too-small", 16)]);
    // A tie is no failover.
    assert_eq!(of("weight -50"), [("weight-too-small", 16)]);
}

// Input: the files of two routers with the same priority. Output: said once.
#[test]
fn peers_need_priorities_of_their_own() {
    let (a, b) = (instance("priority 100"), instance("priority 100"));
    assert_eq!(rules(&[&a, &b]), [("same-priority", 4)]);
    assert_eq!(rules(&[&a, &instance("priority 90")]), []);
}

fn unicast(own: &str, peers: &str, priority: u8) -> String {
    instance(&format!(
        "priority {priority}\n unicast_src_ip {own}\n unicast_peer {{\n {peers}\n }}"
    ))
}

// Input: B knows A, A knows somebody else. Output: said of A's list, and of a mix with multicast.
#[test]
fn peers_have_to_know_each_other() {
    let a = unicast("192.0.2.1", "192.0.2.3", 100);
    let b = unicast("192.0.2.2", "192.0.2.1", 90);
    assert_eq!(rules(&[&a, &b]), [("peers-one-sided", 6)]);
    let a = unicast("192.0.2.1", "192.0.2.2\n192.0.2.3", 100);
    assert_eq!(rules(&[&a, &b]), []);
    let multicast = instance("priority 80");
    assert_eq!(rules(&[&a, &multicast]), [("unicast-on-one-side", 6)]);
}

// Input: two files that use one id for different addresses. Output: a clash, once.
#[test]
fn one_id_is_one_virtual_router() {
    let a = instance("priority 100");
    let b = a.replace("192.0.2.10", "192.0.2.20");
    assert_eq!(rules(&[&a, &b]), [("id-clash", 3)]);
    assert_eq!(rules(&[&a, &b.replace("id 51", "id 52")]), []);
}

// Input: routers that differ in what adverts carry. Output: each difference.
#[test]
fn adverts_have_to_be_alike() {
    let a = instance("priority 100\n advert_int 1");
    let b = instance("priority 90\n advert_int 2");
    assert_eq!(rules(&[&a, &b]), [("peers-differ", 5)]);
    let b = instance("priority 90\n version 3\n v3_checksum_as_v2");
    assert_eq!(rules(&[&a, &b]), [("peers-differ", 1)]);
    let more = a.replace("192.0.2.10/24", "192.0.2.10/24\n192.0.2.11/24");
    let b = instance("priority 90");
    assert_eq!(rules(&[&more, &b]), [("peers-differ", 6)]);
}

// Input: version 3 over IPv4 without a word about checksums. Output: said; not with it, not of
// IPv6.
#[test]
fn version_3_has_two_checksums() {
    assert_eq!(
        rules(&[&instance("version 3")]),
        [("checksum-of-version-3", 4)]
    );
    assert_eq!(rules(&[&instance("version 3\n v3_checksum_as_v2")]), []);
    let v6 = instance("version 3").replace("192.0.2.10/24", "fe80::1");
    assert_eq!(rules(&[&v6]), []);
}

// Input: scripts that may run as long as, or longer than, the time in which they have to fail.
#[test]
fn scripts_end_before_their_next_run() {
    let of = |times: &str| {
        let text = format!("{SECURE}vrrp_script chk {{\n script /bin/true\n {times}\n}}\n");
        rules(&[&text])
    };
    assert_eq!(
        of("interval 2\n fall 3\n timeout 6"),
        [("timeout-beyond-fall", 9)]
    );
    assert_eq!(
        of("interval 2\n fall 3\n timeout 3"),
        [("timeout-beyond-interval", 9)]
    );
    assert_eq!(of("interval 2\n fall 3\n timeout 2"), []);
    assert_eq!(of("interval 2"), []);
}

// Input: the scripts of ten thousand tutorials. Output: the keyword that does it without them.
#[test]
fn processes_are_watched_without_scripts() {
    let of = |script: &str| {
        let text = format!("{SECURE}vrrp_script chk {{\n script {script}\n}}\n");
        let report = reports(&[&text]);
        let own = report
            .findings
            .iter()
            .find(|finding| finding.rule.is_some());
        let help = own.and_then(|finding| finding.diagnostic.help.clone());
        (broken(&report), help.unwrap_or_default())
    };
    for script in [
        "\"killall -0 haproxy\"",
        "\"/usr/bin/killall -0 haproxy\"",
        "\"pidof haproxy\"",
        "\"/bin/sh -c 'pidof haproxy'\"",
        "\"/usr/bin/pgrep -x haproxy\"",
    ] {
        let (rules, help) = of(script);
        assert_eq!(rules, [("track-process-instead", 6)], "{script}");
        assert!(help.contains("process haproxy"), "{help}");
    }
    assert_eq!(of("/usr/local/bin/check.sh").0, []);
}

// Input: a file with something of each severity. Output: counts, both forms, exit status.
#[test]
fn reports_have_two_forms() {
    let text = instance("priority 300\n bogus 1");
    let report = reports(&[&text]);
    assert_eq!(report.exit_status(), 2);
    let human = report.human(false);
    assert!(
        human.contains("ignored: Unknown keyword 'bogus'"),
        "{human}"
    );
    assert!(
        human.ends_with("a.conf: 0 refused, 3 ignored, 0 deprecated, 0 advice\n"),
        "{human}"
    );
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["summary"]["ignored"], 3);
    assert_eq!(json["findings"][2]["place"]["line"], 5);
    assert_eq!(json["findings"][2]["place"]["column"], 2);
    assert_eq!(json["findings"][2]["place"]["end_column"], 7);
    assert_eq!(json["exit_status"], 2);
    assert_eq!(reports(&[&instance("priority 100")]).exit_status(), 0);
    assert_eq!(reports(&["vrrp_instance VI_1 {\n}\n"]).exit_status(), 3);
    let missing = Request {
        files: vec![PathBuf::from("nowhere")],
        ..Request::default()
    };
    let report = check(&missing, &Memory(BTreeMap::new()), &Anywhere, &Nowhere);
    assert_eq!(report.exit_status(), 3);
}

/// A host with one interface and a web server that owns its scripts.
struct SmallHost;

impl Ground for SmallHost {
    fn mtu(&self, interface: &str) -> Option<u32> {
        (interface == "eth0").then_some(576)
    }

    fn weak_component(&self, program: &str) -> Option<WeakComponent> {
        program.starts_with("/srv/www/").then(|| WeakComponent {
            path: PathBuf::from("/srv/www"),
            why: "it is owned by user www-data (33), mode 0755".to_owned(),
        })
    }

    fn has_ipvs(&self) -> Option<bool> {
        Some(false)
    }

    fn sysctl(&self, name: &str) -> Option<String> {
        let off = ["net.ipv4.ip_forward"].contains(&name);
        let on = ["net.ipv6.conf.eth0.disable_ipv6"].contains(&name);
        (on || off).then(|| u8::from(on).to_string())
    }
}

fn rules_on_host(text: &str) -> Vec<(&'static str, u32)> {
    broken(&reports_on(&[text], &SmallHost))
}

// Input: 200 addresses where a packet has 576 bytes, and 100 of IPv6 anywhere. Output: the first
// address that does not fit.
#[test]
fn addresses_have_to_fit_into_a_packet() {
    let list = |range: std::ops::Range<u32>, prefix: &str| {
        range.map(|n| format!("{prefix}{n}\n")).collect::<String>()
    };
    let many = instance("priority 100").replace(" 192.0.2.10/24\n", &list(1..201, "192.0.2."));
    // 576 - 36 bytes are 135 addresses; the list begins at line 6.
    assert_eq!(rules_on_host(&many), [("addresses-beyond-mtu", 6 + 135)]);
    assert_eq!(rules(&[&many]), []);
    let v6 = instance("priority 100").replace(" 192.0.2.10/24\n", &list(1..101, "fe80::"));
    assert_eq!(rules(&[&v6]), [("addresses-beyond-mtu", 6 + 90)]);
}

// Input: a script below a directory of the web server's. Output: that very directory; where script
// security leaves the script out, keepalived's complaint with its rank, once.
#[test]
fn the_part_of_a_path_that_is_not_roots_is_named() {
    let script = "vrrp_script chk {\n script /srv/www/bin/check.sh\n}\n";
    assert_eq!(rules_on_host(script), [("script-of-others", 2)]);
    let report = reports_on(&[script], &SmallHost);
    let text = report.human(false);
    assert!(
        text.contains("can change `/srv/www`: it is owned by user www-data (33)"),
        "{text}"
    );
    let notify = instance("notify_master \"/srv/www/bin/up.sh master\"");
    assert_eq!(rules_on_host(&notify), [("script-of-others", 4)]);
    assert_eq!(rules(&[&notify]), []);
}

// Input: a NAT service on a host without IPVS that does not forward. Output: both, with the lines.
#[test]
fn services_need_the_kernel() {
    let service = |kind: &str| {
        format!(
            "virtual_server 192.0.2.10 80 {{\n lb_algo rr\n lb_kind {kind}\n protocol TCP\n \
             real_server 192.0.2.11 80 {{\n weight 1\n }}\n}}\n"
        )
    };
    let both = [("no-ipvs", 1), ("nat-without-forwarding", 3)];
    assert_eq!(rules_on_host(&service("NAT")), both);
    assert_eq!(rules_on_host(&service("DR")), [("no-ipvs", 1)]);
    assert_eq!(rules(&[&service("NAT")]), []);
}

/// A library of patterns that has never heard of brackets.
struct NoBrackets;

impl Ground for NoBrackets {
    fn wrong_pattern(&self, pattern: &str, options: &[&str]) -> Option<WrongPattern> {
        let offset = pattern
            .find('(')
            .filter(|_| options == ["caseless", "utf"])?;
        let why = "no brackets".to_owned();
        Some(WrongPattern { offset, why })
    }
}

// Input: a check with two patterns, one of which is none with the options of its url. Output: that
// one.
#[test]
fn patterns_that_are_none_are_told() {
    let url = |pattern: &str| {
        format!(
            "url {{\n path /\n regex {pattern}\n regex_options caseless\n regex_options utf\n }}\n"
        )
    };
    let text = format!(
        "virtual_server 192.0.2.10 80 {{\n lb_kind NAT\n real_server 192.0.2.11 80 {{\n \
         HTTP_GET {{\n {}{}}}\n }}\n}}\n",
        url("fine"),
        url("bro(ken"),
    );
    let report = reports_on(&[&text], &NoBrackets);
    assert_eq!(broken(&report), [("wrong-regex", 13)]);
}

/// A container that was given no capability but NET_ADMIN.
struct Container;

impl Ground for Container {
    fn allows(&self, capability: u8) -> Option<bool> {
        Some(capability == 12)
    }
}

/// One that was given none.
struct NarrowContainer;

impl Ground for NarrowContainer {
    fn allows(&self, _: u8) -> Option<bool> {
        Some(false)
    }
}

// Input: an instance and a service in containers as they are by default, and with NET_ADMIN alone.
// Output: what is missing, where it is needed.
#[test]
fn containers_need_capabilities() {
    let router = instance("priority 100");
    let service = "virtual_server 192.0.2.10 80 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n \
                   real_server 192.0.2.11 80 {\n weight 1\n }\n}\n";
    let found = |text: &str, ground: &dyn Ground| broken(&reports_on(&[text], ground));
    let missing = ("missing-capability", 1);
    assert_eq!(found(&router, &NarrowContainer), [missing, missing]);
    assert_eq!(found(&router, &Container), [missing]);
    assert_eq!(found(service, &NarrowContainer), [missing]);
    assert_eq!(found(service, &Container), []);
    assert_eq!(rules(&[&router]), []);
    let text = reports_on(&[&router], &Container).human(false);
    assert!(text.contains("vrrp_instance needs CAP_NET_RAW"), "{text}");
}

// Input: an IPv6 address on an interface where IPv6 is switched off. Output: said of the address.
#[test]
fn ipv6_has_to_be_on() {
    let v6 = instance("priority 100").replace("192.0.2.10/24", "fe80::1");
    assert_eq!(rules_on_host(&v6), [("ipv6-switched-off", 6)]);
    assert_eq!(rules(&[&v6]), []);
}

// Input: what this daemon reads and keepalived 2.4.3 does not. Output: each line, when asked for.
#[test]
fn what_does_not_port_back_is_told_when_asked() {
    let long = format!("# {}", "x".repeat(1100));
    let text = format!("nat_mask 255.255.255.0\nrouter_id\u{a0}x\n{long}\n");
    let text = format!("virtual_server 192.0.2.1 80 {{\n{text}}}\n");
    let files = BTreeMap::from([(PathBuf::from("a.conf"), text)]);
    let mut request = Request {
        files: vec![PathBuf::from("a.conf")],
        porting: true,
        ..Request::default()
    };
    let files = Memory(files);
    let report = check(&request, &files, &Anywhere, &Nowhere);
    let mut lines: Vec<u32> = broken(&report).into_iter().map(|(_, line)| line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 3, 4], "{}", report.human(false));
    request.porting = false;
    assert_eq!(broken(&check(&request, &files, &Anywhere, &Nowhere)), []);
}

//! A host that lacks descriptors, ports, processes or memory: a check that it cannot make is no dead
//! server, and what is dead is found all the same.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use compat_tests::bed::needs_root;

use super::setup::{Bed, CONFIG, SOON, VIP, binary};

/// Servers that never answer; each keeps a descriptor busy for a second.
const SILENT: u8 = 30;

fn server(address: &str, check: &str) -> String {
    format!("    real_server {address} {{\n        weight 1\n        {check}\n    }}\n")
}

/// One server that is well, one that is dead, and the silent ones.
fn service() -> String {
    let check = "TCP_CHECK {\n            connect_timeout 1\n            retry 1\n            delay_before_retry 1\n            warmup 0\n        }";
    let mut text = "
virtual_server 192.0.2.100 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
"
    .to_owned();
    for number in 1..=SILENT {
        write!(
            text,
            "{}",
            server(&format!("198.51.100.{number} 80"), check)
        )
        .unwrap();
    }
    text.push_str(&server("192.0.2.1 3306", check));
    text.push_str(&server("192.0.2.1 3307", check));
    text.push_str("}\n");
    text
}

/// Input: room for some eight checks at once, and 30 that take a second each. Output: the shortage
/// is told; the dead server goes although many slow ones are in its way; those of which nothing
/// is known stay; adverts keep their pace; and when the server that is well goes, that is found.
#[test]
fn a_shortage_ejects_nobody_and_hides_nobody() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&format!("{CONFIG}{}", service()));
    bed.add_silent_network();
    let well = bed.host.enter(|| TcpListener::bind("192.0.2.1:3306"));
    let well = well.unwrap().unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--nofile=74:74"]).arg(binary());
    command.args(["-n", "-D"]).stdin(Stdio::null());
    let _daemon = bed.host.spawn(command).unwrap();
    bed.wait_log("could not be made: this host lacks descriptors, ports or memory");
    bed.wait_log("TCP connection to [192.0.2.1]:tcp:3306 success.");
    bed.wait_log("Removing service [192.0.2.1]:tcp:3307 from VS [192.0.2.100]:tcp:80");
    bed.wait_address(VIP, true);
    let gone = "Removing service [192.0.2.1]:tcp:3306 from VS [192.0.2.100]:tcp:80";
    let lines = bed.logged();
    assert!(!lines.iter().any(|line| line.contains(gone)), "{lines:#?}");
    let from = SystemTime::now();
    drop(well);
    bed.log.wait_for(SOON, from, gone).unwrap();
    adverts_on_time(&bed);
}

/// Adverts came each second; that of a busy machine may be longer, but none is missing.
fn adverts_on_time(bed: &Bed) {
    let frames = bed.wire.frames();
    let adverts = frames
        .iter()
        .filter(|frame| frame.packet().advert().is_some());
    let adverts: Vec<_> = adverts.collect();
    for pair in adverts.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at).unwrap().as_millis();
        assert!((500..1_900).contains(&gap), "{gap} ms between adverts");
    }
}

fn service_of(port: u16, server: &str, check: &str) -> String {
    format!(
        "virtual_server 192.0.2.100 {port} {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server {server} {port} {{
        {check}
    }}
}}
"
    )
}

/// Input: two ports for all connections. Six servers that are checked at one silent address, each check
/// of which keeps one of them for a second; six that are checked at one that is well. Output: the
/// shortage is told; the silent ones go although there is never room for all; those that are well
/// stay, and go when that one goes.
#[test]
fn two_ports_have_to_do() {
    if !needs_root() {
        return;
    }
    let check = |target: &str| {
        format!(
            "TCP_CHECK {{\n connect_timeout 1\n retry 1\n delay_before_retry 1\n warmup 0\n {target}\n }}"
        )
    };
    let mut config = CONFIG.to_owned();
    for port in 81..=86 {
        let silent = check("connect_ip 198.51.100.9\n connect_port 80");
        config.push_str(&service_of(port, "192.0.2.1", &silent));
        let well = check("connect_port 3306");
        config.push_str(&service_of(port + 100, "192.0.2.1", &well));
    }
    let bed = Bed::new(&config);
    bed.add_silent_network();
    bed.host
        .must(&["sysctl", "-w", "net.ipv4.ip_local_port_range=50000 50001"])
        .unwrap();
    let well = bed.host.enter(|| TcpListener::bind("192.0.2.1:3306"));
    let well = well.unwrap().unwrap();
    let mut daemon = bed.daemon();
    let removed = |port: u16| {
        format!("Removing service [192.0.2.1]:tcp:{port} from VS [192.0.2.100]:tcp:{port}")
    };
    let late = 3 * SOON;
    bed.wait_log("could not be made: this host lacks descriptors, ports or memory");
    for port in 81..=86 {
        bed.log.wait_for(late, bed.start, &removed(port)).unwrap();
    }
    for port in 181..=186 {
        let lines = bed.logged();
        let gone = removed(port);
        assert!(!lines.iter().any(|line| line.contains(&gone)), "{lines:#?}");
        bed.wait_log(&format!(
            "TCP connection to [192.0.2.1]:tcp:{port} success."
        ));
    }
    let from = SystemTime::now();
    drop(well);
    for port in 181..=186 {
        bed.log.wait_for(late, from, &removed(port)).unwrap();
    }
    adverts_on_time(&bed);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// A check by a program that is run as a user who may have few processes.
fn program(port: u16, path: &str) -> String {
    let check = format!(
        "MISC_CHECK {{\n misc_path \"{path}\"\n misc_timeout 1\n retry 1\n delay_before_retry 1\n \
         warmup 0\n user games\n }}"
    );
    service_of(port, "192.0.2.1", &check)
}

/// Input: a user who may have three processes. Eight programs hang for a second each, one succeeds, one
/// fails, and the one that succeeds fails later. Output: the shortage is told; those that hang or
/// fail go, the one that succeeds stays until it fails.
#[test]
fn three_processes_have_to_do() {
    if !needs_root() {
        return;
    }
    let mut config = CONFIG.to_owned();
    for port in 81..=88 {
        config.push_str(&program(port, "/run/checks/hang"));
    }
    config.push_str(&program(181, "/run/checks/well"));
    config.push_str(&program(182, "/run/checks/ill"));
    let bed = Bed::new(&config);
    for (name, text) in [
        ("hang", "exec sleep 1000"),
        ("well", "[ ! -e /run/checks/bad ]"),
        ("ill", "exit 1"),
    ] {
        let path = format!("/run/checks/{name}");
        let script = format!("#!/bin/sh\n{text}\n");
        bed.host.write(&path, script).unwrap();
        bed.host.must(&["chmod", "755", &path]).unwrap();
    }
    let mut command = Command::new("prlimit");
    command.args(["--nproc=3:3"]).arg(binary());
    command.args(["-n", "-D"]).stdin(Stdio::null());
    let mut daemon = bed.host.spawn(command).unwrap();
    let removed = |port: u16| format!("Removing service [192.0.2.1]:tcp:{port} from VS");
    let late = 3 * SOON;
    bed.wait_log("could not be made: this host lacks descriptors, ports or memory");
    for port in (81..=88).chain([182]) {
        bed.log.wait_for(late, bed.start, &removed(port)).unwrap();
    }
    let by = "Misc check for [[192.0.2.1]:tcp:181 VS [192.0.2.100]:tcp:181] by [/run/checks/well] succeeded.";
    bed.log.wait_for(late, bed.start, by).unwrap();
    let lines = bed.logged();
    let gone = removed(181);
    assert!(!lines.iter().any(|line| line.contains(&gone)), "{lines:#?}");
    let from = SystemTime::now();
    bed.host.write("/run/checks/bad", "").unwrap();
    bed.log.wait_for(late, from, &gone).unwrap();
    adverts_on_time(&bed);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// A control group for memory, which goes with this.
struct Group(std::path::PathBuf, &'static str);

impl Group {
    fn new() -> Option<Self> {
        let name = format!("keepalived-test.{}", std::process::id());
        let kinds = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        kinds.into_iter().find_map(|(root, limit)| {
            let path = std::path::Path::new(root).join(&name);
            std::fs::create_dir(&path).ok()?;
            let group = Self(path, limit);
            group.limit(1 << 30).then_some(group)
        })
    }

    fn limit(&self, bytes: u64) -> bool {
        std::fs::write(self.0.join(self.1), bytes.to_string()).is_ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Input: a program that needs 100 MB, in a control group that has no more than 70 for a while; a server
/// that dies meanwhile. Output: the kernel kills the program, which is told as a shortage and takes
/// nobody out; the dead server goes; later the program is believed again, in good as in ill.
#[test]
fn memory_that_is_short_kills_programs_and_no_servers() {
    if !needs_root() {
        return;
    }
    let Some(group) = Group::new() else {
        println!("skipped: no control group for memory can be made here");
        return;
    };
    let tcp = "TCP_CHECK {\n connect_timeout 1\n retry 1\n delay_before_retry 1\n warmup 0\n }";
    let config = [
        CONFIG.to_owned(),
        program(81, "/run/checks/large").replace("misc_timeout 1", "misc_timeout 5"),
        service_of(3306, "192.0.2.1", tcp),
    ]
    .concat();
    let bed = Bed::new(&config);
    let script = "#!/bin/sh\n[ ! -e /run/checks/bad ] || exit 1\n\
                  exec dd if=/dev/zero of=/dev/null bs=100M count=1\n";
    bed.host.write("/run/checks/large", script).unwrap();
    bed.host
        .must(&["chmod", "755", "/run/checks/large"])
        .unwrap();
    let well = bed.host.enter(|| TcpListener::bind("192.0.2.1:3306"));
    let well = well.unwrap().unwrap();
    let mut daemon = bed.daemon();
    for pid in [bed.pid("keepalived"), bed.pid("vrrp")] {
        std::fs::write(group.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
    let by = "Misc check for [[192.0.2.1]:tcp:81 VS [192.0.2.100]:tcp:81] by [/run/checks/large]";
    bed.wait_log(&format!("{by} succeeded."));
    bed.wait_log("TCP connection to [192.0.2.1]:tcp:3306 success.");

    assert!(group.limit(70 << 20));
    let from = SystemTime::now();
    let short = "a check of [192.0.2.1]:tcp:81 could not be made: this host lacks";
    bed.log.wait_for(SOON, from, short).unwrap();
    drop(well);
    let dead = "Removing service [192.0.2.1]:tcp:3306 from VS";
    bed.log.wait_for(SOON, from, dead).unwrap();
    assert!(bed.has(VIP));
    let gone = "Removing service [192.0.2.1]:tcp:81 from VS";
    let lines = bed.log.since(from);
    assert!(
        !lines.iter().any(|line| line.text.contains(gone)),
        "{lines:#?}"
    );

    assert!(group.limit(1 << 30));
    let from = SystemTime::now();
    bed.host.write("/run/checks/bad", "").unwrap();
    bed.log.wait_for(SOON, from, gone).unwrap();
    adverts_on_time(&bed);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

//! `MISC_CHECK`: programs that succeed, fail, hang and ignore `SIGTERM`. `FILE_CHECK`: files that
//! set weights and take servers out.

use std::time::{Duration, SystemTime};

use compat_tests::bed::{needs_root, wait_until};
use nix::sys::signal::Signal;

use super::setup::{Bed, FILE, SOON};

fn service(port: u16, path: &str, more: &str) -> String {
    format!(
        "virtual_server 192.0.2.100 {port} {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 {port} {{
        MISC_CHECK {{
            misc_path \"{path}\"
            misc_timeout 1
            retry 1
            delay_before_retry 1
            warmup 0
            user root
            {more}
        }}
    }}
}}
"
    )
}

/// Input: programs that succeed, fail with a status, are killed, hang, and hang on `SIGTERM`.
/// Output: the lines of keepalived 2.2.7; no program is left behind; what turns well comes back.
#[test]
fn programs_judge_their_servers() {
    if !needs_root() {
        return;
    }
    let config: String = [
        service(81, "/run/checks/flag", "log_all_failures"),
        service(82, "/run/checks/status 3", ""),
        service(83, "/run/checks/status 0", "retry 0"),
        service(84, "/run/checks/signal", ""),
        service(85, "/run/checks/hang", ""),
        service(86, "/run/checks/deaf", "retry 0"),
        service(87, "/run/checks/status 12", "misc_dynamic"),
    ]
    .concat();
    let bed = Bed::new(&format!(
        "global_defs {{\n enable_script_security\n}}\n{config}"
    ));
    for (name, text) in [
        ("flag", "[ ! -e /run/checks/bad ]"),
        ("status", "exit $1"),
        ("signal", "kill -USR1 $$"),
        ("hang", "sleep 1000"),
        ("deaf", "trap '' TERM; while :; do sleep 1000; done"),
    ] {
        let path = format!("/run/checks/{name}");
        bed.host
            .write(&path, format!("#!/bin/sh\n{text}\n"))
            .unwrap();
        bed.host.must(&["chmod", "755", &path]).unwrap();
    }
    let mut daemon = bed.daemon();
    let by = |port: u16, name: &str| {
        format!(
            "Misc check for [[192.0.2.1]:tcp:{port} VS [192.0.2.100]:tcp:{port}] by \
             [/run/checks/{name}]"
        )
    };
    for text in [
        format!("{} succeeded.", by(81, "flag")),
        format!(
            "{} failed after 1 retry (exited with status 3).",
            by(82, "status")
        ),
        format!("{} succeeded.", by(83, "status")),
        format!(
            "{} failed after 1 retry (due to signal 10).",
            by(84, "signal")
        ),
        format!("{} timed out after 1 retry.", by(85, "hang")),
        format!("{} timed out with retry disabled.", by(86, "deaf")),
        "Removing service [192.0.2.1]:tcp:86 from VS [192.0.2.100]:tcp:86".to_owned(),
        "Changing weight from 1 to 10 for active service [192.0.2.1]:tcp:87 of VS \
         [192.0.2.100]:tcp:87"
            .to_owned(),
    ] {
        bed.wait_log(&text);
    }
    let from = SystemTime::now();
    bed.host.write("/run/checks/bad", "").unwrap();
    for text in [
        format!(
            "{} failed, will do 1 retry (exited with status 1).",
            by(81, "flag")
        ),
        format!(
            "{} failed after 1 retry (exited with status 1).",
            by(81, "flag")
        ),
        "Removing service [192.0.2.1]:tcp:81 from VS [192.0.2.100]:tcp:81".to_owned(),
    ] {
        bed.log.wait_for(SOON, from, &text).unwrap();
    }
    bed.host.must(&["rm", "/run/checks/bad"]).unwrap();
    let text = "Adding service [192.0.2.1]:tcp:81 to VS [192.0.2.100]:tcp:81";
    bed.log.wait_for(SOON, from, text).unwrap();
    assert_eq!(bed.stop(&mut daemon), Some(0));
    // Programs that listen to SIGTERM are gone with the daemon; the deaf one is not waited for.
    let hang = || {
        let out = bed.host.run(&["pgrep", "-f", "/run/checks/hang"]).unwrap();
        out.stdout.is_empty()
    };
    wait_until(Duration::from_secs(5), "the end of a program", hang).unwrap();
}

/// Input: two files with numbers that change, are no numbers and too large; one with the factor 0.
/// Output: the lines of keepalived 2.2.7.
#[test]
fn files_set_weights_and_take_servers_out() {
    if !needs_root() {
        return;
    }
    let service = |port: u16, check: &str| {
        format!(
            "virtual_server 192.0.2.100 {port} {{
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 {port} {{
        FILE_CHECK {{
            {check}
        }}
    }}
}}
"
        )
    };
    let config = [
        "track_file one {\n file /run/one\n weight 2\n}\n".to_owned(),
        "track_file two {\n file /run/two\n}\n".to_owned(),
        service(81, "track_file one"),
        service(82, "track_file one\n weight 3 reverse"),
        service(83, "track_file two\n weight 0"),
    ];
    let bed = Bed::new(&config.concat());
    bed.host.write("/run/one", "5").unwrap();
    bed.host.write("/run/two", "1").unwrap();
    let mut daemon = bed.daemon();
    bed.wait_log("([192.0.2.1]:tcp:83): tracked file two now FAULT state");
    for (file, content, texts) in [
        (
            "one",
            "-3\n",
            vec![
                "Changing weight from 11 to 0 for active service [192.0.2.1]:tcp:81 of VS \
                 [192.0.2.100]:tcp:81",
                "Changing weight from 0 to 10 for active service [192.0.2.1]:tcp:82 of VS \
                 [192.0.2.100]:tcp:82",
                "Lost quorum 1-0=1 > 0 for VS [192.0.2.100]:tcp:81",
            ],
        ),
        (
            "one",
            "99999999999\n",
            vec!["Invalid number 99999999999 read from /run/one - ignoring"],
        ),
        (
            "one",
            "-2147483648\n",
            vec![
                "([192.0.2.1]:tcp:81): tracked file one now FAULT state",
                "Removing service [192.0.2.1]:tcp:81 from VS [192.0.2.100]:tcp:81",
                "Changing weight from 10 to 2147483647 for active service [192.0.2.1]:tcp:82",
            ],
        ),
        (
            "one",
            "0x10\n",
            vec![
                "([192.0.2.1]:tcp:81): tracked file one leaving FAULT state",
                "Adding service [192.0.2.1]:tcp:81 to VS [192.0.2.100]:tcp:81",
                "Gained quorum 1+0=1 <= 33 for VS [192.0.2.100]:tcp:81",
            ],
        ),
        (
            "two",
            "abc\n",
            vec!["([192.0.2.1]:tcp:83): tracked file two leaving FAULT state"],
        ),
        (
            "two",
            "1\n",
            vec![
                "([192.0.2.1]:tcp:83): tracked file two now FAULT state",
                "Removing service [192.0.2.1]:tcp:83 from VS [192.0.2.100]:tcp:83",
            ],
        ),
    ] {
        let from = SystemTime::now();
        bed.host.write(format!("/run/{file}"), content).unwrap();
        for text in texts {
            bed.log.wait_for(SOON, from, text).unwrap();
        }
    }
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Input: notify scripts as a user of two groups, one by a link and one below a link; then the
/// settings about both, by a reload. Output: the real paths and one group, as 2.3.4 has it; then the
/// paths as written and both groups.
#[test]
fn links_are_resolved_and_groups_left_out_unless_told() {
    if !needs_root() {
        return;
    }
    let scripts = "script_user nobody\n enable_script_security\n";
    let config = |more: &str| {
        format!(
            "global_defs {{\n {scripts}{more}}}\nvrrp_instance VI_1 {{\n interface eth0\n \
             virtual_router_id 51\n priority 100\n advert_int 1\n state MASTER\n \
             notify_master /run/far/link.sh\n notify_backup \"/run/linked/real.sh one\"\n \
             virtual_ipaddress {{ 192.0.2.100 }}\n}}\n"
        )
    };
    let bed = Bed::new(&config(""));
    let files = "cp /etc/group /run/group && echo extra:x:54321:nobody >>/run/group && \
                 rm -f /etc/group && cp /run/group /etc/group && \
                 mkdir -p /run/near /run/far && ln -s /run/near /run/linked && \
                 ln -s /run/near/real.sh /run/far/link.sh && touch /run/out && chmod 666 /run/out && \
                 printf '#!/bin/sh\\necho \"$0 $* $(id -G)\" >>/run/out\\n' >/run/near/real.sh && \
                 chmod 755 /run /run/near /run/far /run/near/real.sh";
    bed.host.must(&["sh", "-c", files]).unwrap();
    let mut daemon = bed.daemon();
    let said = |lines: &[&str]| {
        let mut found = String::new();
        let complete = || {
            found = bed.host.read("/run/out").unwrap_or_default();
            lines
                .iter()
                .all(|line| found.lines().any(|said| said == *line))
        };
        wait_until(SOON, "what scripts say", complete)
            .unwrap_or_else(|error| panic!("{error}: {found}\n{:#?}", bed.logged()));
    };
    said(&["/run/near/real.sh one 65534", "/run/near/real.sh  65534"]);
    let told = "use_symlink_paths\n set_supplementary_groups\n";
    bed.host.write(FILE, config(told)).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    bed.wait_log("Reload finished");
    // Down and up again.
    bed.host
        .must(&["ip", "link", "set", "eth0", "down"])
        .unwrap();
    bed.wait_log("Entering FAULT STATE");
    bed.host.must(&["ip", "link", "set", "eth0", "up"]).unwrap();
    said(&[
        "/run/linked/real.sh one 65534 54321",
        "/run/far/link.sh  65534 54321",
    ]);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

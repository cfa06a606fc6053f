//! Mails, against a mail server that writes down what it hears.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use compat_tests::bed::{Host, needs_root, wait_until};

use super::setup::{Bed, CONFIG, SOON};

/// What a mail server heard, one session after the other.
type Sessions = Arc<Mutex<Vec<String>>>;

/// A mail server at `address` in the host's namespace; it refuses recipients at `refused`.
fn mail_server(host: &Host, address: &'static str) -> Sessions {
    let listener = host.enter(move || TcpListener::bind(address));
    let listener = listener.unwrap().unwrap();
    let sessions = Sessions::default();
    let heard = Arc::clone(&sessions);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                let text = session(stream);
                heard.lock().unwrap().push(text);
            });
        }
    });
    sessions
}

/// One session; what the peer said.
fn session(mut stream: TcpStream) -> String {
    let mut said = String::new();
    let mut in_mail = false;
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    drop(stream.write_all(b"220 mail.example.org ESMTP\r\n"));
    for line in lines.map_while(Result::ok) {
        said.push_str(if line.starts_with("Date: ") {
            "Date: -"
        } else {
            line.as_str()
        });
        said.push('\n');
        let reply: &[u8] = match line.as_str() {
            "." => b"250 queued\r\n",
            _ if in_mail => continue,
            "DATA" => b"354 go on\r\n",
            "QUIT" => b"221 bye\r\n",
            line if line.contains("refused@") => b"550 no such user\r\n",
            _ => b"250 ok\r\n",
        };
        in_mail = line == "DATA";
        drop(stream.write_all(reply));
    }
    said
}

fn wait_for_mail(sessions: &Sessions, about: &str) -> String {
    let find = || {
        let sessions = sessions.lock().unwrap();
        sessions.iter().find(|text| text.contains(about)).cloned()
    };
    wait_until(SOON, about, || find().is_some()).unwrap();
    find().unwrap()
}

/// Input: a service with a server that refuses connections, and mails wanted. Output: the sessions
/// that keepalived 2.2.7 holds for it, byte for byte; its log lines.
#[test]
fn a_dead_server_is_mailed_as_keepalived_does() {
    if !needs_root() {
        return;
    }
    let config = "global_defs {
    router_id LVS_1
    notification_email {
        admin@example.org
        second@example.org
    }
    notification_email_from director@example.org
    smtp_server 192.0.2.1 2525
    smtp_helo_name director.example.org
    smtp_alert_checker
}
virtual_server 192.0.2.100 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 80 {
        TCP_CHECK {
            connect_timeout 1
            retry 0
            warmup 0
        }
    }
}
";
    let bed = Bed::new(config);
    let sessions = mail_server(&bed.host, "192.0.2.1:2525");
    let mut daemon = bed.daemon();
    let expected = |subject: &str, body: &str| {
        format!(
            "HELO director.example.org\nMAIL FROM:<director@example.org>\n\
             RCPT TO:<admin@example.org>\nRCPT TO:<second@example.org>\nDATA\nDate: -\n\
             From: director@example.org\nSubject: [LVS_1] {subject}\nX-Mailer: Keepalived\n\
             To: admin@example.org, second@example.org\n\n{body}\n\n.\nQUIT\n"
        )
    };
    for (subject, body) in [
        (
            "Virtualserver [192.0.2.100]:tcp:80 - UP",
            "=> Starting with quorum up 1+0=1 <= 1 <=",
        ),
        (
            "Realserver [192.0.2.1]:tcp:80 of virtual server [192.0.2.100]:tcp:80 - DOWN",
            "=> TCP CHECK failed on service <=",
        ),
        (
            "Virtualserver [192.0.2.100]:tcp:80 - DOWN",
            "=> Lost quorum 1+0=1 <= 0 <=",
        ),
    ] {
        let heard = wait_for_mail(&sessions, &format!("] {subject}\n"));
        assert_eq!(heard, expected(subject, body));
    }
    bed.wait_log("Remote SMTP server [192.0.2.1]:2525 connected.");
    bed.wait_log("SMTP alert successfully sent.");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Input: a mail server by a name, one recipient that it refuses, no name of a sender. Output: the
/// others get the mail; what the host is called stands in it.
#[test]
fn a_server_by_name_and_a_bad_recipient() {
    if !needs_root() {
        return;
    }
    let config = "global_defs {
    notification_email {
        refused@example.org
        admin@example.org
    }
    smtp_server localhost 2526
}
virtual_server 192.0.2.100 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    smtp_alert
    real_server 192.0.2.1 80 {
    }
}
";
    let bed = Bed::new(config);
    bed.host.must(&["ip", "link", "set", "lo", "up"]).unwrap();
    let sessions = mail_server(&bed.host, "127.0.0.1:2526");
    let mut daemon = bed.daemon();
    let heard = wait_for_mail(&sessions, "Virtualserver [192.0.2.100]:tcp:80 - UP\n");
    let name = bed.host.must(&["hostname"]).unwrap();
    let name = name.trim();
    let full = heard.split("HELO ").nth(1).unwrap().lines().next().unwrap();
    assert!(
        full == name || full.starts_with(&format!("{name}.")),
        "{heard}"
    );
    assert!(
        heard.contains(&format!("MAIL FROM:<root@{full}>\n")),
        "{heard}"
    );
    assert!(heard.contains(&format!("From: root@{full}\n")), "{heard}");
    assert!(heard.contains(&format!("Subject: [{full}] ")), "{heard}");
    assert!(heard.ends_with("\n.\nQUIT\n"), "{heard}");
    bed.wait_log(
        "Error processing RCPT cmd on SMTP server [localhost]:2526. SMTP status code = 550",
    );
    bed.wait_log("SMTP alert successfully sent.");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Input: a mail server that takes connections and says nothing. Output: it is said once, adverts
/// keep their pace, and the stop does not wait for it for long.
#[test]
fn a_mail_server_that_hangs_holds_nothing_up() {
    if !needs_root() {
        return;
    }
    let global = "global_defs {
    notification_email {
        admin@example.org
    }
    smtp_server 192.0.2.1 2527
    smtp_connect_timeout 1
    smtp_alert
}
virtual_server 192.0.2.100 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 80 {
    }
}
virtual_server 192.0.2.100 81 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 80 {
    }
}
";
    let bed = Bed::new(&format!("{global}{CONFIG}"));
    let silent = bed.host.enter(|| TcpListener::bind("192.0.2.1:2527"));
    let _silent = silent.unwrap().unwrap();
    let mut daemon = bed.daemon();
    let late = "Timeout reading data to remote SMTP server [192.0.2.1]:2527.";
    bed.wait_log(late);
    bed.wait_address(super::setup::VIP, true);
    let said = bed
        .logged()
        .iter()
        .filter(|line| line.contains(late))
        .count();
    assert_eq!(said, 1);
    let before = Instant::now();
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(before.elapsed() < SOON / 2);
    let adverts: Vec<_> = bed
        .wire
        .frames()
        .into_iter()
        .filter(|frame| {
            frame
                .packet()
                .advert()
                .is_some_and(|advert| advert.priority > 0)
        })
        .collect();
    for pair in adverts.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at).unwrap().as_millis();
        assert!((900..1100).contains(&gap), "{gap} ms between adverts");
    }
}

/// Input: a router in a group, with mails wanted of the instance and not of the group. Output: a mail
/// for each state, with keepalived's subjects and bodies; at the stop as well.
#[test]
fn states_of_routers_are_mailed() {
    if !needs_root() {
        return;
    }
    let config = "global_defs {
    router_id LVS_1
    notification_email {
        admin@example.org
    }
    notification_email_from director@example.org
    smtp_server 192.0.2.1 2525
}
vrrp_sync_group VG_1 {
    group {
        VI_1
    }
}
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    advert_int 1
    smtp_alert
    virtual_ipaddress {
        192.0.2.100
    }
}
";
    let bed = Bed::new(config);
    let sessions = mail_server(&bed.host, "192.0.2.1:2525");
    let mut daemon = bed.daemon();
    for (state, body) in [("BACKUP", "no longer owning"), ("MASTER", "now owning")] {
        let subject = format!("Subject: [LVS_1] VRRP Instance VI_1 - Entering {state} state\n");
        let mail = wait_for_mail(&sessions, &subject);
        let body = format!("\n\n=> VRRP Instance is {body} VRRP VIPs <=\n\n.\n");
        assert!(mail.contains(&body), "{mail}");
    }
    assert_eq!(bed.stop(&mut daemon), Some(0));
    wait_for_mail(&sessions, "VRRP Instance VI_1 - Entering STOP state");
    let heard = sessions.lock().unwrap().join("");
    assert!(!heard.contains("VRRP Group"), "{heard}");
}

//! `SMTP_CHECK`, `DNS_CHECK`, `UDP_CHECK` and `PING_CHECK` over real sockets, with the log lines of
//! keepalived 2.2.7.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::SystemTime;

use compat_tests::bed::needs_root;

use super::setup::{Bed, SOON};

fn service(port: u16, protocol: &str, server: &str, check: &str) -> String {
    format!(
        "virtual_server 192.0.2.100 {port} {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol {protocol}
    real_server {server} {port} {{
        {check}
    }}
}}
"
    )
}

/// A check with short times.
fn check(kind: &str, more: &str) -> String {
    format!(
        "{kind} {{
            connect_timeout 1
            retry 1
            delay_before_retry 1
            warmup 0
            {more}
        }}"
    )
}

/// A mail server on the director itself; it ends with the test's process.
fn mail(bed: &Bed, port: u16, banner: &'static str) {
    let listener = bed
        .host
        .enter(move || TcpListener::bind(("192.0.2.1", port)))
        .unwrap()
        .unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut room = [0; 512];
            // A peer that goes away early is what a check does.
            drop(stream.write_all(banner.as_bytes()));
            drop(stream.read(&mut room));
            drop(stream.write_all(b"250-hello\r\n250 there\r\n"));
            drop(stream.read(&mut room));
        }
    });
}

/// Answers datagrams; what it says depends on what it hears.
fn datagrams(bed: &Bed, port: u16, reply: fn(&[u8]) -> Option<Vec<u8>>) {
    let socket = bed
        .host
        .enter(move || UdpSocket::bind(("192.0.2.1", port)))
        .unwrap()
        .unwrap();
    std::thread::spawn(move || {
        let mut room = [0; 2048];
        while let Ok((count, from)) = socket.recv_from(&mut room) {
            if let Some(bytes) = reply(&room[..count]) {
                drop(socket.send_to(&bytes, from));
            }
        }
    });
}

fn name_server(question: &[u8], rcode: u8) -> Option<Vec<u8>> {
    let mut answer = question.to_vec();
    *answer.get_mut(2)? |= 0x80;
    *answer.get_mut(3)? = 0x80 | rcode;
    Some(answer)
}

/// Input: a healthy and a failing server of each kind. Output: the lines of keepalived.
#[test]
fn servers_of_every_kind_are_judged() {
    if !needs_root() {
        return;
    }
    let own = "192.0.2.1";
    let config: String = [
        service(25, "TCP", own, &check("SMTP_CHECK", "")),
        service(
            26,
            "TCP",
            own,
            &check("SMTP_CHECK", "helo_name lab.example"),
        ),
        service(27, "TCP", own, &check("SMTP_CHECK", "")),
        service(
            53,
            "UDP",
            own,
            &check("DNS_CHECK", "type A\n name www.example.com"),
        ),
        service(54, "UDP", own, &check("DNS_CHECK", "type MX")),
        service(55, "UDP", own, &check("DNS_CHECK", "retry 0")),
        service(
            60,
            "UDP",
            own,
            &check("UDP_CHECK", "require_reply 68656c6c6f"),
        ),
        service(
            61,
            "UDP",
            own,
            &check("UDP_CHECK", "log_all_failures\nrequire_reply 68656c6c6f"),
        ),
        service(62, "UDP", own, &check("UDP_CHECK", "")),
        service(63, "UDP", own, &check("UDP_CHECK", "")),
        service(70, "TCP", own, &check("PING_CHECK", "")),
        service(71, "TCP", "192.0.2.99", &check("PING_CHECK", "")),
    ]
    .concat();
    let bed = Bed::new(&config);
    mail(&bed, 25, "220 ready\r\n");
    mail(&bed, 26, "554 go away\r\n");
    datagrams(&bed, 53, |question| name_server(question, 0));
    datagrams(&bed, 54, |question| name_server(question, 2));
    datagrams(&bed, 55, |_| None);
    datagrams(&bed, 60, |_| Some(b"hello".to_vec()));
    datagrams(&bed, 61, |_| Some(b"hullo".to_vec()));
    datagrams(&bed, 62, |_| None);
    let _daemon = bed.daemon();
    for text in [
        "Remote SMTP server [192.0.2.1]:tcp:25 succeed on service.",
        "SMTP_CHECK Bad greeting banner from server [192.0.2.1]:26",
        "Removing service [192.0.2.1]:tcp:26 from VS [192.0.2.100]:tcp:26",
        "SMTP_CHECK Could not connect to server [192.0.2.1]:27",
        "DNS_CHECK ([192.0.2.1]:udp:54) read error occurred. (rcode = 2)",
        "Removing service [192.0.2.1]:udp:54 from VS [192.0.2.100]:udp:54",
        "DNS_CHECK ([192.0.2.1]:udp:55) read timeout from socket",
        "UDP connection to [192.0.2.1]:udp:60 success.",
        "UDP_CHECK on service [192.0.2.1]:udp:61 failed.",
        "UDP check to [192.0.2.1]:udp:61 reply data mismatch.",
        "UDP connection to [192.0.2.1]:udp:62 success.",
        "UDP_CHECK on service [192.0.2.1]:udp:63 failed.",
        "ICMP connection to [192.0.2.1]:tcp:70 success.",
        "ICMP CHECK on service [192.0.2.99]:tcp:71 failed.",
    ] {
        bed.wait_log(text);
    }
    let told = bed.logged();
    assert!(
        !told
            .iter()
            .any(|line| line.contains("Removing service [192.0.2.1]:udp:53")),
        "{told:#?}"
    );
    // They come back with the first answer.
    let from = SystemTime::now();
    datagrams(&bed, 63, |_| None);
    for text in [
        "UDP connection to [192.0.2.1]:udp:63 success.",
        "Adding service [192.0.2.1]:udp:63 to VS [192.0.2.100]:udp:63",
    ] {
        bed.log.wait_for(SOON, from, text).unwrap();
    }
}

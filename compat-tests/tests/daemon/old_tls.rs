//! `SSL_GET` against servers of every age: each of them is healthy, so each check has to succeed.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use compat_tests::bed::{Host, Proc, needs, needs_root};
use nix::sys::signal::Signal;

use super::setup::{Bed, FILE, SOON};

/// Port, options of `openssl s_server`, certificate.
const SERVERS: [(u16, &str, &str); 8] = [
    (4431, "-tls1_3", "new"),
    (4432, "-tls1_2", "new"),
    (4433, "-tls1_2 -cipher AES128-SHA", "new"),
    (4434, "-tls1_2 -cipher DHE-RSA-AES128-SHA", "new"),
    (4435, "-tls1_2 -cipher ECDHE-RSA-AES128-SHA", "new"),
    (4436, "-tls1_1 -cipher ALL:@SECLEVEL=0", "new"),
    (4437, "-tls1 -cipher ALL:@SECLEVEL=0", "new"),
    (4438, "-tls1 -cipher AES128-SHA:@SECLEVEL=0", "old"),
];

fn service(port: u16, check: &str) -> String {
    format!(
        "virtual_server 192.0.2.100 {port} {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 {port} {{
        SSL_GET {{
            connect_timeout 3
            delay_before_retry 1
            warmup 0
            log_all_failures
            {check}
        }}
    }}
}}
"
    )
}

fn certificates(host: &Host) {
    for (name, bits, digest) in [("new", "2048", "-sha256"), ("old", "1024", "-sha1")] {
        let line = format!(
            "mkdir -p /run/tls && cd /run/tls && openssl req -x509 -newkey rsa:{bits} {digest} -nodes \
             -days 2 -subj /CN=lab -keyout {name}.key -out {name}.pem 2>&1"
        );
        let out = host.shell(&line).unwrap();
        assert!(out.stdout_if_ok("openssl req").is_ok());
    }
}

fn serve(bed: &Bed, port: u16, options: &str, certificate: &str) -> Proc {
    let mut command = Command::new("openssl");
    command
        .args([
            "s_server",
            "-www",
            "-quiet",
            "-accept",
            &format!("192.0.2.1:{port}"),
        ])
        .args(["-cert", &format!("/run/tls/{certificate}.pem")])
        .args(["-key", &format!("/run/tls/{certificate}.key")])
        .args(options.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    bed.host.spawn(command).unwrap()
}

/// Input: servers with TLS 1.0 to 1.3, RSA key exchange, DHE, CBC ciphers, a key of 1,024 bits, and
/// one that speaks no TLS. Output: all but the last are up.
#[test]
fn every_healthy_server_passes() {
    if !needs_root() || !needs("openssl") {
        return;
    }
    let mut config: String = SERVERS
        .iter()
        .map(|(port, _, _)| service(*port, "url {\n path /\n }"))
        .collect();
    config.push_str(&service(4439, "url {\n path /\n }"));
    let bed = Bed::new(&config);
    certificates(&bed.host);
    let _servers: Vec<Proc> = SERVERS
        .iter()
        .map(|(port, options, certificate)| serve(&bed, *port, options, certificate))
        .collect();
    let _plain = bed
        .host
        .enter(|| std::net::TcpListener::bind("192.0.2.1:4439"))
        .unwrap()
        .unwrap();
    let _daemon = bed.daemon();
    for (port, options, _) in SERVERS {
        println!("{options}");
        bed.wait_log(&format!(
            "Remote Web server [192.0.2.1]:tcp:{port} succeed on service."
        ));
    }
    bed.wait_log("Timeout connecting server [192.0.2.1]:tcp:4439.");
    bed.wait_log("SSL_CHECK on service [192.0.2.1]:tcp:4439 failed after 1 retries.");
    bed.wait_log("Removing service [192.0.2.1]:tcp:4439 from VS [192.0.2.100]:tcp:4439");
}

/// Input: nginx with two names behind one address. Output: with SNI the check reaches the one it
/// names; without, the first; each page has its own sum.
#[test]
fn nginx_is_asked_by_name() {
    if !needs_root() || !needs("openssl") || !needs("nginx") {
        return;
    }
    let config = [
        service(
            81,
            "connect_port 4440\nenable_sni\nvirtualhost two.example\nurl {\n path /\n \
             digest b8a9f715dbb64fd5c56e7783c6820a61\n }",
        ),
        service(
            82,
            "connect_port 4440\nhttp_protocol 1.1\nurl {\n path /\n virtualhost one.example\n \
             digest f97c5d29941bfb1b2fdab0874906ab82\n }",
        ),
        service(83, "connect_port 4440\ntls_compliant\nurl {\n path /\n }"),
        service(
            84,
            "connect_port 4440\nenable_sni\nsni_name two.example\nurl {\n path /\n \
             digest f70fa2f68bb5022ed9b4cb3a951c8c7b\n }",
        ),
    ]
    .concat();
    let bed = Bed::new(&config);
    certificates(&bed.host);
    bed.host
        .write(
            "/run/nginx.conf",
            "daemon off; master_process off; pid /run/web.pid; error_log stderr;
events {}
http {
    client_body_temp_path /run/web-1; proxy_temp_path /run/web-2; fastcgi_temp_path /run/web-3;
    uwsgi_temp_path /run/web-4; scgi_temp_path /run/web-5; access_log off;
    ssl_certificate /run/tls/new.pem; ssl_certificate_key /run/tls/new.key;
    server { listen 192.0.2.1:4440 ssl; server_name one.example;
        if ($ssl_server_name = 'two.example') { return 200 'sni'; }
        return 200 'one'; }
    server { listen 192.0.2.1:4440 ssl; server_name two.example;
        if ($ssl_server_name != 'two.example') { return 500; }
        return 200 'two'; }
}
",
        )
        .unwrap();
    let mut command = Command::new("nginx");
    command.args(["-c", "/run/nginx.conf"]).stdin(Stdio::null());
    let _nginx = bed.host.spawn(command).unwrap();
    let _daemon = bed.daemon();
    for port in [81, 82, 83, 84] {
        bed.wait_log(&format!(
            "Remote Web server [192.0.2.1]:tcp:{port} succeed on service."
        ));
    }
}

/// Input: a server that wants a certificate, one that does not, and one that is dead; first with a
/// key that the password opens, then after a reload with a password that does not. Output: what SSL
/// says is shown; later both stay in, the dead one goes, and the log says what is wrong but no
/// password.
#[test]
fn a_server_that_wants_a_certificate_is_shown_one() {
    if !needs_root() || !needs("openssl") {
        return;
    }
    let ssl = |password: &str| {
        format!(
            "SSL {{\n ca /run/tls/own.pem\n certificate /run/tls/own.pem\n key /run/tls/own.key\n \
             password {password}\n}}\n"
        )
    };
    let services: String = [4441, 4442, 4443]
        .into_iter()
        .map(|port| service(port, "url {\n path /\n }"))
        .collect();
    let bed = Bed::new(&format!("{}{services}", ssl("opens-it")));
    certificates(&bed.host);
    let line = "cd /run/tls && openssl req -x509 -newkey rsa:2048 -passout pass:opens-it -days 2 \
                -subj /CN=director -keyout own.key -out own.pem 2>&1";
    assert!(
        bed.host
            .shell(line)
            .unwrap()
            .stdout_if_ok("openssl req")
            .is_ok()
    );
    let asks = "-tls1_3 -Verify 1 -verify_return_error -CAfile /run/tls/own.pem";
    let _asks = serve(&bed, 4441, asks, "new");
    let _other = serve(&bed, 4442, "-tls1_2", "new");
    let mut daemon = bed.daemon();
    for port in [4441, 4442] {
        bed.wait_log(&format!(
            "Remote Web server [192.0.2.1]:tcp:{port} succeed on service."
        ));
    }
    bed.wait_log("Removing service [192.0.2.1]:tcp:4443 from VS [192.0.2.100]:tcp:4443");

    let from = SystemTime::now();
    let config = format!("{}{services}", ssl("wrong-word"));
    bed.host.write(FILE, config).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    for text in [
        "SSL error : Cant load key file...",
        "SSL: the key file /run/tls/own.key cannot be used:",
        "a check of [192.0.2.1]:tcp:4441 could not be made: it may want a certificate",
    ] {
        bed.log.wait_for(SOON, from, text).unwrap();
    }
    let told = bed.logged();
    for text in [
        "wrong-word",
        "opens-it",
        "Removing service [192.0.2.1]:tcp:4441",
        "Removing service [192.0.2.1]:tcp:4442",
    ] {
        assert!(
            !told.iter().any(|line| line.contains(text)),
            "{text}: {told:#?}"
        );
    }
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

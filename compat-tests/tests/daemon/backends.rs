//! Checks against the servers that stand behind directors: nginx with TLS of every age, Exim, NSD and
//! MariaDB. Each is healthy, stops and comes back; each check has to say so.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use compat_tests::bed::{Host, Proc, needs, needs_root, wait_until};
use compat_tests::lab::mysql;
use nix::sys::signal::{Signal, kill};

use super::setup::{Bed, SOON};

fn service(port: u16, protocol: &str, check: &str) -> String {
    format!(
        "virtual_server 192.0.2.100 {port} {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol {protocol}
    real_server 192.0.2.1 {port} {{
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
            connect_timeout 2
            delay_before_retry 1
            retry 1
            warmup 0
            log_all_failures
            {more}
        }}"
    )
}

fn start(host: &Host, words: &[&str]) -> Proc {
    let (program, arguments) = words.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    host.spawn(command).unwrap()
}

/// Waits until a port of the director itself takes connections.
fn wait_port(host: &Host, port: u16) {
    let taken = || {
        host.enter(move || std::net::TcpStream::connect(("192.0.2.1", port)).is_ok())
            .unwrap()
    };
    wait_until(SOON, &format!("port {port}"), taken).unwrap();
}

/// Ends a server; waits until each of its ports has left the service, then starts it again and waits
/// until they are back.
fn goes_and_comes_back(bed: &Bed, mut server: Proc, again: &[&str], ports: &[u16]) -> Proc {
    let wait = |from, what: &str| {
        for port in ports {
            let vs = format!("service [192.0.2.1]:{}:{port} ", protocol(*port));
            bed.log
                .wait_for(SOON, from, &format!("{what} {vs}"))
                .unwrap();
        }
    };
    let from = SystemTime::now();
    server.signal(Signal::SIGTERM).unwrap();
    server.wait(SOON).unwrap();
    wait(from, "Removing");
    let from = SystemTime::now();
    let server = start(&bed.host, again);
    wait(from, "Adding");
    server
}

/// Names are asked by datagrams, from port 5301 on.
fn protocol(port: u16) -> &'static str {
    if port > 5300 { "udp" } else { "tcp" }
}

fn nginx(servers: &str) -> String {
    format!(
        "daemon off; master_process off; pid /run/web.pid; error_log stderr;
events {{}}
http {{
    client_body_temp_path /run/web-1; proxy_temp_path /run/web-2; fastcgi_temp_path /run/web-3;
    uwsgi_temp_path /run/web-4; scgi_temp_path /run/web-5; access_log off;
    ssl_certificate /run/tls/new.pem; ssl_certificate_key /run/tls/new.key;
    {servers}
}}
"
    )
}

/// Input: nginx with TLS 1.3, 1.2, 1.2 by RSA key exchange with CBC, 1.0, 1.0 with a key of 1,024
/// bits; each asked by HTTP 1.0, 1.0C and 1.1. Output: all are up, go with nginx and come back.
#[test]
fn nginx_with_tls_of_every_age() {
    if !needs_root() || !needs("nginx") || !needs("openssl") {
        return;
    }
    let kinds = [
        (4431, "TLSv1.3", "", "new"),
        (4432, "TLSv1.2", "", "new"),
        (4433, "TLSv1.2", "ssl_ciphers AES128-SHA;", "new"),
        (
            4434,
            "TLSv1.2",
            "ssl_ciphers ECDHE-RSA-AES256-SHA384;",
            "new",
        ),
        (4435, "TLSv1", "ssl_ciphers ALL:@SECLEVEL=0;", "new"),
        (4436, "TLSv1", "ssl_ciphers AES128-SHA:@SECLEVEL=0;", "old"),
    ];
    let versions = ["1.0", "1.0C", "1.1"];
    let mut config = String::new();
    let mut servers = String::new();
    for (at, (port, protocols, ciphers, key)) in kinds.into_iter().enumerate() {
        let version = versions[at % versions.len()];
        // MD5 of `hello world`.
        let ask = format!(
            "http_protocol {version}\n url {{\n path /\n digest 5eb63bbbe01eeed093cb22bb8f5acdc3\n }}"
        );
        config.push_str(&service(port, "TCP", &check("SSL_GET", &ask)));
        servers.push_str(&format!(
            "server {{ listen 192.0.2.1:{port} ssl; ssl_protocols {protocols}; {ciphers}
             ssl_certificate /run/tls/{key}.pem; ssl_certificate_key /run/tls/{key}.key;
             location = / {{ return 200 'hello world'; }} }}\n"
        ));
    }
    let bed = Bed::new(&config);
    for (name, bits, digest) in [("new", "2048", "-sha256"), ("old", "1024", "-sha1")] {
        let line = format!(
            "mkdir -p /run/tls && cd /run/tls && openssl req -x509 -newkey rsa:{bits} {digest} -nodes \
             -days 2 -subj /CN=lab -keyout {name}.key -out {name}.pem 2>&1"
        );
        let out = bed.host.shell(&line).unwrap();
        out.stdout_if_ok("openssl req").unwrap();
    }
    bed.host.write("/run/nginx.conf", nginx(&servers)).unwrap();
    let run = ["nginx", "-c", "/run/nginx.conf"];
    let web = start(&bed.host, &run);
    for (port, ..) in kinds {
        wait_port(&bed.host, port);
    }
    let mut daemon = bed.daemon();
    for (port, ..) in kinds {
        bed.wait_log(&format!(
            "Remote Web server [192.0.2.1]:tcp:{port} succeed on service."
        ));
    }
    let ports: Vec<u16> = kinds.iter().map(|(port, ..)| *port).collect();
    let _web = goes_and_comes_back(&bed, web, &run, &ports);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

const EXIM: &str = "\
spool_directory = /run/exim
log_file_path = /run/exim/%slog
pid_file_path = /run/exim/pid
primary_hostname = mail.lab
smtp_banner = $primary_hostname ESMTP\\nof the lab
daemon_smtp_ports = 25
local_interfaces = 192.0.2.1
acl_smtp_helo = helo
acl_smtp_connect = connect
host_lookup =
rfc1413_query_timeout = 0s
never_users =
tls_advertise_hosts =

begin acl

connect:
  deny condition = ${if exists{/run/exim/closed}}
       message = not now
  accept

helo:
  deny condition = ${if eq{$sender_helo_name}{nobody.lab}}
       message = not you
  accept
";

/// Input: Exim, whose banner has two lines, that takes one name of two and closes for a while.
/// Output: which of banner and greeting was wrong; the service goes and comes back with Exim.
#[test]
fn exim_greets() {
    if !needs_root() || !needs("exim4") {
        return;
    }
    let own = "192.0.2.1";
    let more = |more: &str| check("SMTP_CHECK", &format!("connect_port 25\n{more}"));
    let config = [
        service(251, "TCP", &more("")),
        service(252, "TCP", &more("helo_name director.lab")),
        service(253, "TCP", &more("helo_name nobody.lab")),
    ]
    .concat();
    let bed = Bed::new(&config);
    bed.host.write("/run/exim.conf", EXIM).unwrap();
    let line = "mkdir -p /run/exim && chown -R Debian-exim:Debian-exim /run/exim";
    bed.host.shell(line).unwrap().stdout_if_ok(line).unwrap();
    let run = ["exim4", "-bdf", "-C", "/run/exim.conf"];
    let exim = start(&bed.host, &run);
    wait_port(&bed.host, 25);
    let mut daemon = bed.daemon();
    for text in [
        format!("Remote SMTP server [{own}]:tcp:251 succeed on service."),
        format!("Remote SMTP server [{own}]:tcp:252 succeed on service."),
        format!("SMTP_CHECK Bad HELO response from server [{own}]:25"),
        format!("Removing service [{own}]:tcp:253 from VS [192.0.2.100]:tcp:253"),
    ] {
        bed.wait_log(&text);
    }
    let from = SystemTime::now();
    bed.host.write("/run/exim/closed", "").unwrap();
    let text = format!("SMTP_CHECK Bad greeting banner from server [{own}]:25");
    bed.log.wait_for(SOON, from, &text).unwrap();
    let text = format!("Removing service [{own}]:tcp:251 from VS");
    bed.log.wait_for(SOON, from, &text).unwrap();
    bed.host.must(&["rm", "/run/exim/closed"]).unwrap();
    let text = format!("Adding service [{own}]:tcp:251 to VS");
    bed.log.wait_for(SOON, from, &text).unwrap();
    let _exim = goes_and_comes_back(&bed, exim, &run, &[251, 252]);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// A signed zone needs no true signatures to be served.
const ZONE: &str = "\
$ORIGIN lab.example.
$TTL 60
@ IN SOA ns.lab.example. root.lab.example. 1 3600 600 86400 60
@ IN NS ns
@ IN MX 10 www
@ IN TXT \"a text\"
@ IN DNSKEY 257 3 8 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=
@ IN RRSIG SOA 8 2 60 20380101000000 20200101000000 1 lab.example. AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=
ns IN A 192.0.2.1
www IN A 192.0.2.7
www IN AAAA 2001:db8::7
web IN CNAME www
";

/// Input: NSD with one zone; questions of each type, for a name that is not there and for a zone that
/// it does not have. Output: all but the last two are up, which say why; they go and come back.
#[test]
fn nsd_answers() {
    if !needs_root() || !needs("nsd") {
        return;
    }
    let questions = [
        (5301, "type A\n name www.lab.example"),
        (5302, "type NS\n name lab.example"),
        (5303, "type CNAME\n name web.lab.example"),
        (5304, "type SOA\n name lab.example."),
        (5305, "type MX\n name lab.example"),
        (5306, "type TXT\n name lab.example"),
        (5307, "type AAAA\n name www.lab.example"),
        (5308, "type RRSIG\n name lab.example"),
        (5309, "type DNSKEY\n name lab.example"),
        (5310, "type A\n name nobody.lab.example"),
        (5311, "type A\n name www.example.net"),
    ];
    let config: String = questions
        .iter()
        .map(|(port, question)| {
            let more = format!("connect_port 53\n{question}");
            service(*port, "UDP", &check("DNS_CHECK", &more))
        })
        .collect();
    let bed = Bed::new(&config);
    bed.host.write("/run/nsd/zone", ZONE).unwrap();
    let server = "server:
 ip-address: 192.0.2.1
 username: \"\"
 chroot: \"\"
 zonesdir: /run/nsd
 database: \"\"
 pidfile: /run/nsd/pid
 xfrdfile: /run/nsd/xfrd.state
 xfrdir: /run/nsd
 zonelistfile: /run/nsd/zone.list
remote-control:
 control-enable: no
zone:
 name: lab.example
 zonefile: zone
";
    bed.host.write("/run/nsd/nsd.conf", server).unwrap();
    let run = ["nsd", "-d", "-c", "/run/nsd/nsd.conf"];
    let nsd = start(&bed.host, &run);
    wait_port(&bed.host, 53);
    let mut daemon = bed.daemon();
    let up: Vec<u16> = (5301..5310).collect();
    for (port, rcode) in [(5310, 3), (5311, 5)] {
        bed.wait_log(&format!(
            "DNS_CHECK ([192.0.2.1]:udp:{port}) read error occurred. (rcode = {rcode})"
        ));
        bed.wait_log(&format!("Removing service [192.0.2.1]:udp:{port} from VS"));
    }
    let _nsd = goes_and_comes_back(&bed, nsd, &run, &up);
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Input: MariaDB that answers, stands still, goes on, stops and starts, behind `TCP_CHECK` and behind
/// a script that asks it something. Output: the script alone sees the standstill; both see the stop.
#[test]
fn mariadb_is_asked_by_connections_and_by_queries() {
    if !needs_root() || !needs("mariadbd") || !needs("mysql") {
        return;
    }
    let data = tempfile::Builder::new()
        .prefix("mariadb.")
        .tempdir()
        .unwrap();
    let prepared = data.path().join("prepared");
    mysql::prepare(&prepared).unwrap();
    let own = data.path().join("own");
    let mut server = mysql::Server::new(1, &prepared, own, "192.0.2.2").unwrap();
    let script = "MISC_CHECK {
            misc_path \"/run/checks/mysql 192.0.2.1\"
            misc_timeout 2
            retry 1
            delay_before_retry 1
            warmup 0
            user root
        }";
    let tcp = check("TCP_CHECK", "connect_port 3306");
    let config = [service(3306, "TCP", &tcp), service(3307, "TCP", script)].concat();
    let bed = Bed::new(&config);
    let query = "#!/bin/sh\nexec mysql --no-defaults -h$1 -utest -p123456 -N -B -e \
                 'SELECT name FROM huanqiu.haha WHERE id = 1' | grep -q wangshibo\n";
    bed.host.write("/run/checks/mysql", query).unwrap();
    bed.host
        .must(&["chmod", "755", "/run/checks/mysql"])
        .unwrap();
    server.start(&bed.host).unwrap();
    server.wait_for_port(&bed.host).unwrap();
    let mut daemon = bed.daemon();
    let by =
        "Misc check for [[192.0.2.1]:tcp:3307 VS [192.0.2.100]:tcp:3307] by [/run/checks/mysql]";
    bed.wait_log("TCP connection to [192.0.2.1]:tcp:3306 success.");
    bed.wait_log(&format!("{by} succeeded."));

    let (out, back) = (
        |port: u16| format!("Removing service [192.0.2.1]:tcp:{port} from VS"),
        |port: u16| format!("Adding service [192.0.2.1]:tcp:{port} to VS"),
    );
    let pid = server.pid().unwrap();
    let from = SystemTime::now();
    kill(pid, Signal::SIGSTOP).unwrap();
    bed.log
        .wait_for(SOON, from, &format!("{by} timed out"))
        .unwrap();
    bed.log.wait_for(SOON, from, &out(3307)).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    bed.log.wait_for(SOON, from, &back(3307)).unwrap();
    let told = bed.log.since(from);
    let gone = |line: &compat_tests::bed::Line| line.text.contains(&out(3306));
    assert!(!told.iter().any(gone), "the kernel takes its connections");

    let from = SystemTime::now();
    server.begin_stop().unwrap();
    for port in [3306, 3307] {
        bed.log.wait_for(SOON, from, &out(port)).unwrap();
    }
    server.finish_stop().unwrap();
    let from = SystemTime::now();
    server.start(&bed.host).unwrap();
    server.wait_for_port(&bed.host).unwrap();
    for port in [3306, 3307] {
        bed.log.wait_for(SOON, from, &back(port)).unwrap();
    }
    server.begin_stop().unwrap();
    server.finish_stop().unwrap();
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

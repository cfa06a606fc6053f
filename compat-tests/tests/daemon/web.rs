//! `HTTP_GET` against a real nginx and against servers that misbehave.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use compat_tests::bed::{Proc, needs, needs_root};

use super::setup::{Bed, SOON};

const NGINX: &str = "daemon off; master_process off; pid /run/web.pid; error_log stderr;
events {}
http {
    access_log /run/web.log;
    client_body_temp_path /run/web-1; proxy_temp_path /run/web-2; fastcgi_temp_path /run/web-3;
    uwsgi_temp_path /run/web-4; scgi_temp_path /run/web-5;
    log_format names '$host $request_uri $server_protocol';
    access_log /run/names.log names;
    server {
        listen 192.0.2.1:8080;
        location = / { return 200 'hello world'; }
        location = /old { return 301 /; }
        location = /broken { return 500 'no'; }
    }
}
";

/// A service whose server is checked so.
fn service(port: u16, check: &str) -> String {
    format!(
        "virtual_server 192.0.2.100 {port} {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 {port} {{
        HTTP_GET {{
            connect_timeout 2
            delay_before_retry 1
            warmup 0
            log_all_failures
            connect_port 8080
            {check}
        }}
    }}
}}
"
    )
}

fn nginx(bed: &Bed) -> Proc {
    bed.host.write("/run/nginx.conf", NGINX).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-c", "/run/nginx.conf"]).stdin(Stdio::null());
    bed.host.spawn(command).unwrap()
}

/// Input: a real nginx and checks of its pages. Output: the verdicts and lines of keepalived; each
/// request names the host that is configured.
#[test]
fn nginx_is_judged_by_status_and_digest() {
    if !needs_root() || !needs("nginx") {
        return;
    }
    let config: String = [
        service(81, "url {\n path /\n status_code 200\n }"),
        service(
            82,
            "http_protocol 1.1\nvirtualhost shop.example\nurl {\n path /\n digest 5eb63bbbe01eeed093cb22bb8f5acdc3\n }",
        ),
        service(83, "url {\n path /old\n }"),
        service(84, "url {\n path /\n }\nurl {\n path /broken\n }"),
        service(
            85,
            "http_protocol 1.0C\nurl {\n path /\n digest 00b63bbbe01eeed093cb22bb8f5acdc3\n }",
        ),
        service(86, "url {\n path /\n regex \"^hel+o.w\"\n }"),
        service(
            87,
            "url {\n path /\n regex WORLD\n regex_options caseless\n regex_no_match\n }",
        ),
        service(
            88,
            "url {\n path /\n regex o\n regex_min_offset 5\n regex_max_offset 6\n }",
        ),
    ]
    .concat();
    let bed = Bed::new(&config);
    let web = nginx(&bed);
    let _daemon = bed.daemon();
    for text in [
        "Remote Web server [192.0.2.1]:tcp:81 succeed on service.",
        "Remote Web server [192.0.2.1]:tcp:82 succeed on service.",
        "HTTP status code error to server [192.0.2.1]:tcp:83.",
        "HTTP_CHECK on service [192.0.2.1]:tcp:83 failed after 1 retries.",
        "Removing service [192.0.2.1]:tcp:83 from VS [192.0.2.100]:tcp:83",
        "HTTP status code error to server [192.0.2.1]:tcp:84.",
        "Removing service [192.0.2.1]:tcp:84 from VS [192.0.2.100]:tcp:84",
        "MD5 digest error to server [192.0.2.1]:tcp:85.",
        "Removing service [192.0.2.1]:tcp:85 from VS [192.0.2.100]:tcp:85",
        "Remote Web server [192.0.2.1]:tcp:86 succeed on service.",
        "Regex match failed server [192.0.2.1]:tcp:87.",
        "Removing service [192.0.2.1]:tcp:87 from VS [192.0.2.100]:tcp:87",
        "Regex match failed server [192.0.2.1]:tcp:88.",
    ] {
        bed.wait_log(text);
    }
    let names = bed.host.read("/run/names.log").unwrap();
    for line in [
        "192.0.2.1 / HTTP/1.0",
        "shop.example / HTTP/1.1",
        "192.0.2.1 /old HTTP/1.0",
    ] {
        assert!(names.lines().any(|found| found == line), "{line}: {names}");
    }
    let from = SystemTime::now();
    drop(web);
    for text in [
        "Connection failed server [192.0.2.1]:tcp:81.",
        "Removing service [192.0.2.1]:tcp:81 from VS [192.0.2.100]:tcp:81",
    ] {
        bed.log.wait_for(SOON, from, text).unwrap();
    }
    let from = SystemTime::now();
    let _web = nginx(&bed);
    for text in [
        "HTTP status code success to [192.0.2.1]:tcp:81 url(/)",
        "Remote Web server [192.0.2.1]:tcp:81 succeed on service.",
        "Adding service [192.0.2.1]:tcp:81 to VS [192.0.2.100]:tcp:81",
        "MD5 digest success to [192.0.2.1]:tcp:82 url(/)",
        "Adding service [192.0.2.1]:tcp:82 to VS [192.0.2.100]:tcp:82",
        "Regex match success to [192.0.2.1]:tcp:86 url(/)",
    ] {
        bed.log.wait_for(SOON, from, text).unwrap();
    }
}

/// Input: a server that sends a megabyte, and one that says nothing. Output: the first is read to
/// its end; the second runs into the timeout, and is said to.
#[test]
fn long_answers_are_read_and_silence_is_not_waited_for() {
    if !needs_root() {
        return;
    }
    let config = [
        service(
            81,
            "connect_port 8081\nurl {\n path /\n digest b6d81b360a5672d80c27430f39153e2c\n }",
        ),
        service(82, "connect_port 8082\nurl {\n path /\n }"),
    ]
    .concat();
    let bed = Bed::new(&config);
    let serve = |port: u16, answer: Option<Vec<u8>>| {
        let listener = bed
            .host
            .enter(move || TcpListener::bind(("192.0.2.1", port)));
        let listener = listener.unwrap().unwrap();
        // Ends with the test's process; what is not answered is kept open.
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let mut room = [0; 4096];
                // A peer that went away meanwhile is none of this server's business.
                drop(stream.read(&mut room));
                if let Some(answer) = &answer {
                    drop(stream.write_all(answer));
                } else {
                    open.push(stream);
                }
            }
        });
    };
    let mut page = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
    page.extend(vec![0; 1 << 20]);
    serve(8081, Some(page));
    serve(8082, None);
    let _daemon = bed.daemon();
    bed.wait_log("Remote Web server [192.0.2.1]:tcp:81 succeed on service.");
    bed.wait_log("Timeout WEB read server [192.0.2.1]:tcp:82.");
    bed.wait_log("Removing service [192.0.2.1]:tcp:82 from VS [192.0.2.100]:tcp:82");
}

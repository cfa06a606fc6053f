//! `genhash` beside the real one's, byte by byte, against one web server.
//!
//! Owns: the pages of that server, and what is left out of the comparison: the time that it took.
//! Ours is asked in all three ways, as an installed link, with `-T`, and with `--genhash`. What both
//! print of a connection that fails is compared too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use compat_tests::bed::{Host, Output, needs_root};
use compat_tests::routers::both_daemons;

/// What the server says, by the page that is asked for; each part is sent alone.
fn page(request: &str) -> Vec<Vec<u8>> {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let whole: &[&[u8]] = match path {
        "/empty" => &[b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
        "/gone" => &[b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 4\r\n\r\ngone"],
        "/bytes" => &[b"HTTP/1.0 200 OK\r\n\r\n", b"\x00\x01\xff\r\n\x7f"],
        "/parts" => &[b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nhel", b"lo wo", b"rld"],
        "/garbage" => &[b"no web server"],
        "/silence" => &[],
        "/long" => {
            let head = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
            return vec![head, b"0123456789abcdef".repeat(700)];
        }
        // What was asked, as the page.
        _ => {
            let head = format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n",
                request.len()
            );
            return vec![[head.as_bytes(), request.as_bytes()].concat()];
        }
    };
    whole.iter().map(|part| part.to_vec()).collect()
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    let mut room = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut room)?;
        if count == 0 {
            break;
        }
        request.extend(&room[..count]);
    }
    for part in page(&String::from_utf8_lossy(&request)) {
        stream.write_all(&part)?;
        // So that each comes alone.
        std::thread::sleep(Duration::from_millis(30));
    }
    stream.shutdown(Shutdown::Both)
}

/// Both outputs and the status, without the time and the name of the program.
fn normal(output: &Output, program: &str) -> (i32, String, String) {
    let text = |text: &str| -> String {
        let lines = text.split_inclusive('\n');
        let lines = lines.map(|line| match line.split_once("Global response time for ") {
            Some((before, rest)) => {
                let url = rest.split(" = ").next().unwrap_or_default();
                format!("{before}Global response time for {url} = N usecs\n")
            }
            None => line.replace(program, "genhash"),
        });
        lines.collect()
    };
    (output.code, text(&output.stdout), text(&output.stderr))
}

/// Input: pages and options of every kind. Output: of `genhash` the real one's.
#[test]
fn genhash_prints_what_the_real_one_does() {
    let Some([ours, real]) = both_daemons().filter(|_| needs_root()) else {
        return;
    };
    // The name counts, not what it leads to.
    let folders = std::fs::canonicalize(&real).unwrap();
    let real = folders.ancestors().nth(2).unwrap().join("bin/genhash");
    if !real.exists() {
        println!("skipped: there is no {}", real.display());
        return;
    }
    let ours = std::fs::canonicalize(ours).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("genhash");
    std::os::unix::fs::symlink(&ours, &link).unwrap();
    let host = Host::new("web").unwrap();
    let bind = || TcpListener::bind("127.0.0.1:0");
    let listener = host.enter(bind).unwrap().unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // One that goes away is none of this server's business.
            drop(stream.and_then(answer));
        }
    });
    let [ours, link, real] = [ours, link, real].map(|path| path.display().to_string());
    let ask = |program: &[&str], words: &str| {
        let words = words.split_whitespace();
        let line: Vec<&str> = program.iter().copied().chain(words).collect();
        normal(&host.run(&line).unwrap(), &program.join(" "))
    };
    let at = format!("-s 127.0.0.1 -p {port}");
    let mut lines = vec![
        format!("{at} -u / -V shop.example"),
        format!("{at} -u /x -P 1.0c -V [::1]"),
        format!("--server 127.0.0.1 --port {port} --url /x --protocol 1.1 --use-virtualhost y"),
        format!("{at} -u /x -t 3 -m 0"),
        format!("{at} -u /x -P 2.0"),
        format!("{at}"),
        "-s 127.0.0.1 -p 1 -u /".to_owned(),
        "-h".to_owned(),
        String::new(),
    ];
    for page in [
        "empty", "gone", "bytes", "parts", "garbage", "silence", "long",
    ] {
        lines.push(format!("{at} -u /{page}"));
        lines.push(format!("{at} -u /{page} -v"));
    }
    for words in lines {
        let expected = ask(&[&real], &words);
        assert_eq!(ask(&[&link], &words), expected, "{words}");
        for option in ["-T", "--genhash"] {
            let (code, output, errors) = ask(&[&ours, option], &words);
            assert_eq!(
                (code, &output),
                (expected.0, &expected.1),
                "{option} {words}"
            );
            // The usage calls the program otherwise.
            assert_eq!(errors.is_empty(), expected.2.is_empty(), "{option} {words}");
        }
    }
}

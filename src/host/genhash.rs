//! `genhash`: asks for a web page and prints the MD5 sum of its body, for `digest` of `HTTP_GET`.
//!
//! Owns: its options, its output (that of keepalived 2.2.7, byte for byte) and a connection of its
//! own. Never does: anything for the daemon; it runs alone, and waits. Driven by: `main`, when the
//! program is called `genhash` or with `--genhash`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use md5::{Digest as _, Md5};
use socket2::{Domain, Protocol, Socket, Type};

use super::clock;
use super::tls::{self, Step};

/// How much is read and shown at once, as with keepalived.
const ROOM: usize = 4095;
/// How long each step may take if nothing is said, in seconds.
const TIMEOUT: u64 = 5;

/// What the page is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    server: IpAddr,
    port: u16,
    url: String,
    host: Option<String>,
    tls: bool,
    sni: bool,
    mark: u32,
    /// Version, and whether the peer is asked to close.
    protocol: (&'static str, bool),
    timeout: Duration,
    verbose: bool,
}

/// How the program is called, if it is called as `genhash`: what it calls itself, and its options.
#[must_use]
pub fn called(arguments: &[OsString]) -> Option<(String, Vec<String>)> {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let own = arguments.first().map(text)?;
    let (name, rest) = if own.rsplit('/').next() == Some("genhash") {
        (own, 1)
    } else {
        let first = arguments.get(1).map(text)?;
        if first != "-T" && first != "--genhash" {
            return None;
        }
        (format!("{own} --genhash"), 2)
    };
    Some((name, arguments.iter().skip(rest).map(text).collect()))
}

/// Runs it; gives its exit status.
#[must_use]
pub fn run(name: &str, words: &[String]) -> i32 {
    match parse(words) {
        Err(complaint) => {
            let complaint = complaint.map_or(String::new(), |text| format!("{text}\n"));
            let text = format!("{complaint}{}", usage(name));
            drop(io::stderr().lock().write_all(text.as_bytes()));
            1
        }
        Ok(request) => {
            let mut report = Report::default();
            request.carry_out(&mut report);
            drop(io::stderr().lock().write_all(report.errors.as_bytes()));
            drop(io::stdout().lock().write_all(&report.output));
            0
        }
    }
}

fn usage(name: &str) -> String {
    format!(
        "Usage: {name} COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
"
    )
}

/// Long options with their letters.
const LONG: [(&str, char); 11] = [
    ("use-ssl", 'S'),
    ("use-sni", 'I'),
    ("server", 's'),
    ("port", 'p'),
    ("url", 'u'),
    ("use-virtualhost", 'V'),
    ("verbose", 'v'),
    ("help", 'h'),
    ("fwmark", 'm'),
    ("protocol", 'P'),
    ("timeout", 't'),
];

/// The options as letters, with their values; and words that are none.
type Options = (Vec<(char, Option<String>)>, Vec<String>);

/// Splits as `getopt_long` does.
fn options(words: &[String]) -> Result<Options, String> {
    let valued = |letter| "spuVmPt".contains(letter);
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            rest.extend(words.by_ref().cloned());
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let exact = LONG.iter().find(|(known, _)| *known == name);
            let mut begun = LONG.iter().filter(|(known, _)| known.starts_with(name));
            let letter = match (exact, begun.next(), begun.next()) {
                (Some((_, letter)), ..) | (None, Some((_, letter)), None) => *letter,
                _ => return Err(format!("Unknown option {word}")),
            };
            let value = match (valued(letter), value) {
                (true, None) => {
                    let missing = || format!("Missing parameter for option --{name}");
                    Some(words.next().ok_or_else(missing)?.clone())
                }
                (_, value) => value,
            };
            found.push((letter, value));
        } else if word.len() > 1 && word.starts_with('-') {
            let letters = word.get(1..).unwrap_or_default();
            for (at, letter) in letters.char_indices() {
                if !LONG.iter().any(|(_, known)| *known == letter) {
                    return Err(format!("Unknown option -{letter}"));
                }
                if !valued(letter) {
                    found.push((letter, None));
                    continue;
                }
                let glued = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                let value = if glued.is_empty() {
                    let missing = || format!("Missing parameter for option -{letter}");
                    words.next().ok_or_else(missing)?.clone()
                } else {
                    glued.to_owned()
                };
                found.push((letter, Some(value)));
                break;
            }
        } else {
            rest.push(word.clone());
        }
    }
    Ok((found, rest))
}

/// The error is a complaint, or none where the usage says enough.
fn parse(words: &[String]) -> Result<Request, Option<String>> {
    let (options, rest) = options(words).map_err(Some)?;
    let (mut server, mut port, mut url) = (None, None, None);
    let mut request = Request {
        server: IpAddr::from([0; 4]),
        port: 0,
        url: String::new(),
        host: None,
        tls: false,
        sni: false,
        mark: 0,
        protocol: ("1.0", false),
        timeout: Duration::from_secs(TIMEOUT),
        verbose: false,
    };
    for (letter, value) in options {
        let value = value.unwrap_or_default();
        match letter {
            'S' => request.tls = true,
            'I' => request.sni = true,
            'v' => request.verbose = true,
            's' => match value.parse() {
                Ok(address) => server = Some(address),
                Err(_) => return Err(Some(format!("server should be an IP, not {value}"))),
            },
            'p' => match value.parse().ok().filter(|port| *port > 0) {
                Some(number) => port = Some(number),
                None => return Err(Some(format!("invalid port number '{value}'"))),
            },
            'u' => url = Some(value),
            'V' => request.host = Some(value),
            'm' => match value.parse() {
                Ok(mark) => request.mark = mark,
                Err(_) => return Err(Some(format!("invalid fwmark '{value}'"))),
            },
            'P' => {
                request.protocol = match value.to_ascii_lowercase().as_str() {
                    "1.0" => ("1.0", false),
                    "1.0c" => ("1.0", true),
                    "1.1" => ("1.1", true),
                    _ => return Err(Some(format!("invalid HTTP protocol version '{value}'"))),
                }
            }
            't' => match value.parse().ok().filter(|seconds| *seconds > 0) {
                Some(seconds) => request.timeout = Duration::from_secs(seconds),
                None => return Err(Some(format!("invalid timeout '{value}'"))),
            },
            // -h; nothing else is let through.
            _ => return Err(None),
        }
    }
    if !rest.is_empty() {
        return Err(Some(format!("Unexpected argument(s): {}", rest.join(" "))));
    }
    let (Some(server), Some(port), Some(url)) = (server, port, url) else {
        return Err(None);
    };
    (request.server, request.port, request.url) = (server, port, url);
    Ok(request)
}

/// What is printed where.
#[derive(Debug, Default)]
struct Report {
    output: Vec<u8>,
    errors: String,
}

impl Report {
    fn line(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.push(b'\n');
    }

    fn dump(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(dump(bytes).as_bytes());
    }
}

/// What bytes go through.
enum Stream {
    Plain(Socket),
    Tls(Box<tls::Session>),
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(room),
            Self::Tls(session) => session.read(room),
        }
    }
}

/// Whether a step was given up because of its time.
fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl Request {
    fn carry_out(&self, report: &mut Report) {
        let start = clock::now();
        self.ask(report);
        if self.verbose {
            let micros = clock::now().saturating_since(start).as_micros();
            report.line("");
            report.line(&format!(
                "Global response time for [{}] = {micros} usecs",
                self.url
            ));
        }
    }

    fn ask(&self, report: &mut Report) {
        let mut stream = match self.connect() {
            Ok(stream) => stream,
            Err(complaint) => return report.line(complaint),
        };
        let asked = match &mut stream {
            Stream::Plain(socket) => socket.write_all(&self.text()),
            Stream::Tls(session) => session.write_all(&self.text()),
        };
        if asked.is_err() {
            return report.line("Cannot send get request");
        }
        let Some(sum) = self.read(&mut stream, report) else {
            return;
        };
        self.show_sum(&sum, report);
        let hex = sum.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        report.line(&hex);
    }

    fn show_sum(&self, sum: &[u8], report: &mut Report) {
        if self.verbose {
            report.line("");
            report.line(&title("   HTML hash resulting   "));
            report.dump(sum);
            report.line(&title("HTML hash final resulting"));
        }
    }

    fn connect(&self) -> Result<Stream, &'static str> {
        const FAILED: &str = "Connection failed";
        let address = SocketAddr::new(self.server, self.port);
        let domain = Domain::for_address(address);
        let open = || -> io::Result<Socket> {
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            if self.mark != 0 {
                socket.set_mark(self.mark)?;
            }
            socket.set_read_timeout(Some(self.timeout))?;
            socket.set_write_timeout(Some(self.timeout))?;
            Ok(socket)
        };
        let socket = open().map_err(|_| FAILED)?;
        match socket.connect_timeout(&address.into(), self.timeout) {
            Ok(()) => {}
            Err(error) if is_late(&error) => return Err("Timeout connecting"),
            Err(_) => return Err(FAILED),
        }
        if !self.tls {
            return Ok(Stream::Plain(socket));
        }
        const BROKEN: &str = "SSL handshake/communication error connecting to";
        let name = self.host.as_deref().filter(|_| self.sni);
        let mut session = tls::Client::default()
            .session(socket, name)
            .map_err(|_| BROKEN)?;
        match tls::shake(&mut session) {
            Step::Done(_) => Ok(Stream::Tls(Box::new(session))),
            // A socket with a timeout says this when that is over.
            Step::Wait => Err("Timeout connecting"),
            Step::Closed | Step::CutOff | Step::Failed(_) => Err(BROKEN),
        }
    }

    /// As the daemon asks.
    fn text(&self) -> Vec<u8> {
        let (version, close) = self.protocol;
        let close = if close { "Connection: close\r\n" } else { "" };
        let address = SocketAddr::new(self.server, self.port);
        let host = self.host.clone().unwrap_or_else(|| address.to_string());
        format!(
            "GET {} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n\r\n",
            self.url
        )
        .into_bytes()
    }

    /// Reads to the end; gives the sum of the body.
    fn read(&self, stream: &mut Stream, report: &mut Report) -> Option<[u8; 16]> {
        let mut md5 = Md5::new();
        let mut head: Option<Vec<u8>> = Some(Vec::new());
        let mut room = [0; ROOM];
        loop {
            // The header is read as a whole; what comes with it is the first part of the body.
            let seen = head.as_ref().map_or(0, |head| head.len() % ROOM);
            let free = room.get_mut(seen..)?;
            let count = match stream.read(free) {
                Ok(count) => count,
                Err(error) if is_late(&error) => {
                    let silent = head.as_ref().is_some_and(Vec::is_empty);
                    report.line(match (self.tls, silent) {
                        (true, _) => "Timeout SSL read",
                        (false, true) => "Timeout WEB read",
                        (false, false) => "Timeout HTTP read",
                    });
                    return None;
                }
                // Servers that hang up without ending TLS are common.
                Err(_) if head.is_none() => 0,
                Err(_) => {
                    report.line("Read error with server");
                    return None;
                }
            };
            let bytes = free.get(..count)?;
            let Some(header) = &mut head else {
                if count == 0 {
                    return Some(md5.finalize().into());
                }
                md5.update(bytes);
                if self.verbose {
                    report.dump(bytes);
                }
                continue;
            };
            if count == 0 {
                if self.verbose && !header.is_empty() {
                    report.line(&title("   HTTP Header Buffer   "));
                }
                // As if there had been a page without a byte.
                self.show_sum(&Md5::new().finalize(), report);
                report
                    .errors
                    .push_str("no data received from remote webserver\n");
                return None;
            }
            header.extend_from_slice(bytes);
            if let Some(end) = header.windows(4).position(|four| four == b"\r\n\r\n") {
                let (own, body) = header.split_at(end + 4);
                md5.update(body);
                if self.verbose {
                    show_header(own, body, report);
                }
                head = None;
            }
        }
    }
}

fn show_header(header: &[u8], body: &[u8], report: &mut Report) {
    report.line(&title("   HTTP Header Buffer   "));
    report.dump(header);
    report.line(&title("HTTP Header Ascii Buffer"));
    report.output.extend_from_slice(header);
    report.line("");
    if !body.is_empty() {
        report.line(&title("       HTML Buffer       "));
        report.dump(body);
    }
}

/// A line with a word in its middle.
fn title(text: &str) -> String {
    const DASHES: &str = "-----------------------";
    format!("{DASHES}[ {text} ]{DASHES}")
}

/// Sixteen bytes a line, as numbers and as text.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, part) in bytes.chunks(16).enumerate() {
        let mut numbers = String::new();
        for place in 0..16 {
            if place == 8 {
                numbers.push_str("- ");
            }
            match part.get(place) {
                // Writing to a string cannot fail.
                Some(byte) => {
                    let _ = write!(numbers, "{byte:02x} ");
                }
                None => numbers.push_str("   "),
            }
        }
        let shown = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let letters: String = part.iter().map(shown).collect();
        let _ = writeln!(text, "{:04}  {numbers}  {letters:<16}", line * 16);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn os(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    /// A server that sends these parts, one after the other, and closes; its port.
    fn serve(parts: &'static [&'static [u8]]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            drop(stream.read(&mut [0; 1024]));
            for part in parts {
                drop(stream.write_all(part));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        port
    }

    fn ask(options: &str, parts: &'static [&'static [u8]]) -> (String, String) {
        let port = serve(parts);
        let text = format!("{options} -s 127.0.0.1 -p {port} -u /x");
        let mut report = Report::default();
        parse(&words(&text)).unwrap().carry_out(&mut report);
        let output = String::from_utf8_lossy(&report.output).into_owned();
        (output, report.errors)
    }

    #[test]
    fn it_is_known_by_its_name_or_by_an_option() {
        let (name, rest) = called(&os("/usr/bin/genhash -v")).unwrap();
        assert_eq!((name.as_str(), rest.len()), ("/usr/bin/genhash", 1));
        let (name, rest) = called(&os("keepalived -T -s 1.2.3.4")).unwrap();
        assert_eq!((name.as_str(), rest.len()), ("keepalived --genhash", 2));
        assert_eq!(called(&os("keepalived -n -T")), None);
        assert_eq!(called(&os("keepalived")), None);
    }

    // Input: what keepalived 2.2.7's genhash complains of. Output: its words.
    #[test]
    fn complaints_are_those_of_the_real_one() {
        let complaint = |text| parse(&words(text)).unwrap_err().unwrap_or_default();
        let whole = "-s 127.0.0.1 -p 80 -u /";
        assert_eq!(complaint("-h"), "");
        assert_eq!(complaint("-s 127.0.0.1 -u /"), "");
        assert_eq!(complaint("-z"), "Unknown option -z");
        assert_eq!(
            complaint("-s 127.0.0.1 -p"),
            "Missing parameter for option -p"
        );
        assert_eq!(
            complaint("-s localhost"),
            "server should be an IP, not localhost"
        );
        assert_eq!(complaint("-p 0"), "invalid port number '0'");
        assert_eq!(complaint("-m x"), "invalid fwmark 'x'");
        assert_eq!(complaint("-t x"), "invalid timeout 'x'");
        assert_eq!(complaint("-P 2"), "invalid HTTP protocol version '2'");
        assert_eq!(
            complaint(&format!("{whole} extra")),
            "Unexpected argument(s): extra"
        );
        let long = "--server ::1 --port=81 --url / --use-virt x --protocol 1.0C --use-ssl -vI";
        let request = parse(&words(long)).unwrap();
        assert_eq!(request.host.as_deref(), Some("x"));
        assert_eq!(request.protocol, ("1.0", true));
        assert!(request.tls && request.verbose && request.sni);
    }

    // Input: pages as a server sends them, in one part and in several; the output of keepalived
    // 2.2.7's genhash for the same, but for the time. Output: the same bytes.
    #[test]
    fn the_output_is_that_of_the_real_one() {
        let page: &[&[u8]] = &[b"HTTP/1.0 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"];
        assert_eq!(ask("", page).0, "5d41402abc4b2a76b9719d911017c592\n");
        let verbose = ask("-v", page).0;
        let (text, time) = verbose
            .split_once("Global response time for [/x] = ")
            .unwrap();
        assert!(time.ends_with(" usecs\n"));
        assert_eq!(
            text,
            "-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 53 65 72 76 65 72 3a - 20 78 0d 0a 43 6f 6e 74   .Server: x..Cont
0032  65 6e 74 2d 4c 65 6e 67 - 74 68 3a 20 35 0d 0a 0d   ent-Length: 5...
0048  0a                      -                           .               
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK\r
Server: x\r
Content-Length: 5\r
\r

-----------------------[        HTML Buffer        ]-----------------------
0000  68 65 6c 6c 6f          -                           hello           

-----------------------[    HTML hash resulting    ]-----------------------
0000  5d 41 40 2a bc 4b 2a 76 - b9 71 9d 91 10 17 c5 92   ]A@*.K*v.q......
-----------------------[ HTML hash final resulting ]-----------------------
5d41402abc4b2a76b9719d911017c592

"
        );
        let parts: &[&[u8]] = &[
            b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n",
            b"aaaa",
            b"\x00\xff",
        ];
        let verbose = ask("-v", parts).0;
        assert!(!verbose.contains("HTML Buffer"), "{verbose}");
        assert!(
            verbose.contains(
                "\r\n\n0000  61 61 61 61             -                           aaaa            \n\
                 0000  00 ff                   -                           ..              \n\n---"
            ),
            "{verbose}"
        );
    }

    #[test]
    fn what_is_no_answer_is_said_so() {
        let nothing = (
            String::new(),
            "no data received from remote webserver\n".to_owned(),
        );
        assert_eq!(ask("", &[b"garbage"]), nothing);
        assert_eq!(ask("", &[]), nothing);
        let mut report = Report::default();
        let unused = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let text = format!("-s 127.0.0.1 -p {unused} -u /");
        parse(&words(&text)).unwrap().carry_out(&mut report);
        assert_eq!(report.output, b"Connection failed\n");
        let broken = ask("-S", &[b"HTTP/1.0 400 no\r\n\r\n"]);
        assert_eq!(
            broken.0,
            "SSL handshake/communication error connecting to\n"
        );
    }
}

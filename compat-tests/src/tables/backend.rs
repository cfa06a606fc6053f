//! What stands behind the checks of a case: servers that answer, and a mail server that listens.
//!
//! Owns: a thread for each server in the network of the thread that started it; it ends, and its
//! port with it, when the server is dropped. Never judges what it hears. Driven by `run`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::Socket;

use crate::bed::{Context, Error, Result};

/// Whoever connects has so long for each thing that he says.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It takes connections, and says nothing.
    Silent,
    /// HTTP 1.0: `/` is a page with the text `hello world`, `/gone` is status 404.
    Web,
    /// A mail server that greets.
    Mail,
    /// It answers each datagram with `hello`.
    Echo,
    /// A name server that knows nothing, without error.
    Names,
}

/// A server. Its port is closed when it is dropped.
pub(super) struct Backend {
    over: Arc<AtomicBool>,
    socket: Socket,
    thread: Option<JoinHandle<()>>,
}

/// Mails in the order in which they came: the subject, and the lines of the body.
pub(super) type Mails = Arc<Mutex<Vec<String>>>;

impl Drop for Backend {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Either wakes the thread: a listener by its end, the other by a datagram to itself.
        drop(self.socket.shutdown(Shutdown::Both));
        if let Ok(own) = self.socket.local_addr() {
            drop(self.socket.send_to(&[], &own));
        }
        // One that panicked has told so already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Backend {
    /// Starts a server in the network of this thread.
    ///
    /// # Errors
    /// When the address is not there or taken.
    pub(super) fn start(kind: Kind, at: SocketAddr) -> Result<Self> {
        match kind {
            Kind::Silent => Self::streams(at, |_| {}),
            Kind::Web => Self::streams(at, |stream| {
                spawn(move || web(&stream));
            }),
            Kind::Mail => Self::streams(at, |stream| {
                spawn(move || drop(mail(&stream)));
            }),
            Kind::Echo => Self::datagrams(at, |_| Some(b"hello".to_vec())),
            Kind::Names => Self::datagrams(at, no_such_name),
        }
    }

    /// Starts a mail server that keeps what it gets.
    ///
    /// # Errors
    /// When the address is not there or taken.
    pub(super) fn post(at: SocketAddr) -> Result<(Self, Mails)> {
        let mails = Mails::default();
        let kept = Arc::clone(&mails);
        let backend = Self::streams(at, move |stream| {
            let kept = Arc::clone(&kept);
            spawn(move || {
                if let (Some(text), Ok(mut kept)) = (mail(&stream), kept.lock()) {
                    kept.push(text);
                }
            });
        })?;
        Ok((backend, mails))
    }

    fn run(socket: Socket, work: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        Self {
            over,
            socket,
            thread: Some(std::thread::spawn(move || work(&seen))),
        }
    }

    fn streams(at: SocketAddr, mut take: impl FnMut(TcpStream) + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind(at).context(|| at.to_string())?;
        let socket = Socket::from(listener.try_clone()?);
        Ok(Self::run(socket, move |over| {
            while let Ok((stream, _)) = listener.accept() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                take(stream);
            }
        }))
    }

    fn datagrams(
        at: SocketAddr,
        answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<Self> {
        let socket = UdpSocket::bind(at).context(|| at.to_string())?;
        let clone = Socket::from(socket.try_clone()?);
        Ok(Self::run(clone, move |over| {
            let mut room = [0; 2048];
            while let Ok((count, from)) = socket.recv_from(&mut room) {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                if let Some(bytes) = room.get(..count).and_then(&answer) {
                    // One who went away is none of this server's business.
                    drop(socket.send_to(&bytes, from));
                }
            }
        }))
    }
}

impl Kind {
    /// The kind that a case calls so.
    pub(super) fn of(word: &str) -> Result<Self> {
        Ok(match word {
            "silent" => Self::Silent,
            "web" => Self::Web,
            "mail" => Self::Mail,
            "echo" => Self::Echo,
            "names" => Self::Names,
            _ => return Err(Error::new(format!("no server is called {word}"))),
        })
    }
}

/// Ends with its connection, or after a time.
fn spawn(work: impl FnOnce() + Send + 'static) {
    drop(std::thread::spawn(work));
}

fn patient(stream: &TcpStream) {
    // A connection that refuses is one that has gone.
    drop(stream.set_read_timeout(Some(PATIENCE)));
}

fn web(mut stream: &TcpStream) {
    patient(stream);
    let mut room = [0; 1024];
    let count = stream.read(&mut room).unwrap_or(0);
    let gone = room
        .get(..count)
        .is_some_and(|request| request.starts_with(b"GET /gone"));
    let page: &[u8] = if gone {
        b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    } else {
        b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
    };
    drop(stream.write_all(page));
}

/// Speaks SMTP; the mail, if one came.
fn mail(stream: &TcpStream) -> Option<String> {
    patient(stream);
    let mut out = stream;
    let (mut subject, mut body) = (String::new(), Vec::new());
    let (mut in_mail, mut in_body, mut came) = (false, false, false);
    drop(out.write_all(b"220 mail.example.org ESMTP\r\n"));
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        let reply: &[u8] = match line.as_str() {
            "." => {
                (in_mail, came) = (false, true);
                b"250 queued\r\n"
            }
            text if in_mail => {
                if let Some(text) = text.strip_prefix("Subject: ") {
                    text.clone_into(&mut subject);
                }
                in_body |= text.is_empty();
                if in_body && !text.is_empty() {
                    body.push(text.to_owned());
                }
                continue;
            }
            "DATA" => {
                in_mail = true;
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        drop(out.write_all(reply));
    }
    came.then(|| format!("{subject} | {}", body.join(" / ")))
}

/// An answer without error and without records.
fn no_such_name(question: &[u8]) -> Option<Vec<u8>> {
    let mut answer = question.to_vec();
    *answer.get_mut(2)? |= 0x80;
    *answer.get_mut(3)? = 0x80;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a session of a client that sends one mail. Output: its subject and its body.
    #[test]
    fn a_mail_is_kept_by_its_subject_and_body() {
        let at: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listener = TcpListener::bind(at).unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        let (backend, mails) = Backend::post(at).unwrap();
        let mut client = TcpStream::connect(at).unwrap();
        client
            .write_all(b"HELO a\r\nDATA\r\nSubject: s\r\nTo: a\r\n\r\nbody\r\n\r\n.\r\nQUIT\r\n")
            .unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.ends_with("221 bye\r\n"), "{said}");
        drop(client);
        crate::bed::wait_until(Duration::from_secs(5), "the mail", || {
            mails.lock().unwrap().as_slice() == ["s | body"]
        })
        .unwrap();
        drop(backend);
    }
}

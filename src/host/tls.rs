//! TLS over the connection of a check.
//!
//! Owns: what is offered to servers, and the meaning of OpenSSL's answers. Never does: judge the
//! peer's certificate; a check asks whether the server works, not who it is. Driven by: `conn`.
//!
//! Old servers are healthy servers: TLS 1.0, RSA key exchange, CBC ciphers, small keys and servers
//! without secure renegotiation are all accepted, whatever the system's policy says.

use std::io;

use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode, SslVersion,
};
use socket2::Socket;

use crate::base::ident;

/// A connection with TLS.
pub(super) type Session = SslStream<Socket>;

/// `SSL_OP_LEGACY_SERVER_CONNECT`, which the library's names leave out.
const LEGACY_SERVER_CONNECT: u64 = 0x4;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is done, with so many bytes.
    Done(usize),
    /// The socket has to become ready first.
    Wait,
    /// The peer has ended TLS.
    Closed,
    /// The peer has closed the connection below.
    CutOff,
    /// The connection is of no use any more.
    Failed(i32),
}

/// What is offered to every server.
pub(super) fn context() -> Result<SslContext, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_client())?;
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_security_level(0);
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_cipher_list("ALL:@SECLEVEL=0")?;
    let legacy = SslOptions::from_bits_retain(LEGACY_SERVER_CONNECT);
    builder.set_options(SslOptions::ALL | legacy);
    Ok(builder.build())
}

/// A session over a socket that is being connected.
pub(super) fn session(
    context: &SslContext,
    socket: Socket,
    name: Option<&str>,
) -> Result<Session, ErrorStack> {
    let mut ssl = Ssl::new(context)?;
    if let Some(name) = name {
        ssl.set_hostname(name)?;
    }
    SslStream::new(ssl, socket)
}

/// The socket below.
pub(super) fn socket(session: &Session) -> &Socket {
    session.get_ref()
}

/// Goes on with the handshake.
pub(super) fn shake(session: &mut Session) -> Step {
    match session.connect() {
        Ok(()) => Step::Done(0),
        Err(error) => {
            let step = meaning(&error);
            if let Step::Failed(_) | Step::CutOff = step {
                log::debug!(target: ident::CHECK, "TLS handshake: {error}");
            }
            step
        }
    }
}

/// Reads what is there.
pub(super) fn read(session: &mut Session, room: &mut [u8]) -> Step {
    match session.ssl_read(room) {
        Ok(count) => Step::Done(count),
        Err(error) => meaning(&error),
    }
}

/// Writes what can be written.
pub(super) fn write(session: &mut Session, bytes: &[u8]) -> Step {
    match session.ssl_write(bytes) {
        Ok(count) => Step::Done(count),
        Err(error) => meaning(&error),
    }
}

/// Says goodbye, if that can be done at once.
pub(super) fn end(session: &mut Session) {
    // The connection goes away in any case.
    drop(session.shutdown());
}

fn meaning(error: &openssl::ssl::Error) -> Step {
    match error.code() {
        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Step::Wait,
        ErrorCode::ZERO_RETURN => Step::Closed,
        ErrorCode::SYSCALL => match error.io_error() {
            None => Step::CutOff,
            Some(error) if error.kind() == io::ErrorKind::Interrupted => Step::Wait,
            Some(error) => Step::Failed(error.raw_os_error().unwrap_or(libc::EIO)),
        },
        _ if is_cut_off(error) => Step::CutOff,
        _ => Step::Failed(libc::EPROTO),
    }
}

/// OpenSSL 3 has a reason of its own for it.
fn is_cut_off(error: &openssl::ssl::Error) -> bool {
    let stack = error.ssl_error();
    stack.is_some_and(|stack| {
        stack
            .errors()
            .iter()
            .any(|error| error.reason() == Some("unexpected eof while reading"))
    })
}

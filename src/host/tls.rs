//! TLS over the connection of a check.
//!
//! Owns: what is offered to servers, and the meaning of OpenSSL's answers. Never does: judge the
//! peer's certificate; a check asks whether the server works, not who it is. Driven by: `conn`.
//!
//! Old servers are healthy servers: TLS 1.0, RSA key exchange, CBC ciphers, small keys and servers
//! without secure renegotiation are all accepted, whatever the system's policy says.

use std::io;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslStream, SslVerifyMode,
    SslVersion,
};
use socket2::Socket;

use crate::base::ident;
use crate::conf::model::TlsClient;

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

/// How checks speak TLS: what is offered, and what they show of themselves (`SSL`).
#[derive(Debug, Default)]
pub(super) struct Client {
    identity: TlsClient,
    /// Made when the first connection needs it.
    context: Option<SslContext>,
    /// The certificate, the key or the authorities of the configuration cannot be used.
    broken: bool,
}

impl Client {
    /// Takes over what the configuration says. Files are read anew, as a reload may be for their
    /// sake.
    pub(super) fn take_on(&mut self, identity: Option<&TlsClient>) {
        self.identity = identity.cloned().unwrap_or_default();
        self.context = None;
        self.broken = false;
        if self.identity == TlsClient::default() {
            return;
        }
        let context = bare().and_then(|mut builder| {
            self.broken = match show(&mut builder, &self.identity) {
                Ok(()) => false,
                Err(fault) => {
                    fault.say();
                    true
                }
            };
            // What it has taken before the fault is no whole: all of it or nothing.
            if self.broken { bare() } else { Ok(builder) }
        });
        self.context = context.ok().map(SslContextBuilder::build);
    }

    /// Whether servers that want to know who asks cannot be told.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// A session over a socket that is being connected.
    ///
    /// # Errors
    /// What OpenSSL says: there is no memory.
    pub(super) fn session(
        &mut self,
        socket: Socket,
        name: Option<&str>,
    ) -> Result<Session, ErrorStack> {
        let context = match self.context.take() {
            Some(context) => context,
            None => bare()?.build(),
        };
        let session = session(&context, socket, name);
        self.context = Some(context);
        session
    }
}

/// What of `SSL` cannot be used, and why.
struct Fault {
    /// In keepalived's words.
    what: &'static str,
    path: String,
    why: String,
}

impl Fault {
    fn say(&self) {
        let Self { what, path, why } = self;
        log::error!(target: ident::CHECK, "SSL error : Cant load {what} file...");
        log::error!(
            target: ident::CHECK,
            "SSL: the {what} file {path} cannot be used: {why}. SSL_GET goes on without what SSL \
             says; of a server that refuses the connection then it tells nothing. Correct the file \
             and reload"
        );
    }
}

/// Puts certificate, key and authorities in.
fn show(builder: &mut SslContextBuilder, identity: &TlsClient) -> Result<(), Fault> {
    let fault = |what, path: &str, why: String| Fault {
        what,
        path: path.to_owned(),
        why,
    };
    if let Some(path) = &identity.certificate {
        builder
            .set_certificate_chain_file(path)
            .map_err(|error| fault("certificate", path, reason(path, &error)))?;
    }
    if let Some(path) = &identity.key {
        let bytes = std::fs::read(path).map_err(|error| fault("key", path, error.to_string()))?;
        let password = identity.password.as_deref().unwrap_or_default();
        let key = PKey::private_key_from_pem_passphrase(&bytes, password.as_bytes());
        key.and_then(|key| {
            builder.set_private_key(&key)?;
            match identity.certificate {
                Some(_) => builder.check_private_key(),
                None => Ok(()),
            }
        })
        .map_err(|error| fault("key", path, reason(path, &error)))?;
    }
    if let Some(path) = &identity.ca {
        builder
            .set_ca_file(path)
            .map_err(|error| fault("CA", path, reason(path, &error)))?;
    }
    Ok(())
}

/// Why a file cannot be used: that it is not there says more than OpenSSL does.
fn reason(path: &str, error: &ErrorStack) -> String {
    if let Err(error) = std::fs::File::open(path) {
        return error.to_string();
    }
    let first = error
        .errors()
        .first()
        .and_then(openssl::error::Error::reason);
    first.unwrap_or("it is no PEM").to_owned()
}

/// What is offered to every server.
fn bare() -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_client())?;
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_security_level(0);
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_cipher_list("ALL:@SECLEVEL=0")?;
    let legacy = SslOptions::from_bits_retain(LEGACY_SERVER_CONNECT);
    builder.set_options(SslOptions::ALL | legacy);
    Ok(builder)
}

fn session(
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

//! The health checks beyond `TCP_CHECK`.
//!
//! Owns: what each of them sends and expects; every value has its unit in its type. Never does:
//! check anything. Driven by: `conf::resolve` fills it, `check` carries it out.

use crate::base::Duration;

use super::{CheckScript, RealServer, TcpCheck};

/// One health check other than `TCP_CHECK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Where it connects to, and when: the settings that a `TCP_CHECK` has too. Checks that do not
    /// connect (`MISC_CHECK`, `FILE_CHECK`, `BFD_CHECK`) use the times alone.
    pub connect: TcpCheck,
    /// What it asks for.
    pub kind: ProbeKind,
    /// How many `TCP_CHECK`s of its server stand before it in the file.
    pub tcp_before: u16,
}

/// One check of a server, of whatever kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckRef<'a> {
    /// Where it connects to, and when.
    pub connect: &'a TcpCheck,
    /// What it asks for; `None`: nothing, a connection is enough (`TCP_CHECK`).
    pub kind: Option<&'a ProbeKind>,
}

impl CheckRef<'_> {
    /// Both are of one kind, whatever their options.
    #[must_use]
    pub fn is_alike(self, other: CheckRef<'_>) -> bool {
        self.kind.map(std::mem::discriminant) == other.kind.map(std::mem::discriminant)
    }
}

impl RealServer {
    /// The checks: those of TCP first, then the others in their order.
    pub fn checks(&self) -> impl Iterator<Item = CheckRef<'_>> {
        let tcp = self.tcp_checks.iter().map(|connect| CheckRef {
            connect,
            kind: None,
        });
        let others = self.probes.iter();
        tcp.chain(others.map(|probe| CheckRef {
            connect: &probe.connect,
            kind: Some(&probe.kind),
        }))
    }

    /// Places in [`RealServer::checks`], in the order of the file.
    pub fn places_in_file(&self) -> Vec<usize> {
        let tcp = self.tcp_checks.len();
        let mut places = Vec::with_capacity(tcp + self.probes.len());
        for (number, probe) in self.probes.iter().enumerate() {
            let before = usize::from(probe.tcp_before).min(tcp);
            let written = places.len() - number;
            places.extend(written..before.max(written));
            places.push(tcp + number);
        }
        places.extend(places.len() - self.probes.len()..tcp);
        places
    }

    /// The `index`th of [`RealServer::checks`].
    #[must_use]
    pub fn check(&self, index: usize) -> Option<CheckRef<'_>> {
        match self.tcp_checks.get(index) {
            Some(connect) => Some(CheckRef {
                connect,
                kind: None,
            }),
            None => self.checks().nth(index),
        }
    }
}

/// What a check asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeKind {
    /// `HTTP_GET`, `SSL_GET`.
    Http(HttpProbe),
    /// `SMTP_CHECK`, one for each of its hosts.
    Smtp(SmtpProbe),
    /// `DNS_CHECK`.
    Dns(DnsProbe),
    /// `MISC_CHECK`.
    Misc(MiscProbe),
    /// `UDP_CHECK`.
    Udp(UdpProbe),
    /// `PING_CHECK`.
    Ping,
    /// `FILE_CHECK`.
    File(FileProbe),
    /// `BFD_CHECK`.
    Bfd(BfdProbe),
}

/// Which protocol an `HTTP_GET` speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpProtocol {
    /// `1.0`.
    #[default]
    Http10,
    /// `1.0C`: 1.0 with `Connection: close`.
    Http10Close,
    /// `1.1`.
    Http11,
}

/// `HTTP_GET`, `SSL_GET`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpProbe {
    /// Over TLS (`SSL_GET`).
    pub secure: bool,
    /// `http_protocol`.
    pub protocol: HttpProtocol,
    /// `virtualhost`, else the server's, else the service's.
    pub virtual_host: Option<String>,
    /// `enable_sni`.
    pub sni: bool,
    /// `sni_name`; the virtual host if not given.
    pub sni_name: Option<String>,
    /// `fast_recovery`: after a failure one success of the failing resource is enough.
    pub fast_recovery: bool,
    /// `tls_compliant`: the peer has to close TLS in order.
    pub tls_compliant: bool,
    /// The `url` blocks, asked for one after another.
    pub urls: Vec<HttpUrl>,
}

/// `url`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpUrl {
    /// `path`
    pub path: Option<String>,
    /// `digest`: the MD5 sum that the body must have.
    pub digest: Option<[u8; 16]>,
    /// `status_code`: first and last code of each accepted range; 200 to 299 if there is none.
    pub status_codes: Vec<(u16, u16)>,
    /// `virtualhost`: for this resource alone.
    pub virtual_host: Option<String>,
    /// `tls_compliant`: for this resource alone.
    pub tls_compliant: Option<bool>,
    /// `regex` with its options.
    pub regex: Option<HttpRegex>,
}

/// `regex` and the keywords that modify it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRegex {
    /// The pattern, in the syntax of PCRE2, that the body must match.
    pub pattern: Option<String>,
    /// `regex_no_match`: it must not match.
    pub no_match: bool,
    /// `regex_options`: names of PCRE2 options.
    pub options: Vec<String>,
    /// `regex_min_offset`, in bytes of the body.
    pub min_offset: u32,
    /// `regex_max_offset`, in bytes of the body.
    pub max_offset: Option<u32>,
    /// `regex_stack`: first and largest size of the stack, in bytes.
    pub stack: Option<(u32, u32)>,
}

/// `SMTP_CHECK`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SmtpProbe {
    /// `helo_name`; `smtpchecker.keepalived.org` if not given.
    pub helo_name: Option<String>,
}

/// Record types that a `DNS_CHECK` can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum DnsType {
    A,
    Ns,
    Cname,
    #[default]
    Soa,
    Mx,
    Txt,
    Aaaa,
    Rrsig,
    Dnskey,
}

impl DnsType {
    /// The type of a name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            ("A", Self::A),
            ("NS", Self::Ns),
            ("CNAME", Self::Cname),
            ("SOA", Self::Soa),
            ("MX", Self::Mx),
            ("TXT", Self::Txt),
            ("AAAA", Self::Aaaa),
            ("RRSIG", Self::Rrsig),
            ("DNSKEY", Self::Dnskey),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, kind)| kind)
    }
}

/// `DNS_CHECK`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DnsProbe {
    /// `type`
    pub record: DnsType,
    /// `name`: what is asked for; the root if not given.
    pub name: Option<String>,
}

/// `MISC_CHECK`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MiscProbe {
    /// `misc_path` and `user`.
    pub script: CheckScript,
    /// `misc_timeout`: when it is killed; after the period of the check if not given.
    pub timeout: Option<Duration>,
    /// `misc_dynamic`: the exit status sets the weight.
    pub dynamic: bool,
}

/// `UDP_CHECK`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpProbe {
    /// `payload`: what is sent.
    pub payload: Vec<u8>,
    /// `require_reply`: a reply is needed; each byte of it with the bits that count.
    pub reply: Option<Vec<(u8, u8)>>,
    /// `min_reply_length`, in bytes.
    pub min_reply: u16,
    /// `max_reply_length`, in bytes.
    pub max_reply: u16,
}

impl Default for UdpProbe {
    fn default() -> Self {
        Self {
            payload: Vec::new(),
            reply: None,
            min_reply: 0,
            max_reply: 255,
        }
    }
}

/// `FILE_CHECK`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileProbe {
    /// `track_file`: the name of the tracked file.
    pub track_file: Option<String>,
    /// `weight`: what the file's value is multiplied with; the tracked file's own if not given.
    pub weight: Option<i32>,
    /// `reverse`: the sign is inverted.
    pub reverse: bool,
    /// What its `track_file` says that the value is multiplied with.
    pub usual_factor: i64,
}

impl FileProbe {
    /// What the value is multiplied with.
    #[must_use]
    pub fn factor(&self) -> i64 {
        match self.weight {
            Some(weight) if self.reverse => -i64::from(weight),
            Some(weight) => i64::from(weight),
            None => self.usual_factor,
        }
    }
}

/// `BFD_CHECK`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BfdProbe {
    /// `name` of the session.
    pub name: Option<String>,
}

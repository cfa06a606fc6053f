//! The keyword tables: which keyword stands where, what form it has, and who takes it.
//!
//! Owns: one row for each keyword and level. Dispatch, "did you mean" and the coverage test read
//! the same rows; a new keyword is a new row and its handler. Never does: interpret values.
//! Driven by: `bind`.

mod bfd;
mod check;
pub(super) mod facts;
mod global;
mod pending;
mod probes;
mod track;
mod vrrp;

use super::bind::{Close, Handler};

/// A kind of block, by what keywords it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Level {
    Root,
    Global,
    Instance,
    Authentication,
    Signing,
    SyncGroup,
    TrackScript,
    TrackProcess,
    TrackFile,
    TrackGroup,
    GarpGroup,
    VirtualServer,
    RealServer,
    TcpCheck,
    HttpGet,
    SslGet,
    Url,
    SslUrl,
    SmtpCheck,
    SmtpHost,
    DnsCheck,
    MiscCheck,
    UdpCheck,
    PingCheck,
    FileCheck,
    BfdCheck,
    BfdInstance,
    Ssl,
}

impl Level {
    /// Every level.
    pub(super) const ALL: [Self; 28] = [
        Self::Root,
        Self::Global,
        Self::Instance,
        Self::Authentication,
        Self::Signing,
        Self::SyncGroup,
        Self::TrackScript,
        Self::TrackProcess,
        Self::TrackFile,
        Self::TrackGroup,
        Self::GarpGroup,
        Self::VirtualServer,
        Self::RealServer,
        Self::TcpCheck,
        Self::HttpGet,
        Self::SslGet,
        Self::Url,
        Self::SslUrl,
        Self::SmtpCheck,
        Self::SmtpHost,
        Self::DnsCheck,
        Self::MiscCheck,
        Self::UdpCheck,
        Self::PingCheck,
        Self::FileCheck,
        Self::BfdCheck,
        Self::BfdInstance,
        Self::Ssl,
    ];

    /// The block as an operator calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Root => "the top level",
            Self::Global => "global_defs",
            Self::Instance => "vrrp_instance",
            Self::Authentication => "authentication",
            Self::Signing => "auth_hmac",
            Self::SyncGroup => "vrrp_sync_group",
            Self::TrackScript => "vrrp_script",
            Self::TrackProcess => "vrrp_track_process",
            Self::TrackFile => "track_file",
            Self::TrackGroup => "track_group",
            Self::GarpGroup => "garp_group",
            Self::VirtualServer => "virtual_server",
            Self::RealServer => "real_server",
            Self::TcpCheck => "TCP_CHECK",
            Self::HttpGet => "HTTP_GET",
            Self::SslGet => "SSL_GET",
            Self::Url | Self::SslUrl => "url",
            Self::SmtpCheck => "SMTP_CHECK",
            Self::SmtpHost => "host",
            Self::DnsCheck => "DNS_CHECK",
            Self::MiscCheck => "MISC_CHECK",
            Self::UdpCheck => "UDP_CHECK",
            Self::PingCheck => "PING_CHECK",
            Self::FileCheck => "FILE_CHECK",
            Self::BfdCheck => "BFD_CHECK",
            Self::BfdInstance => "bfd_instance",
            Self::Ssl => "SSL",
        }
    }

    /// Whether the block as a whole does nothing yet: its keyword said so, its lines need not.
    pub(super) const fn is_pending(self) -> bool {
        match self {
            Self::Root
            | Self::Global
            | Self::Instance
            | Self::Authentication
            | Self::Signing
            | Self::VirtualServer
            | Self::RealServer
            | Self::TcpCheck
            | Self::HttpGet
            | Self::Url
            | Self::SslGet
            | Self::SslUrl
            | Self::SmtpCheck
            | Self::SmtpHost
            | Self::DnsCheck
            | Self::UdpCheck
            | Self::PingCheck
            | Self::MiscCheck
            | Self::FileCheck
            | Self::SyncGroup
            | Self::TrackScript
            | Self::TrackProcess
            | Self::TrackFile => false,
            Self::TrackGroup | Self::GarpGroup | Self::BfdCheck | Self::BfdInstance | Self::Ssl => {
                true
            }
        }
    }

    /// The active keywords of the block, sorted by name.
    const fn table(self) -> &'static [Keyword] {
        match self {
            Self::Root => vrrp::ROOT,
            Self::Global => global::GLOBAL,
            Self::Instance => vrrp::INSTANCE,
            Self::Authentication => vrrp::AUTHENTICATION,
            Self::Signing => vrrp::SIGNING,
            Self::SyncGroup => track::SYNC_GROUP,
            Self::TrackScript => track::TRACK_SCRIPT,
            Self::TrackProcess => track::TRACK_PROCESS,
            Self::TrackFile => track::TRACK_FILE,
            Self::TrackGroup => vrrp::TRACK_GROUP,
            Self::GarpGroup => vrrp::GARP_GROUP,
            Self::VirtualServer => check::VIRTUAL_SERVER,
            Self::RealServer => check::REAL_SERVER,
            Self::TcpCheck => check::TCP_CHECK,
            Self::HttpGet => probes::HTTP_GET,
            Self::Url => probes::URL,
            Self::SslGet => probes::SSL_GET,
            Self::SslUrl => probes::SSL_URL,
            Self::SmtpCheck => probes::SMTP_CHECK,
            Self::SmtpHost => probes::SMTP_HOST,
            Self::DnsCheck => probes::DNS_CHECK,
            Self::UdpCheck => probes::UDP_CHECK,
            Self::PingCheck => probes::PING_CHECK,
            Self::MiscCheck => probes::MISC_CHECK,
            Self::FileCheck => probes::FILE_CHECK,
            Self::BfdInstance => bfd::BFD_INSTANCE,
            Self::BfdCheck => probes::BFD_CHECK,
            Self::Ssl => check::SSL,
        }
    }
}

/// What follows a keyword.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Only words.
    Leaf(Handler),
    /// A block of keywords.
    Block {
        open: Handler,
        inner: Level,
        close: Close,
    },
    /// A block whose lines are values.
    Values { line: Handler },
    /// A block whose lines are values, with something to do at its ends.
    NamedValues {
        open: Handler,
        line: Handler,
        close: Close,
    },
    /// Of an older release; the text says what became of it.
    Obsolete(&'static str),
}

impl Form {
    /// Whether a block follows.
    pub(super) const fn is_block(self) -> bool {
        match self {
            Self::Block { .. } | Self::Values { .. } | Self::NamedValues { .. } => true,
            Self::Leaf(_) | Self::Obsolete(_) => false,
        }
    }

    /// Whether it is a block beside `global_defs`.
    pub(super) const fn is_foreign(self) -> bool {
        match self {
            Self::Block { inner, .. } => !matches!(inner, Level::Global),
            Self::Values { .. } | Self::NamedValues { .. } => true,
            Self::Leaf(_) | Self::Obsolete(_) => false,
        }
    }
}

/// A row.
#[derive(Clone, Copy)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// One line for people.
    pub(super) doc: &'static str,
}

impl Keyword {
    /// A row with only words.
    const fn leaf(name: &'static str, handler: Handler, doc: &'static str) -> Self {
        Self {
            name,
            form: Form::Leaf(handler),
            doc,
        }
    }

    /// A row with a block of values.
    const fn values(name: &'static str, line: Handler, doc: &'static str) -> Self {
        Self {
            name,
            form: Form::Values { line },
            doc,
        }
    }

    /// A row with a block of keywords.
    const fn block(
        name: &'static str,
        open: Handler,
        inner: Level,
        close: Close,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            form: Form::Block { open, inner, close },
            doc,
        }
    }
}

fn row(table: &'static [Keyword], name: &str) -> Option<&'static Keyword> {
    let index = table
        .binary_search_by(|keyword| keyword.name.cmp(name))
        .ok()?;
    table.get(index)
}

/// The row of a keyword that is read and checked, but whose function is not there yet.
pub(super) fn pending(level: Level, name: &str) -> Option<&'static Keyword> {
    row(pending::table(level), name)
}

/// The row of `name` in a block; also of keywords that are read but not active.
pub(super) fn find(level: Level, name: &str) -> Option<Form> {
    let keyword = row(level.table(), name).or_else(|| pending(level, name));
    keyword.map(|keyword| keyword.form)
}

/// The names that are known in a block.
pub(super) fn names(level: Level) -> impl Iterator<Item = &'static str> {
    let active = level.table().iter().map(|keyword| keyword.name);
    let pending = pending::table(level).iter().map(|keyword| keyword.name);
    active.chain(pending)
}

/// An active keyword, for guards and for the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeywordInfo {
    /// Its name.
    pub name: &'static str,
    /// The block that takes it.
    pub block: &'static str,
    /// What it is for, in one line.
    pub doc: &'static str,
}

/// Every keyword that this version acts on.
#[must_use]
pub fn keywords() -> Vec<KeywordInfo> {
    let of = |level: Level| {
        level.table().iter().map(move |keyword| KeywordInfo {
            name: keyword.name,
            block: level.name(),
            doc: keyword.doc,
        })
    };
    Level::ALL.into_iter().flat_map(of).collect()
}

/// The levels in which a name is known.
pub(super) fn levels_of(name: &str) -> impl Iterator<Item = Level> {
    Level::ALL
        .into_iter()
        .filter(move |level| find(*level, name).is_some())
}

/// What an active keyword is for, in one line.
pub(super) fn doc(level: Level, name: &str) -> Option<&'static str> {
    row(level.table(), name)
        .or_else(|| pending(level, name))
        .map(|keyword| keyword.doc)
}

/// The names of the rows that `bind::daemon::setting` handles; for the test that each has a field.
#[cfg(test)]
pub(super) fn settings() -> impl Iterator<Item = &'static str> {
    let plain: Handler = super::bind::daemon::setting;
    [Level::Root, Level::Global]
        .into_iter()
        .flat_map(|level| level.table().iter().chain(pending::table(level)))
        .filter(move |row| {
            matches!(row.form, Form::Leaf(handler) if std::ptr::fn_addr_eq(handler, plain))
        })
        .map(|row| row.name)
}

/// The known name nearest to `name` in a block, if any is near.
pub(super) fn nearest(level: Level, name: &str) -> Option<&'static str> {
    if name.len() < 3 || name.len() > 64 {
        return None;
    }
    names(level)
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len().min(name.len()) / 5)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_sorted_and_documented() {
        for level in Level::ALL {
            for table in [level.table(), pending::table(level)] {
                for pair in table.windows(2) {
                    assert!(pair[0].name < pair[1].name, "{level:?}: {}", pair[1].name);
                }
                assert!(table.iter().all(|row| !row.doc.is_empty()));
            }
        }
    }

    #[test]
    fn no_keyword_stands_in_two_tables() {
        for level in Level::ALL {
            for keyword in pending::table(level) {
                let name = keyword.name;
                assert!(row(level.table(), name).is_none(), "{level:?} {name}");
            }
        }
    }

    // Input: typing slips. Output: the keyword meant.
    #[test]
    fn near_names_are_suggested() {
        assert_eq!(nearest(Level::Instance, "prioritty"), Some("priority"));
        assert_eq!(
            nearest(Level::TcpCheck, "conect_port"),
            Some("connect_port")
        );
        assert_eq!(nearest(Level::Root, "zzzzzz"), None);
    }
}

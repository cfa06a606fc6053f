//! Keywords that are read, checked and bound, but whose function is not there yet.
//!
//! Owns: their rows. The binder says of each once that it does nothing; that saying has no
//! influence on the verdict of a config test, which is keepalived's. A keyword whose function
//! arrives moves from here to the table of its block. Driven by: `schema::find`.

mod check;
mod global;

use super::{Keyword, Level};

/// The rows of a block, sorted by name.
pub(super) const fn table(level: Level) -> &'static [Keyword] {
    match level {
        Level::Root => &[],
        Level::Global => global::GLOBAL,
        Level::Instance
        | Level::Authentication
        | Level::Signing
        | Level::TrackGroup
        | Level::TrackScript
        | Level::TrackProcess
        | Level::TrackFile => &[],
        Level::SyncGroup | Level::GarpGroup => &[],
        Level::VirtualServer => check::VIRTUAL_SERVER,
        Level::RealServer => check::REAL_SERVER,
        Level::TcpCheck
        | Level::HttpGet
        | Level::SslGet
        | Level::SmtpCheck
        | Level::SmtpHost
        | Level::DnsCheck
        | Level::UdpCheck
        | Level::PingCheck
        | Level::MiscCheck
        | Level::FileCheck
        | Level::Url
        | Level::SslUrl
        | Level::Ssl
        | Level::BfdCheck
        | Level::BfdInstance => &[],
    }
}

//! One configuration with what happens to its servers.
//!
//! Owns: reading the files in `cases/ipvs`. A file is one configuration, or two with a line
//! `==== reload ====` between them: the second is what a reload finds. `@DIR@` stands for a folder
//! that the daemon has for itself. Lines that begin with `#!` say what else the test does:
//! `fail ADDRESS PORT` (more than once) for servers that end before the stage `failure` and are
//! back after it (the first of the file if there is no such line), `dead ADDRESS PORT` for those
//! that never answer, `server KIND ADDRESS PORT` for what a server says (`web`, `mail`, `echo`,
//! `names`; else it takes connections in silence), `away ADDRESS` for an address that goes and comes
//! with `fail`, `flags WORDS` for the command line. A case with `smtp_server 127.0.0.1` has a mail
//! server there. Driven by `run`.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::backend::Kind;
use crate::bed::{Context, Error, Result};

const RELOAD: &str = "==== reload ====";

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The name of its file without the ending.
    pub(super) name: String,
    /// The configuration at the start.
    pub(super) first: String,
    /// That after the reload.
    pub(super) second: String,
    /// Servers that listen.
    pub(super) servers: Vec<SocketAddr>,
    /// Those of them that end and come back.
    pub(super) failing: Vec<SocketAddr>,
    /// What those servers say that are not silent.
    pub(super) kinds: BTreeMap<SocketAddr, Kind>,
    /// Addresses that go and come with the servers that fail.
    pub(super) away: Vec<IpAddr>,
    /// Mails are wanted.
    pub(super) mails: bool,
    /// More words of the command line.
    pub(super) flags: Vec<String>,
}

impl Case {
    /// What the server at this address says.
    pub(super) fn kind(&self, server: &SocketAddr) -> Kind {
        self.kinds.get(server).copied().unwrap_or(Kind::Silent)
    }
}

/// All cases whose name contains a part of `only` (separated by commas), in the order of their names.
pub(super) fn all(folder: &Path, only: &str) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        if let Some(name) = name
            && path
                .extension()
                .is_some_and(|extension| extension == "conf")
            && only.split(',').any(|part| name.contains(part))
        {
            cases.push(parse(name, &fs::read_to_string(&path)?)?);
        }
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(cases)
}

fn parse(name: &str, text: &str) -> Result<Case> {
    let (first, second) = text.split_once(RELOAD).unwrap_or((text, text));
    let mut case = Case {
        name: name.to_owned(),
        first: first.to_owned(),
        second: second.to_owned(),
        servers: Vec::new(),
        failing: Vec::new(),
        kinds: BTreeMap::new(),
        away: Vec::new(),
        mails: text.contains("smtp_server 127.0.0.1"),
        flags: Vec::new(),
    };
    let mut dead = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["#!", "fail", address, port] => case.failing.push(socket(name, address, port)?),
            ["#!", "dead", address, port] => dead.push(socket(name, address, port)?),
            ["#!", "server", kind, address, port] => {
                let server = socket(name, address, port)?;
                case.kinds.insert(server, Kind::of(kind)?);
            }
            ["#!", "away", address] => {
                case.away.push(socket(name, address, "0")?.ip());
            }
            ["#!", "flags", flags @ ..] => {
                case.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
            }
            ["#!", ..] => return Err(Error::new(format!("{name}: what is `{line}`?"))),
            ["real_server" | "sorry_server", address, port, ..] => {
                let server = socket(name, address, port)?;
                if !case.servers.contains(&server) {
                    case.servers.push(server);
                }
            }
            _ => {}
        }
    }
    case.servers.retain(|server| !dead.contains(server));
    if case.failing.is_empty() && case.away.is_empty() {
        case.failing.extend(case.servers.first());
    }
    Ok(case)
}

fn socket(name: &str, address: &str, port: &str) -> Result<SocketAddr> {
    let parsed: Option<(IpAddr, u16)> = address.parse().ok().zip(port.parse().ok());
    parsed
        .map(SocketAddr::from)
        .ok_or_else(|| Error::new(format!("{name}: {address} {port} is no server")))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: two configurations in one file, a server that fails and one that is dead.
    #[test]
    fn a_file_says_what_happens() {
        let text = "#! fail 10.9.0.2 80\n#! dead 10.9.0.3 80\nreal_server 10.9.0.1 80 {\n\
                    real_server 10.9.0.2 80 {\nreal_server 10.9.0.3 80 {\n==== reload ====\nx\n";
        let case = parse("a", text).unwrap();
        let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
        let listening = [socket("10.9.0.1:80"), socket("10.9.0.2:80")];
        assert_eq!(case.servers, listening);
        assert_eq!(case.failing, [socket("10.9.0.2:80")]);
        assert_eq!(case.second, "\nx\n");
        assert!(parse("a", "#! jump\n").is_err());
    }
}

//! The file system and the facts of this host, for the configuration reader.
//!
//! Owns: the real implementations of `conf::Files` and `conf::HostFacts`. Never does: interpret
//! text. Driven by: `conf::Loader`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{child, link_kind};
use crate::base::command::is_redirection;
use crate::conf::names::{NamePlaces, NameTable};
use crate::conf::{Access, FileError, Files, HostFacts, Identity, Link, Program, Secret, source};

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFiles;

impl HostFiles {
    /// A file that may be a configuration, and how long it is said to be.
    ///
    /// # Errors
    /// Why it cannot be read as one.
    pub(super) fn open(path: &Path) -> Result<(File, usize), FileError> {
        let facts = fs::metadata(path).map_err(|error| reason(&error))?;
        if facts.is_dir() {
            return Err(FileError::Directory);
        }
        // keepalived refuses executable files: scripts end up among includes by accident.
        if !facts.is_file() || facts.permissions().mode() & 0o111 != 0 {
            return Err(FileError::NotRegular);
        }
        let length = usize::try_from(facts.len()).unwrap_or(0);
        let file = File::open(path).map_err(|error| reason(&error))?;
        Ok((file, length.min(source::MAX_FILE)))
    }

    /// Reads up to `most` bytes more; 0 is the end.
    ///
    /// # Errors
    /// What the system says, or that there is too much.
    pub(super) fn read_on(
        file: &mut File,
        bytes: &mut Vec<u8>,
        most: usize,
    ) -> Result<usize, FileError> {
        // One byte more than allowed tells a file that is too large, or still growing, apart.
        let room = (source::MAX_FILE + 1).saturating_sub(bytes.len()).min(most);
        let limit = u64::try_from(room).unwrap_or(u64::MAX);
        let count = file
            .take(limit)
            .read_to_end(bytes)
            .map_err(|error| reason(&error))?;
        if bytes.len() > source::MAX_FILE {
            return Err(FileError::TooLarge);
        }
        Ok(count)
    }
}

impl Files for HostFiles {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let (mut file, length) = Self::open(path)?;
        let mut bytes = Vec::with_capacity(length + 1);
        while Self::read_on(&mut file, &mut bytes, usize::MAX)? > 0 {}
        Ok(bytes)
    }

    fn exists(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        let Some(pattern) = pattern.to_str() else {
            return Vec::new();
        };
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let mut found: Vec<PathBuf> = glob::glob_with(pattern, options)
            .map(|paths| paths.flatten().collect())
            .unwrap_or_default();
        // As keepalived's glob: by bytes, not by path components.
        found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        found
    }
}

fn reason(error: &std::io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FileError::Missing,
        ErrorKind::PermissionDenied => FileError::Denied,
        _ => FileError::Other(error.to_string()),
    }
}

/// The file that a script's first word names, and what it is.
fn find(name: &str) -> Option<(PathBuf, Program)> {
    let name = std::ffi::OsString::from(source::to_display(name).into_owned());
    let judged = |path: PathBuf| {
        let program = program(&path);
        (program != Program::Missing).then_some((path, program))
    };
    if name.as_encoded_bytes().contains(&b'/') {
        return judged(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find_map(|directory| judged(directory.join(&name)))
}

/// Whether a file can be run, and by whom it and the directories above it can be changed.
fn program(path: &Path) -> Program {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(path) = path.canonicalize() else {
        return Program::Missing;
    };
    if path.is_dir() {
        return Program::Directory;
    }
    if !path.is_file() {
        return Program::Missing;
    }
    let open = |part: &Path| {
        part.metadata().map_or(true, |found| {
            let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
            let group = found.gid() != 0 && found.mode() & 0o020 != 0;
            let others = found.mode() & 0o002 != 0;
            found.uid() != 0 && found.mode() & 0o200 != 0 || !sticky && (group || others)
        })
    };
    if path.ancestors().any(open) {
        Program::Insecure
    } else {
        Program::Secure
    }
}

/// Why the directory of a file cannot be found.
fn directory_error(file: &str) -> Option<(i32, String)> {
    let path = source::to_path(file);
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let error = directory?.canonicalize().err()?;
    let number = error.raw_os_error().unwrap_or_default();
    Some((
        number,
        nix::errno::Errno::from_raw(number).desc().to_owned(),
    ))
}

/// Where iproute2 keeps its tables of names; what stands in the first counts more.
const NAMES: [&str; 2] = ["/etc/iproute2", "/usr/share/iproute2"];

/// The number that the files of this host give to a name.
fn named(table: NameTable, name: &str, places: &NamePlaces) -> Option<u32> {
    let file = match table {
        NameTable::Tables => "rt_tables",
        NameTable::Protocols => "rt_protos",
        NameTable::Scopes => "rt_scopes",
        NameTable::Realms => "rt_realms",
        NameTable::DsField => "rt_dsfield",
        NameTable::Groups => "group",
        NameTable::IpProtocols => {
            let text = fs::read_to_string("/etc/protocols").ok()?;
            return table.number_in(&text, name);
        }
    };
    let [etc, usr] = NAMES.map(Path::new);
    let etc = places.etc.as_deref().unwrap_or(etc);
    let usr = places.usr.as_deref().unwrap_or(usr);
    [etc, usr].into_iter().find_map(|directory| {
        let main = directory.join(file);
        let more = fs::read_dir(main.with_extension("d")).into_iter().flatten();
        let more = more.flatten().map(|entry| entry.path());
        let more = more.filter(|path| path.extension().is_some_and(|end| end == "conf"));
        std::iter::once(main.clone()).chain(more).find_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            table.number_in(&text, name)
        })
    })
}

/// Facts of this host, asked of the kernel when they are needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts;

#[deny(clippy::missing_trait_methods)]
impl HostFacts for Facts {
    fn interface_exists(&self, name: &str) -> bool {
        // The C library finds eth0 for eth0:1, which is a label and no interface.
        !name.contains(':')
            && nix::net::if_::if_nametoindex(source::to_bytes(name).as_ref()).is_ok()
    }

    fn node_name(&self) -> String {
        nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| {
            use std::os::unix::ffi::OsStringExt as _;
            source::to_text(value.into_vec())
        })
    }

    fn working_directory(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_default()
    }

    fn user_exists(&self, name: &str) -> bool {
        matches!(nix::unistd::User::from_name(name), Ok(Some(_)))
    }

    fn group_exists(&self, name: &str) -> bool {
        matches!(nix::unistd::Group::from_name(name), Ok(Some(_)))
    }

    fn cpus(&self) -> u32 {
        let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN);
        let count = count.ok().flatten();
        count
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(1)
    }

    fn server_exists(&self, _: &str) -> bool {
        // The daemon does not wait for name servers here.
        true
    }

    fn interface_with(&self, address: IpAddr) -> Option<String> {
        let mut all = nix::ifaddrs::getifaddrs().ok()?;
        let has = |found: &nix::ifaddrs::InterfaceAddress| {
            let storage = found.address.as_ref();
            let v4 = storage.and_then(|s| s.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip())));
            let v6 = || storage.and_then(|s| s.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())));
            v4.or_else(v6) == Some(address)
        };
        Some(all.find(has)?.interface_name)
    }

    fn namespace_exists(&self, name: &str) -> bool {
        Path::new("/run/netns").join(source::to_path(name)).exists()
    }

    fn number(&self, table: NameTable, name: &str, places: &NamePlaces) -> Option<u32> {
        named(table, name, places).or_else(|| table.usual_number(name))
    }

    fn link(&self, name: &str) -> Option<Link> {
        link_kind::of(source::to_bytes(name).as_ref())
    }

    fn secret(&self, path: &str) -> Secret {
        secret(&source::to_path(path))
    }

    fn directory_error(&self, file: &str) -> Option<(i32, String)> {
        directory_error(file)
    }

    fn program(&self, name: &str) -> Program {
        if is_redirection(name) {
            return Program::Redirection;
        }
        find(name).map_or(Program::Missing, |(_, program)| program)
    }

    fn access(&self, name: &str) -> Option<Access> {
        use std::os::unix::fs::MetadataExt as _;
        if is_redirection(name) {
            return None;
        }
        let facts = fs::metadata(find(name)?.0).ok()?;
        let owner = Identity {
            uid: facts.uid(),
            gid: facts.gid(),
        };
        let mode = facts.mode();
        Some(Access { owner, mode })
    }

    fn identity(&self, user: Option<&str>, group: Option<&str>) -> Option<Identity> {
        child::runs_as(user, group)
    }
}

/// A file with a key is opened once: what is judged is what is read.
fn secret(path: &Path) -> Secret {
    use std::os::unix::fs::OpenOptionsExt as _;
    /// No key is as long.
    const MOST: u64 = 4096;
    let mut open = fs::OpenOptions::new();
    // Not to wait for the writer of a FIFO.
    open.read(true).custom_flags(libc::O_NONBLOCK);
    let read = || {
        let file = open.open(path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        if facts.permissions().mode() & 0o077 != 0 {
            return Ok(Secret::Exposed);
        }
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(Secret::Bytes(bytes))
    };
    read().unwrap_or_else(|error| Secret::Unreadable(error.to_string()))
}

/// The same for a config test, which may also wait for the name service.
#[derive(Debug, Clone, Copy, Default)]
pub struct PatientFacts;

// A fact that is forgotten here would be asked of nobody in a config test.
#[deny(clippy::missing_trait_methods)]
impl HostFacts for PatientFacts {
    fn interface_exists(&self, name: &str) -> bool {
        Facts.interface_exists(name)
    }

    fn node_name(&self) -> String {
        Facts.node_name()
    }

    fn environment(&self, name: &str) -> Option<String> {
        Facts.environment(name)
    }

    fn working_directory(&self) -> PathBuf {
        Facts.working_directory()
    }

    fn user_exists(&self, name: &str) -> bool {
        Facts.user_exists(name)
    }

    fn group_exists(&self, name: &str) -> bool {
        Facts.group_exists(name)
    }

    fn cpus(&self) -> u32 {
        Facts.cpus()
    }

    fn server_exists(&self, name: &str) -> bool {
        use std::net::ToSocketAddrs as _;
        let found = (&*source::to_display(name), 0).to_socket_addrs();
        found.is_ok_and(|mut addresses| addresses.next().is_some())
    }

    fn interface_with(&self, address: IpAddr) -> Option<String> {
        Facts.interface_with(address)
    }

    fn namespace_exists(&self, name: &str) -> bool {
        Facts.namespace_exists(name)
    }

    fn number(&self, table: NameTable, name: &str, places: &NamePlaces) -> Option<u32> {
        Facts.number(table, name, places)
    }

    fn link(&self, name: &str) -> Option<Link> {
        Facts.link(name)
    }

    fn secret(&self, path: &str) -> Secret {
        Facts.secret(path)
    }

    fn directory_error(&self, file: &str) -> Option<(i32, String)> {
        directory_error(file)
    }

    fn program(&self, name: &str) -> Program {
        Facts.program(name)
    }

    fn access(&self, name: &str) -> Option<Access> {
        Facts.access(name)
    }

    fn identity(&self, user: Option<&str>, group: Option<&str>) -> Option<Identity> {
        Facts.identity(user, group)
    }
}

/// What a configuration may refer to, without a look at interfaces, users and programs: all that
/// are named are taken to be there, and in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl HostFacts for Offline {
    fn interface_with(&self, _: IpAddr) -> Option<String> {
        // Some interface of the host that the file is for.
        Some("(any)".to_owned())
    }

    fn link(&self, _: &str) -> Option<Link> {
        None
    }

    fn number(&self, table: NameTable, name: &str, _: &NamePlaces) -> Option<u32> {
        // Any number will do for a name of another host's files.
        let first = name.bytes().next()?;
        let known = table.usual_number(name);
        known.or_else(|| first.is_ascii_alphabetic().then_some(1))
    }

    fn interface_exists(&self, _: &str) -> bool {
        true
    }

    fn node_name(&self) -> String {
        Facts.node_name()
    }

    fn environment(&self, name: &str) -> Option<String> {
        Facts.environment(name)
    }

    fn working_directory(&self) -> PathBuf {
        Facts.working_directory()
    }
}

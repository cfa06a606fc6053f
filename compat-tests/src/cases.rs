//! The cases of cases/diagnostics and cases/config: small configurations, wrong and right.
//!
//! Owns: finding them and reading one as it would be read on a host called `node1` that has
//! `eth0`, `eth1` and `lo`. Never does: judge what comes out. Driven by: the diagnostics snapshots and the
//! comparison with the real daemon.

use std::path::{Path, PathBuf};

use keepalived_rs::conf::{
    Access, FileError, Files, HostFacts, Identity, LoadOptions, Loaded, Program, load,
};
use keepalived_rs::host::files::HostFiles;

/// The name of the configuration within a case.
pub const MAIN: &str = "keepalived.conf";

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of its directory.
    pub name: String,
    /// The directory.
    pub directory: PathBuf,
}

impl Case {
    /// All cases of a directory in cases/, by name.
    ///
    /// # Panics
    /// If the directory of cases is not there.
    #[must_use]
    #[allow(clippy::expect_used)] // Test data of this very repository.
    pub fn all(group: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("cases")
            .join(group);
        let mut cases: Vec<Self> = std::fs::read_dir(root)
            .expect("the directory of cases")
            .flatten()
            .map(|entry| Self {
                name: entry.file_name().to_string_lossy().into_owned(),
                directory: entry.path(),
            })
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }
}

/// Files below a directory by relative names, so that messages do not depend on where it is.
struct Below<'a>(&'a Path);

impl Files for Below<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        HostFiles.read(&self.0.join(path))
    }

    fn exists(&self, path: &Path) -> bool {
        HostFiles.exists(&self.0.join(path))
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        HostFiles
            .glob(&self.0.join(pattern))
            .into_iter()
            .filter_map(|path| path.strip_prefix(self.0).map(Path::to_owned).ok())
            .collect()
    }
}

struct Node1;

impl HostFacts for Node1 {
    fn interface_with(&self, address: std::net::IpAddr) -> Option<String> {
        (address.to_string() == "192.0.2.250").then(|| "eth0".to_owned())
    }

    fn interface_exists(&self, name: &str) -> bool {
        matches!(name, "eth0" | "eth1" | "lo")
    }

    fn node_name(&self) -> String {
        "node1".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }

    // What the cases call `no-such-…` is not there.

    fn user_exists(&self, name: &str) -> bool {
        !name.starts_with(ABSENT) && name != "keepalived_script"
    }

    fn group_exists(&self, name: &str) -> bool {
        !name.starts_with(ABSENT)
    }

    fn namespace_exists(&self, name: &str) -> bool {
        !name.starts_with(ABSENT)
    }

    fn cpus(&self) -> u32 {
        2
    }

    fn program(&self, name: &str) -> Program {
        if name.contains(ABSENT) {
            Program::Missing
        } else if name.contains("open-to-all") {
            Program::Insecure
        } else if name.contains("directory") {
            Program::Directory
        } else {
            Program::Secure
        }
    }

    fn access(&self, name: &str) -> Option<Access> {
        let owner = Identity { uid: 0, gid: 0 };
        let mode = if name.contains("no-program") {
            0o644
        } else if name.contains("for-root") {
            0o700
        } else {
            0o755
        };
        Some(Access { owner, mode })
    }

    fn identity(&self, user: Option<&str>, group: Option<&str>) -> Option<Identity> {
        let number = |name: Option<&str>| if name == Some("nobody") { 65534 } else { 0 };
        let (uid, gid) = (number(user), number(group.or(user)));
        Some(Identity { uid, gid })
    }
}

/// A directory with another text in the place of its configuration.
struct Instead<'a>(Below<'a>, &'a str);

impl Files for Instead<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        if path == Path::new(MAIN) {
            Ok(self.1.as_bytes().to_vec())
        } else {
            self.0.read(path)
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.exists(path)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        self.0.glob(pattern)
    }
}

/// Reads a case as if its configuration were this text.
#[must_use]
pub fn read_text(case: &Case, text: &str) -> Loaded {
    let files = Instead(Below(&case.directory), text);
    load(Path::new(MAIN), LoadOptions::default(), &files, &Node1)
}

/// What names begin with that stand for nothing.
const ABSENT: &str = "no-such-";

/// Reads a case.
#[must_use]
pub fn read(case: &Case) -> Loaded {
    let files = Below(&case.directory);
    load(Path::new(MAIN), LoadOptions::default(), &files, &Node1)
}

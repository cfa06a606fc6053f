//! The name of the protocol that marks keepalived's addresses (`IFA_PROTO` 18), for `ip address`.
//!
//! Owns: `rt_addrprotos.d/keepalived.conf` of iproute2 while instances run. Never does: touch a
//! file with other contents, or a name that the system's own tables give. Driven by: `worker`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where iproute2 has its tables of names.
const TABLES: &str = "/etc/iproute2";

/// What stands in the file: the number of the protocol, and its name.
const LINE: &str = "18\tkeepalived\n";

/// The file, which goes with this value's end.
#[derive(Debug)]
pub(super) struct ProtocolName {
    path: PathBuf,
    /// Whether its directory was made for it.
    made: bool,
}

impl ProtocolName {
    /// Writes the file where iproute2 looks for it. Without iproute2, or where its tables cannot be
    /// written (a container), `ip address` shows the number: nothing depends on the name.
    pub(super) fn tell() -> Option<Self> {
        Self::tell_in(Path::new(TABLES))
            .inspect_err(|error| log::debug!("{TABLES}: no name for address protocol 18: {error}"))
            .ok()
            .flatten()
    }

    fn tell_in(tables: &Path) -> io::Result<Option<Self>> {
        if !tables.is_dir() || names_it(&tables.join("rt_addrprotos")) {
            return Ok(None);
        }
        let directory = tables.join("rt_addrprotos.d");
        let made = match fs::create_dir(&directory) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let path = directory.join("keepalived.conf");
        match fs::read_to_string(&path) {
            // That of a daemon that was killed, or of the one whose work goes on here.
            Ok(text) if text == LINE => {}
            // Somebody else's.
            Ok(_) => return Ok(None),
            Err(_) => fs::write(&path, LINE)?,
        }
        Ok(Some(Self { path, made }))
    }
}

/// Whether a table of names has an entry for the protocol.
fn names_it(table: &Path) -> bool {
    let text = fs::read_to_string(table).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .any(|word| word == "18" || word == "0x12")
}

impl Drop for ProtocolName {
    fn drop(&mut self) {
        // Gone already is as good.
        drop(fs::remove_file(&self.path));
        if let (true, Some(directory)) = (self.made, self.path.parent()) {
            // Not empty any more: it is somebody else's as well.
            drop(fs::remove_dir(directory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn the_file_stands_while_the_value_lives() {
        let tables = tables();
        let file = tables.path().join("rt_addrprotos.d/keepalived.conf");
        let name = ProtocolName::tell_in(tables.path()).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "18\tkeepalived\n");
        drop(name);
        assert!(!tables.path().join("rt_addrprotos.d").exists());
    }

    #[test]
    fn a_file_of_a_killed_daemon_is_taken_over_and_anothers_is_left() {
        let tables = tables();
        let directory = tables.path().join("rt_addrprotos.d");
        let file = directory.join("keepalived.conf");
        fs::create_dir(&directory).unwrap();
        fs::write(&file, LINE).unwrap();
        drop(ProtocolName::tell_in(tables.path()).unwrap().unwrap());
        assert!(!file.exists() && directory.exists());
        fs::write(&file, "18 other\n").unwrap();
        assert!(ProtocolName::tell_in(tables.path()).unwrap().is_none());
        assert_eq!(fs::read_to_string(&file).unwrap(), "18 other\n");
    }

    #[test]
    fn a_name_that_the_system_gives_is_enough() {
        let tables = tables();
        fs::write(
            tables.path().join("rt_addrprotos"),
            "# names\n18 keepalived\n",
        )
        .unwrap();
        assert!(ProtocolName::tell_in(tables.path()).unwrap().is_none());
        assert!(!tables.path().join("rt_addrprotos.d").exists());
        assert!(
            ProtocolName::tell_in(&tables.path().join("none"))
                .unwrap()
                .is_none()
        );
    }
}

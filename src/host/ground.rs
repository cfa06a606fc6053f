//! What the lints ask of this host.
//!
//! Owns: the look at interfaces, kernel settings, modules and the owners of files. Never does:
//! judge. Driven by: `lint::check`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::search::read_pattern;
use crate::lint::{Ground, WeakComponent, WrongPattern};

/// This host.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisHost;

/// No host at all: what can be told of a file wherever it is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Ground for NoHost {
    fn wrong_pattern(&self, pattern: &str, options: &[&str]) -> Option<WrongPattern> {
        let (offset, why) = read_pattern(pattern, options).err()?;
        Some(WrongPattern { offset, why })
    }
}

impl Ground for ThisHost {
    fn wrong_pattern(&self, pattern: &str, options: &[&str]) -> Option<WrongPattern> {
        NoHost.wrong_pattern(pattern, options)
    }

    fn mtu(&self, interface: &str) -> Option<u32> {
        if interface.contains('/') {
            return None;
        }
        let path = Path::new("/sys/class/net").join(interface).join("mtu");
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    fn weak_component(&self, program: &str) -> Option<WeakComponent> {
        let path = if program.contains('/') {
            PathBuf::from(program)
        } else {
            let directories = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&directories)
                .map(|directory| directory.join(program))
                .find(|path| path.is_file())?
        };
        weak_component(&path.canonicalize().ok()?)
    }

    fn has_ipvs(&self) -> Option<bool> {
        if Path::new("/proc/net/ip_vs").exists() {
            return Some(true);
        }
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
        let modules = Path::new("/lib/modules").join(release.trim());
        let lists = ["modules.dep", "modules.builtin"];
        let mut read = lists
            .iter()
            .filter_map(|name| fs::read_to_string(modules.join(name)).ok())
            .peekable();
        read.peek()?;
        Some(read.any(|list| list.contains("/ip_vs.ko")))
    }

    fn allows(&self, capability: u8) -> Option<bool> {
        has("CapBnd:", capability)
    }

    fn sysctl(&self, name: &str) -> Option<String> {
        let path: PathBuf = std::iter::once("/proc/sys")
            .chain(name.split('.'))
            .collect();
        Some(fs::read_to_string(path).ok()?.trim().to_owned())
    }
}

/// The component nearest to the root that somebody else can change: the ones below it are then in
/// the same hands.
fn weak_component(path: &Path) -> Option<WeakComponent> {
    let mut parts: Vec<&Path> = path.ancestors().collect();
    parts.reverse();
    parts.into_iter().find_map(|part| {
        let found = part.symlink_metadata().ok()?;
        let mode = found.mode();
        let sticky = found.is_dir() && mode & 0o1000 != 0;
        let user = || match nix::unistd::User::from_uid(found.uid().into()) {
            Ok(Some(user)) => format!("{} ({})", user.name, found.uid()),
            Ok(None) | Err(_) => found.uid().to_string(),
        };
        let group = || match nix::unistd::Group::from_gid(found.gid().into()) {
            Ok(Some(group)) => format!("{} ({})", group.name, found.gid()),
            Ok(None) | Err(_) => found.gid().to_string(),
        };
        let why = if found.uid() != 0 && mode & 0o200 != 0 {
            format!("it is owned by user {}", user())
        } else if !sticky && mode & 0o002 != 0 {
            "everybody may write to it".to_owned()
        } else if !sticky && found.gid() != 0 && mode & 0o020 != 0 {
            format!("group {} may write to it", group())
        } else {
            return None;
        };
        Some(WeakComponent {
            path: part.to_owned(),
            why: format!("{why}, mode {:04o}", mode & 0o7777),
        })
    })
}

/// Whether this process may send and receive packets of any protocol (`CAP_NET_RAW`), without which
/// there is no VRRP; true where that cannot be told.
pub(super) fn may_speak_raw() -> bool {
    const NET_RAW: u8 = 13;
    has("CapEff:", NET_RAW).unwrap_or(true)
}

/// Whether a capability, by its number in capabilities(7), is in one of this process's sets.
fn has(set: &str, capability: u8) -> Option<bool> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let set = status.lines().find_map(|line| line.strip_prefix(set))?;
    let set = u64::from_str_radix(set.trim(), 16).ok()?;
    Some(set.checked_shr(u32::from(capability))? & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    // Input: patterns with and without a fault, and one that its options make one. Output: the place
    // of the fault.
    #[test]
    fn faults_of_patterns_are_found() {
        let offset = |pattern: &str, options: &[&str]| {
            NoHost
                .wrong_pattern(pattern, options)
                .map(|wrong| wrong.offset)
        };
        assert_eq!(offset("a(b)", &[]), None);
        assert_eq!(offset("a(b", &[]), Some(3));
        assert_eq!(offset("[]", &["allow_empty_class"]), None);
        assert_eq!(offset("[]", &[]), Some(2));
    }

    // Input: a script that everybody may change, in a directory of root's. Output: the script
    // itself; with the directory open as well, the directory.
    #[test]
    fn the_first_open_component_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let inner = root.join("scripts");
        let script = inner.join("check.sh");
        fs::create_dir(&inner).unwrap();
        fs::write(&script, "").unwrap();
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&inner, 0o755);
        mode(&script, 0o757);
        if weak_component(&root).is_some() {
            return assert_eq!(weak_component(&script), weak_component(&root));
        }
        let found = weak_component(&script).unwrap();
        assert_eq!(found.path, script);
        assert_eq!(found.why, "everybody may write to it, mode 0757");
        mode(&inner, 0o777);
        assert_eq!(weak_component(&script).unwrap().path, inner);
        mode(&inner, 0o755);
        mode(&script, 0o755);
        assert_eq!(weak_component(&script), None);
    }
}

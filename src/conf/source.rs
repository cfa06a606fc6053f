//! Where the text comes from, and what it looks like inside the pipeline.
//!
//! Owns: the seams to the file system and to the host's facts, the text of every file, and the
//! mapping that lets any byte pass: a byte that is not valid UTF-8 becomes the private-use
//! character U+F700 + byte and goes back to the same byte in [`to_bytes`]. Never does: open a file
//! itself, change the working directory. Driven by: `reader`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::names::{NamePlaces, NameTable};
use super::reader::Place;
use crate::base::bytes::{byte_char, char_byte};

/// Files above this size are refused: a configuration is not a log or a disk image.
pub const MAX_FILE: usize = 256 << 20;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// There is no such file.
    Missing,
    /// It may not be read.
    Denied,
    /// It is a directory.
    Directory,
    /// It is an executable file or something else that is no plain file.
    NotRegular,
    /// It is larger than [`MAX_FILE`].
    TooLarge,
    /// The system says.
    Other(String),
}

/// The file system as the reader sees it.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// The reason why there is none.
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError>;

    /// Whether there is anything of that name.
    fn exists(&self, path: &Path) -> bool;

    /// The existing paths that match `pattern` (`*`, `?`, `[…]`; no braces), sorted.
    fn glob(&self, pattern: &Path) -> Vec<PathBuf>;
}

/// What is known of a program that is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// There is none.
    Missing,
    /// It is a directory.
    Directory,
    /// A redirection: the shell runs it.
    Redirection,
    /// Somebody other than root can change it.
    Insecure,
    /// Only root can change it.
    Secure,
}

/// Whom a program runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Whose a program is, and what its mode allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The user and the group that it belongs to.
    pub owner: Identity,
    /// The bits of its mode, as in stat(2).
    pub mode: u32,
}

impl Access {
    /// Whether it may be run: by root if anybody may.
    #[must_use]
    pub const fn lets(self, who: Identity) -> bool {
        let bits = if who.uid == 0 {
            0o111
        } else if who.uid == self.owner.uid {
            0o100
        } else if who.gid == self.owner.gid {
            0o010
        } else {
            0o001
        };
        self.mode & bits != 0
    }
}

/// What a file with a key holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Nobody looked.
    Unseen,
    /// This.
    Bytes(Vec<u8>),
    /// Others than its owner may read or write it.
    Exposed,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// What kind of interface one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A macvlan in private mode.
    PrivateMacvlan,
    /// An ipvlan of layer 2.
    Ipvlan,
    /// A VRF with its routing table.
    Vrf(u32),
    /// Anything else.
    Other,
}

/// Facts of the host that a configuration is checked against or refers to.
pub trait HostFacts {
    /// Whether the interface exists.
    fn interface_exists(&self, name: &str) -> bool;

    /// The interface that has this address; `None` where nothing is known.
    fn interface_with(&self, _address: IpAddr) -> Option<String> {
        None
    }

    /// The node name; up to its first dot it is the default config id.
    fn node_name(&self) -> String;

    /// A variable of the environment (`${_ENV NAME}`).
    fn environment(&self, name: &str) -> Option<String>;

    /// The directory that a relative name of the main file refers to (`${_PWD}` is absolute).
    fn working_directory(&self) -> PathBuf;

    /// Whether there is a user of that name; keepalived takes no numbers. Who knows no users takes them as given.
    fn user_exists(&self, _name: &str) -> bool {
        true
    }

    /// Whether there is a group of that name.
    fn group_exists(&self, _name: &str) -> bool {
        true
    }

    /// How many CPUs there are.
    fn cpus(&self) -> u32 {
        1024
    }

    /// Whether a server's name or address can be looked up. Whoever may not wait takes it as given.
    fn server_exists(&self, _name: &str) -> bool {
        true
    }

    /// Whether there is a network namespace of that name.
    fn namespace_exists(&self, _name: &str) -> bool {
        true
    }

    /// The number that the host's tables give to a name.
    fn number(&self, table: NameTable, name: &str, _places: &NamePlaces) -> Option<u32> {
        table.usual_number(name)
    }

    /// What kind of interface one is; `None` if there is none of that name.
    fn link(&self, name: &str) -> Option<Link> {
        self.interface_exists(name).then_some(Link::Other)
    }

    /// The content of a file that holds a key. Who reads no files takes one as given.
    fn secret(&self, _path: &str) -> Secret {
        Secret::Unseen
    }

    /// Why the directory that is to hold a file cannot be found, as the system's number and text.
    fn directory_error(&self, _file: &str) -> Option<(i32, String)> {
        None
    }

    /// What a script's first word names: a path, or a name that is looked for in `PATH`.
    fn program(&self, _name: &str) -> Program {
        Program::Secure
    }

    /// Who may run the program of that name; `None` where nothing is known.
    fn access(&self, _name: &str) -> Option<Access> {
        None
    }

    /// Whom a script runs as that names this user and group, or nobody; `None` where nothing is known.
    fn identity(&self, _user: Option<&str>, _group: Option<&str>) -> Option<Identity> {
        None
    }
}

/// The text of a file: what is not UTF-8, and what would be mistaken for a mapped byte, is mapped.
/// CR before LF is dropped, as keepalived does.
#[must_use]
pub fn to_text(bytes: Vec<u8>) -> String {
    let text = match String::from_utf8(bytes) {
        Ok(text) if text.is_ascii() || !text.chars().any(|c| char_byte(c).is_some()) => text,
        Ok(text) => map_bytes(text.as_bytes()),
        Err(error) => map_bytes(error.as_bytes()),
    };
    if text.contains('\r') {
        text.replace("\r\n", "\n")
    } else {
        text
    }
}

fn map_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if char_byte(c).is_some() {
                let mut buffer = [0; 4];
                text.extend(c.encode_utf8(&mut buffer).bytes().map(byte_char));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(byte_char));
    }
    text
}

/// The bytes that a piece of text had in its file.
#[must_use]
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if text.is_ascii() || !text.chars().any(|c| char_byte(c).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match char_byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The path that a piece of text names, byte for byte.
#[must_use]
pub fn to_path(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(std::ffi::OsString::from_vec(to_bytes(text).into_owned()))
}

/// The text for people: mapped ASCII bytes (`\#`) as themselves, other mapped bytes as a
/// replacement character.
#[must_use]
pub fn to_display(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(|c| char_byte(c).is_some()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(String::from_utf8_lossy(&to_bytes(text)).into_owned())
}

/// One file that was read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its name for messages.
    pub(super) name: Arc<str>,
    /// Its path.
    pub(super) path: PathBuf,
    /// Its text; shared with whoever is cutting it.
    pub(super) text: Arc<String>,
    /// Where it was included; the main file was not.
    pub(super) included: Option<Place>,
    /// There is a NUL byte in it somewhere, maybe in a comment: its lines are taken one by one.
    pub(super) binary: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: every byte value, in an order that is not UTF-8. Output: the same bytes.
    #[test]
    fn any_bytes_survive_the_way_in_and_out() {
        let bytes: Vec<u8> = (0..=255).rev().collect();
        let text = to_text(bytes.clone());
        assert_eq!(to_bytes(&text).as_ref(), bytes);
    }

    // Input: a private-use character of our own range in valid UTF-8. Output: its three bytes.
    #[test]
    fn our_own_private_characters_survive_too() {
        let text = to_text("a\u{f741}b".as_bytes().to_vec());
        assert_eq!(to_bytes(&text).as_ref(), "a\u{f741}b".as_bytes());
    }

    #[test]
    fn carriage_return_before_line_feed_is_dropped() {
        assert_eq!(to_text(b"a\r\nb\rc\n".to_vec()), "a\nb\rc\n");
    }
}

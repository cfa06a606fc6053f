//! The folder of real configurations and what keepalived was recorded to say of them.
//!
//! Owns reading `verdicts.tsv`; never copies or changes a file. Driven by the command and the test.

use std::path::{Path, PathBuf};

use super::Messages;
use crate::bed::{Context, Error, Result};

/// One configuration.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name in the folder.
    pub id: String,
    /// Where it came from, in the folder's words.
    pub class: String,
    /// The file.
    pub file: PathBuf,
    /// Exit status of 2.2.7 as recorded; negative: the signal that ended it.
    pub recorded_old: i32,
    /// Exit status of 2.4.3 as recorded.
    pub recorded: i32,
    /// Messages of 2.4.3 as recorded.
    pub messages: Messages,
    /// Whether these are all; long lists were cut when they were recorded.
    pub complete: bool,
}

/// Messages of a file after which the recording was cut.
const CUT: usize = 60;

/// All configurations of a folder.
#[derive(Debug, Clone)]
pub struct Library {
    /// In the order of the folder's table.
    pub entries: Vec<Entry>,
}

impl Library {
    /// The folder that `KEEPALIVED_CORPUS` names; `None` when it names none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_environment() -> Result<Option<Self>> {
        std::env::var_os("KEEPALIVED_CORPUS")
            .map(|folder| Self::open(Path::new(&folder)))
            .transpose()
    }

    /// Reads a folder's table.
    ///
    /// # Errors
    /// When it cannot be read or a row is not as expected.
    pub fn open(folder: &Path) -> Result<Self> {
        let table = folder.join("verdicts.tsv");
        let text = std::fs::read_to_string(&table).context(|| table.display().to_string())?;
        let entries = text
            .lines()
            .skip(1)
            .map(|row| {
                entry(folder, row).ok_or_else(|| Error::new(format!("{}: {row}", table.display())))
            })
            .collect::<Result<_>>()?;
        Ok(Self { entries })
    }
}

fn entry(folder: &Path, row: &str) -> Option<Entry> {
    let columns: Vec<&str> = row.split('\t').collect();
    let [id, class, old, new, messages] = columns.as_slice() else {
        return None;
    };
    // Where the files lay when they were recorded.
    let here = format!("{}/", folder.join("files").display());
    let messages = messages.replace("DIR/", &here);
    let messages: Vec<&str> = messages.split(" ⏎ ").collect();
    Some(Entry {
        id: (*id).to_owned(),
        class: (*class).to_owned(),
        file: folder.join("files").join(format!("{id}.conf")),
        recorded_old: old.parse().ok()?,
        recorded: new.parse().ok()?,
        complete: messages.len() < CUT,
        messages: Messages::of_lines(messages.into_iter()),
    })
}

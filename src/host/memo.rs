//! What a load asked of the host, and what it was told.
//!
//! Owns: the questions of one load with their answers; of files only a digest. Never does: read
//! anything by itself. Driven by: `reading`, around a `Loader`: since that is a
//! function of its options and of these answers, a reload whose answers are all the same comes to
//! the same configuration, and need not be read again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::conf::names::{NamePlaces, NameTable};
use crate::conf::{Access, FileError, Files, HostFacts, Identity, Link, Program};

/// What is asked: one for each function of the two seams.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    Read(PathBuf),
    Exists(PathBuf),
    Glob(PathBuf),
    Interface(String),
    InterfaceWith(IpAddr),
    NodeName,
    Environment(String),
    WorkingDirectory,
    User(String),
    Group(String),
    Cpus,
    Server(String),
    Namespace(String),
    Number(NameTable, String, NamePlaces),
    Link(String),
    Directory(String),
    Program(String),
    Access(String),
    Identity(Option<String>, Option<String>),
}

/// Length and two digests of different beginnings.
pub(super) type Digest = (usize, u64, u64);

/// Files that may be known already.
pub(super) trait Summed: Files {
    /// The content of a file and its digest.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn read_summed(&self, path: &Path) -> Result<(Vec<u8>, Digest), FileError> {
        let bytes = self.read(path)?;
        let mut sum = Sum::default();
        sum.add(&bytes);
        Ok((bytes, sum.digest()))
    }

    /// The digest of a file.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn sum(&self, path: &Path) -> Result<Digest, FileError> {
        self.read_summed(path).map(|(_, digest)| digest)
    }
}

/// A digest that is being made.
#[derive(Debug)]
pub(super) struct Sum {
    length: usize,
    hashers: [DefaultHasher; 2],
}

impl Default for Sum {
    fn default() -> Self {
        let hasher = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher
        };
        Self {
            length: 0,
            hashers: [hasher(0), hasher(1)],
        }
    }
}

impl Sum {
    /// Bytes that go into a digest at once. Files are cut alike whoever reads them.
    pub(super) const PART: usize = 128 << 10;

    /// Takes what comes next: whole parts, and at the end the rest.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(Self::PART) {
            self.length += part.len();
            for hasher in &mut self.hashers {
                hasher.write(part);
            }
        }
    }

    /// The digest.
    pub(super) fn digest(&self) -> Digest {
        let [one, other] = &self.hashers;
        (self.length, one.finish(), other.finish())
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Content(Result<Digest, FileError>),
    Paths(Vec<PathBuf>),
    YesNo(bool),
    Text(Option<String>),
    Path(PathBuf),
    Number(Option<u32>),
    Link(Option<Link>),
    Error(Option<(i32, String)>),
    Program(Program),
    Access(Option<Access>),
    Identity(Option<Identity>),
}

/// The questions of a load that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memo(HashMap<Question, Answer>);

/// The two seams with a memory.
#[derive(Debug)]
pub(super) struct Asked<F, H> {
    files: F,
    facts: H,
    memo: RefCell<Memo>,
}

impl<F: Summed, H: HostFacts> Asked<F, H> {
    /// Nothing was asked yet.
    pub(super) fn new(files: F, facts: H) -> Self {
        Self {
            files,
            facts,
            memo: RefCell::default(),
        }
    }

    /// What was asked.
    pub(super) fn memo(self) -> Memo {
        self.memo.into_inner()
    }

    fn note(&self, question: Question, answer: Answer) {
        self.memo.borrow_mut().0.insert(question, answer);
    }
}

impl Memo {
    /// The files that were read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().filter_map(|question| match question {
            Question::Read(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// Whether each question would be answered now as it was then. A load that asked nothing holds
    /// nothing.
    #[must_use]
    pub(super) fn holds(&self, files: &dyn Summed, facts: &dyn HostFacts) -> bool {
        !self.0.is_empty()
            && self
                .0
                .iter()
                .all(|(question, answer)| ask(question, files, facts) == *answer)
    }
}

fn ask(question: &Question, files: &dyn Summed, facts: &dyn HostFacts) -> Answer {
    match question {
        Question::Read(path) => Answer::Content(files.sum(path)),
        Question::Exists(path) => Answer::YesNo(files.exists(path)),
        Question::Glob(pattern) => Answer::Paths(files.glob(pattern)),
        Question::Interface(name) => Answer::YesNo(facts.interface_exists(name)),
        Question::InterfaceWith(address) => Answer::Text(facts.interface_with(*address)),
        Question::NodeName => Answer::Text(Some(facts.node_name())),
        Question::Environment(name) => Answer::Text(facts.environment(name)),
        Question::WorkingDirectory => Answer::Path(facts.working_directory()),
        Question::User(name) => Answer::YesNo(facts.user_exists(name)),
        Question::Group(name) => Answer::YesNo(facts.group_exists(name)),
        Question::Cpus => Answer::Number(Some(facts.cpus())),
        Question::Server(name) => Answer::YesNo(facts.server_exists(name)),
        Question::Namespace(name) => Answer::YesNo(facts.namespace_exists(name)),
        Question::Number(table, name, places) => Answer::Number(facts.number(*table, name, places)),
        Question::Link(name) => Answer::Link(facts.link(name)),
        Question::Directory(file) => Answer::Error(facts.directory_error(file)),
        Question::Program(name) => Answer::Program(facts.program(name)),
        Question::Access(name) => Answer::Access(facts.access(name)),
        Question::Identity(user, group) => {
            Answer::Identity(facts.identity(user.as_deref(), group.as_deref()))
        }
    }
}

impl<F: Summed, H: HostFacts> Files for Asked<F, H> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let read = self.files.read_summed(path);
        let told = read.as_ref().map(|(_, digest)| *digest);
        let told = Answer::Content(told.map_err(Clone::clone));
        self.note(Question::Read(path.to_owned()), told);
        read.map(|(bytes, _)| bytes)
    }

    fn exists(&self, path: &Path) -> bool {
        let exists = self.files.exists(path);
        self.note(Question::Exists(path.to_owned()), Answer::YesNo(exists));
        exists
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        let found = self.files.glob(pattern);
        let told = Answer::Paths(found.clone());
        self.note(Question::Glob(pattern.to_owned()), told);
        found
    }
}

impl<F: Summed, H: HostFacts> HostFacts for Asked<F, H> {
    fn interface_exists(&self, name: &str) -> bool {
        let exists = self.facts.interface_exists(name);
        self.note(Question::Interface(name.to_owned()), Answer::YesNo(exists));
        exists
    }

    fn interface_with(&self, address: IpAddr) -> Option<String> {
        let name = self.facts.interface_with(address);
        let told = Answer::Text(name.clone());
        self.note(Question::InterfaceWith(address), told);
        name
    }

    fn node_name(&self) -> String {
        let name = self.facts.node_name();
        self.note(Question::NodeName, Answer::Text(Some(name.clone())));
        name
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = self.facts.environment(name);
        let told = Answer::Text(value.clone());
        self.note(Question::Environment(name.to_owned()), told);
        value
    }

    fn working_directory(&self) -> PathBuf {
        let path = self.facts.working_directory();
        self.note(Question::WorkingDirectory, Answer::Path(path.clone()));
        path
    }

    fn user_exists(&self, name: &str) -> bool {
        let exists = self.facts.user_exists(name);
        self.note(Question::User(name.to_owned()), Answer::YesNo(exists));
        exists
    }

    fn group_exists(&self, name: &str) -> bool {
        let exists = self.facts.group_exists(name);
        self.note(Question::Group(name.to_owned()), Answer::YesNo(exists));
        exists
    }

    fn cpus(&self) -> u32 {
        let count = self.facts.cpus();
        self.note(Question::Cpus, Answer::Number(Some(count)));
        count
    }

    fn server_exists(&self, name: &str) -> bool {
        let exists = self.facts.server_exists(name);
        self.note(Question::Server(name.to_owned()), Answer::YesNo(exists));
        exists
    }

    fn namespace_exists(&self, name: &str) -> bool {
        let exists = self.facts.namespace_exists(name);
        self.note(Question::Namespace(name.to_owned()), Answer::YesNo(exists));
        exists
    }

    fn number(&self, table: NameTable, name: &str, places: &NamePlaces) -> Option<u32> {
        let number = self.facts.number(table, name, places);
        let question = Question::Number(table, name.to_owned(), places.clone());
        self.note(question, Answer::Number(number));
        number
    }

    fn link(&self, name: &str) -> Option<Link> {
        let link = self.facts.link(name);
        self.note(Question::Link(name.to_owned()), Answer::Link(link));
        link
    }

    fn directory_error(&self, file: &str) -> Option<(i32, String)> {
        let error = self.facts.directory_error(file);
        let told = Answer::Error(error.clone());
        self.note(Question::Directory(file.to_owned()), told);
        error
    }

    fn program(&self, name: &str) -> Program {
        let program = self.facts.program(name);
        let told = Answer::Program(program);
        self.note(Question::Program(name.to_owned()), told);
        program
    }

    fn access(&self, name: &str) -> Option<Access> {
        let access = self.facts.access(name);
        self.note(Question::Access(name.to_owned()), Answer::Access(access));
        access
    }

    fn identity(&self, user: Option<&str>, group: Option<&str>) -> Option<Identity> {
        let identity = self.facts.identity(user, group);
        let names = [user, group].map(|name| name.map(str::to_owned));
        let [user, group] = names;
        let told = Answer::Identity(identity);
        self.note(Question::Identity(user, group), told);
        identity
    }
}

#[cfg(test)]
#[path = "memo_tests.rs"]
mod tests;

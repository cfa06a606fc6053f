//! The one error of the testbed: a sentence for the person who reads the test's output.
//!
//! Owns the conversion from system errors; never classified, because no caller reacts to a kind
//! of error other than by failing. Driven by every file of the testbed.

use std::fmt;

/// What a testbed function gives back.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the testbed could not do what was asked of it.
pub struct Error(String);

impl Error {
    /// An error that says `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// `unwrap` in a test prints this: the sentence, not a structure around it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<nix::Error> for Error {
    fn from(error: nix::Error) -> Self {
        Self(error.to_string())
    }
}

/// Puts "while doing what" in front of an error.
pub trait Context<T> {
    /// The same result, its error preceded by `what`.
    ///
    /// # Errors
    /// When `self` is one.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error(format!("{}: {error}", what())))
    }
}

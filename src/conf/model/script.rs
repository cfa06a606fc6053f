//! Scripts as checks and changes of state name them.
//!
//! Owns: a command with whom it runs as, and how a command falls into words. Never does: run
//! anything, or look whether there is such a program. Driven by: `conf::bind` and the domains.

/// A script that a check or a change of state runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckScript {
    /// The command with its arguments.
    pub command: String,
    /// The user that runs it; `script_user` if not given.
    pub user: Option<String>,
    /// The group that runs it; the user's if not given.
    pub group: Option<String>,
}

impl CheckScript {
    /// The command's words, split as a shell would; `None`: a quote is open, or there is none.
    #[must_use]
    pub fn argv(&self) -> Option<Vec<String>> {
        let argv = command_words(&self.command).ok()?;
        (!argv.is_empty()).then_some(argv)
    }
}

/// Splits at blanks; a quote keeps them. The error is the quote that stays open.
pub(in super::super) fn command_words(text: &str) -> Result<Vec<String>, char> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (Some(_) | None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.map_or(Ok(words), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: commands. Output: their words.
    #[test]
    fn quotes_keep_blanks_together() {
        assert_eq!(
            command_words("/bin/sh -c 'a b'c  d").unwrap(),
            ["/bin/sh", "-c", "a bc", "d"]
        );
        assert_eq!(command_words("a '' b").unwrap(), ["a", "", "b"]);
        assert_eq!(command_words("  ").unwrap(), Vec::<String>::new());
        assert_eq!(command_words("a 'b"), Err('\''));
    }
}

//! Commands that a shell has to run: redirections (`</dev/tcp/127.0.0.1/80`).
//!
//! Owns: what such a command is, and its line for the shell. Never does: run anything. Driven by:
//! `host` for what it starts, `report` for what it shows.

/// Whether a command that begins with this word is a redirection. keepalived leaves those to the
/// shell; whether `/dev/tcp` means anything there is up to the shell (bash: yes; dash: no).
#[must_use]
pub fn is_redirection(word: &str) -> bool {
    word.starts_with("</")
}

/// The line for the shell of a command that is a redirection: its first word, then the others, each
/// quoted. `None`: it is none.
#[must_use]
pub fn shell_line(argv: &[String]) -> Option<String> {
    let (first, rest) = argv.split_first()?;
    is_redirection(first).then(|| {
        let rest = rest.iter();
        let quoted = rest.map(|word| format!(" '{}'", word.replace('\'', "'\\''")));
        std::iter::once(first.clone()).chain(quoted).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Option<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        shell_line(&words)
    }

    // Input: words. Output: a line for the shell if the first one is a redirection.
    #[test]
    fn redirections_alone_are_for_the_shell() {
        assert_eq!(line(&["</dev/null"]).as_deref(), Some("</dev/null"));
        assert_eq!(
            line(&["</dev/null", "a b", "it's"]).as_deref(),
            Some("</dev/null 'a b' 'it'\\''s'")
        );
        assert_eq!(line(&["<dev/null"]), None);
        assert_eq!(line(&["/bin/true", "</dev/null"]), None);
        assert_eq!(line(&[]), None);
    }
}

//! Words that name a program: `"PATH ARGUMENTS" [USER [GROUP]]`.
//!
//! Owns: how such a word is split (quotes as in a shell, but no shell runs) and who it runs as.
//! Never does: look at the program; `resolve::scripts` does, when all is read. Driven by: the
//! handlers of notify scripts and trackers.

use super::super::diag::Class;
use super::super::draft::ScriptRules;
use super::super::model::options::Script;
use super::super::source::to_display;
use super::Statement;

/// Whom scripts run as where nobody is named.
const DEFAULT_USER: &str = "keepalived_script";

/// Why there is no script.
pub(super) enum NoScript {
    /// Nothing is named, or it is no command.
    Empty,
    /// Whoever it would run as does not exist.
    NoUser,
    /// Security is asked for, and nobody is named whom it could run as.
    NoDefaultUser,
}

/// The script at `index`, with its user and group behind it.
pub(super) fn script(
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Result<Script, NoScript> {
    let argv = command(rules, st, index).ok_or(NoScript::Empty)?;
    let (user, group) = (st.word(index + 1), st.word(index + 2));
    if user.is_some_and(|user| !st.facts.user_exists(user))
        || group.is_some_and(|group| !st.facts.group_exists(group))
    {
        return Err(NoScript::NoUser);
    }
    if user.is_none() {
        default_user(rules, st, index)?;
    }
    Ok(Script {
        argv,
        user: user.map(str::to_owned),
        group: group.map(str::to_owned),
    })
}

/// Whether there is somebody whom a script without a user can run as. Without security it is root.
pub(super) fn default_user(
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Result<(), NoScript> {
    if rules.nobody {
        return Err(NoScript::NoDefaultUser);
    }
    if !rules.secure || rules.user.is_some() || st.facts.user_exists(DEFAULT_USER) {
        return Ok(());
    }
    let message = format!("Unable to set default user {DEFAULT_USER} for script");
    st.error(Class::General, message, Some(index));
    rules.nobody = true;
    Err(NoScript::NoDefaultUser)
}

/// The words of the command at `index`; `None`, reported, if a quote is open; also if there are none.
pub(super) fn command(
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Option<Vec<String>> {
    let word = st.word(index)?;
    match split(word) {
        Ok(argv) => {
            let name = argv.first()?;
            let facts = st.facts;
            let look = || facts.program(name);
            rules.programs.entry(name.clone()).or_insert_with(look);
            Some(argv)
        }
        Err(quote) => {
            let message = format!("String '{}': missing terminating {quote}", to_display(word));
            st.error(Class::General, message, Some(index));
            None
        }
    }
}

/// Splits at blanks; a quote keeps them. The error is the quote that stays open.
fn split(text: &str) -> Result<Vec<String>, char> {
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
            split("/bin/sh -c 'a b'c  d").unwrap(),
            ["/bin/sh", "-c", "a bc", "d"]
        );
        assert_eq!(split("a '' b").unwrap(), ["a", "", "b"]);
        assert_eq!(split("  ").unwrap(), Vec::<String>::new());
        assert_eq!(split("a 'b"), Err('\''));
    }
}

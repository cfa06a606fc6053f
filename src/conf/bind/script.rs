//! Words that name a program: `"PATH ARGUMENTS" [USER [GROUP]]`.
//!
//! Owns: whose program such a word names, and who it runs as.
//! Never does: look at the program; `resolve::scripts` does, when all is read. Driven by: the
//! handlers of notify scripts and trackers.

use super::super::diag::Class;
use super::super::draft::ScriptRules;
use super::super::model::command_words;
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

/// Who runs a script: keepalived has a process for each, and each complains of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// VRRP.
    Vrrp,
    /// Checks.
    Check,
    /// The parent of both, from which they learn.
    Parent,
}

/// The script of VRRP at `index`, with its user and group behind it.
pub(super) fn script(
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Result<Script, NoScript> {
    script_of(Side::Vrrp, rules, st, index)
}

/// The script at `index`, with its user and group behind it.
pub(super) fn script_of(
    side: Side,
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Result<Script, NoScript> {
    let words = shell_words(st).ok_or(NoScript::Empty)?;
    let mut words = words.into_iter().skip(index);
    let command = words.next().ok_or(NoScript::Empty)?;
    let argv = argv(rules, &command, st, index).ok_or(NoScript::Empty)?;
    let (user, group) = (words.next(), words.next());
    check_user(rules, user.as_deref(), group.as_deref(), st)?;
    if user.is_none() {
        default_user_of(side, rules, st, index)?;
    }
    Ok(Script { argv, user, group })
}

/// Whether a user and a group that are named exist.
pub(super) fn check_user(
    rules: &mut ScriptRules,
    user: Option<&str>,
    group: Option<&str>,
    st: &Statement<'_>,
) -> Result<(), NoScript> {
    if user.is_none_or(|user| st.facts.user_exists(user))
        && group.is_none_or(|group| st.facts.group_exists(group))
    {
        if let Some(identity) = st.facts.identity(user, group) {
            let names = (user.map(str::to_owned), group.map(str::to_owned));
            rules.identities.insert(names, identity);
        }
        Ok(())
    } else {
        Err(NoScript::NoUser)
    }
}

/// Whether there is somebody whom a script of VRRP without a user can run as.
pub(super) fn default_user(
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Result<(), NoScript> {
    default_user_of(Side::Vrrp, rules, st, index)
}

/// Whether there is somebody whom a script without a user can run as. Without security it is root.
/// That there is nobody is said once.
pub(super) fn default_user_of(
    side: Side,
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Result<(), NoScript> {
    let [vrrp, check] = rules.nobody;
    let said = match side {
        Side::Vrrp => vrrp,
        Side::Check => check,
        Side::Parent => vrrp && check,
    };
    if said {
        return Err(NoScript::NoDefaultUser);
    }
    if !rules.secure && rules.user.is_none() && !st.facts.user_exists(DEFAULT_USER) {
        rules.taken_for_open = true;
    }
    if !rules.secure || rules.user.is_some() || st.facts.user_exists(DEFAULT_USER) {
        return Ok(());
    }
    let message = format!("Unable to set default user {DEFAULT_USER} for script");
    st.error(Class::General, message, Some(index));
    rules.nobody = match side {
        Side::Vrrp => [true, check],
        Side::Check => [vrrp, true],
        Side::Parent => [true, true],
    };
    Err(NoScript::NoDefaultUser)
}

/// The words of the command at `index`; `None`, reported, if a quote is open; also if there are none.
pub(super) fn command(
    rules: &mut ScriptRules,
    st: &mut Statement<'_>,
    index: usize,
) -> Option<Vec<String>> {
    let command = shell_words(st)?.into_iter().nth(index)?;
    argv(rules, &command, st, index)
}

/// The words of the whole line as scripts have them, where quotes join what touches; `None`,
/// reported: a quote is open.
pub(super) fn shell_words(st: &mut Statement<'_>) -> Option<Vec<String>> {
    let line = st.raw();
    let words = command_words(line);
    words
        .map_err(|quote| open_quote(st, line, quote, None))
        .ok()
}

/// The words of a command, whose program is looked up; `None`: there are none, or, reported, a quote
/// is open.
fn argv(
    rules: &mut ScriptRules,
    command: &str,
    st: &mut Statement<'_>,
    index: usize,
) -> Option<Vec<String>> {
    let words = command_words(command);
    let argv = words
        .map_err(|quote| open_quote(st, command, quote, Some(index)))
        .ok()?;
    look_up(rules, argv.first()?, st);
    Some(argv)
}

/// Whether the words of a command can be told apart; reported if not.
pub(super) fn is_closed(command: &str, st: &mut Statement<'_>) -> bool {
    let words = command_words(command);
    words
        .map_err(|quote| open_quote(st, command, quote, Some(1)))
        .is_ok()
}

fn open_quote(st: &mut Statement<'_>, text: &str, quote: char, index: Option<usize>) {
    let message = format!("String '{}': missing terminating {quote}", to_display(text));
    st.error(Class::General, message, index);
}

/// Asks the host about a program, once.
pub(super) fn look_up(rules: &mut ScriptRules, name: &str, st: &Statement<'_>) {
    if !rules.programs.contains_key(name) {
        let found = (st.facts.program(name), st.facts.access(name));
        rules.programs.insert(name.to_owned(), found);
        if let Some(identity) = st.facts.identity(None, None) {
            rules.identities.insert((None, None), identity);
        }
    }
}

/// The first word of a command.
pub(in super::super) fn program_of(command: &str) -> Option<String> {
    command_words(command).ok()?.into_iter().next()
}

/// The words of a command, each between quotes, as keepalived tells of them.
pub(super) fn quoted(command: &str) -> String {
    let words = command_words(command).unwrap_or_default();
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("'{}'", to_display(word)))
        .collect();
    words.join(" ")
}

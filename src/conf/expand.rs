//! Definitions and repetition: `$NAME`, `${NAME}`, the built-in names, `~SEQ`, `~LST`.
//!
//! Owns: what is defined and how a line is rewritten with it. Never does: split a line into words
//! or read files. Driven by: `reader`, for lines that have a `$` or begin with `~`.

use std::collections::HashMap;
use std::path::Path;

use super::source::HostFacts;
use super::syntax::{self, Reference};
use crate::base::Rng;

/// A line may grow to this many bytes by substitution; keepalived's limit is its 1 KiB buffer.
const MAX_LINE: usize = 1 << 20;
/// Rounds of substitution; a definition that contains itself never ends otherwise.
const MAX_ROUNDS: usize = 64;
/// Lines that one repetition may make.
const MAX_REPEAT: usize = 1 << 20;

/// What is defined so far.
#[derive(Debug)]
pub(super) struct Definitions {
    values: HashMap<String, String>,
    rng: Rng,
}

/// What the built-in names stand for.
pub(super) struct Builtins<'a> {
    pub(super) facts: &'a dyn HostFacts,
    pub(super) directory: &'a Path,
    pub(super) config_id: &'a str,
}

impl Definitions {
    /// Nothing is defined; `seed` feeds `${_RANDOM}`.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            values: HashMap::new(),
            rng: Rng::new(seed),
        }
    }

    /// Defines `name`, also again.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// Replaces references until none is left that is defined; `Ok(None)`: there was none.
    ///
    /// # Errors
    /// The line would grow without end; the message for the operator.
    pub(super) fn expand(
        &mut self,
        line: &str,
        builtins: &Builtins<'_>,
    ) -> Result<Option<String>, String> {
        let mut current: Option<String> = None;
        for _ in 0..MAX_ROUNDS {
            let Some(next) = self.round(current.as_deref().unwrap_or(line), builtins) else {
                return Ok(current);
            };
            if next.len() > MAX_LINE {
                return Err("Expanded line is too long - not expanded".to_owned());
            }
            current = Some(next);
        }
        Err("Definition refers to itself - not expanded".to_owned())
    }

    /// One round of substitution; `None`: nothing changed.
    fn round(&mut self, line: &str, builtins: &Builtins<'_>) -> Option<String> {
        let mut changed = false;
        let mut out = String::with_capacity(line.len() * 2);
        for reference in syntax::references(line) {
            match reference {
                Reference::Literal(text) => out.push_str(text),
                Reference::Name {
                    whole,
                    name,
                    parameters,
                } => {
                    if let Some(value) = self.values.get(name) {
                        changed = true;
                        out.push_str(value);
                    } else if let Some(value) =
                        self.builtin(whole.starts_with("${"), name, &parameters, builtins)
                    {
                        changed = true;
                        out.push_str(&value);
                    } else {
                        out.push_str(whole);
                    }
                    if out.len() > MAX_LINE {
                        return Some(out);
                    }
                }
            }
        }
        changed.then_some(out)
    }

    fn builtin(
        &mut self,
        braced: bool,
        name: &str,
        parameters: &[&str],
        builtins: &Builtins<'_>,
    ) -> Option<String> {
        if !braced {
            return None;
        }
        match name {
            "_PWD" => Some(builtins.directory.to_string_lossy().into_owned()),
            "_INSTANCE" => Some(builtins.config_id.to_owned()),
            "_ENV" => {
                let variable = parameters.first()?;
                Some(builtins.facts.environment(variable).unwrap_or_default())
            }
            "_HASH" => Some("#".to_owned()),
            "_BANG" => Some("!".to_owned()),
            "_RANDOM" => {
                let bound = |index: usize, default: u32| {
                    parameters
                        .get(index)
                        .and_then(|text| text.parse().ok())
                        .unwrap_or(default)
                };
                let (min, max) = (bound(0, 0), bound(1, 32_767));
                let range = u64::from(max.saturating_sub(min)) + 1;
                Some((u64::from(min) + self.rng.next_u64() % range).to_string())
            }
            _ => None,
        }
    }
}

/// The lines that a `~SEQ` or `~LST` line stands for, the outermost repetition carried out.
///
/// # Errors
/// The message for the operator.
pub(super) fn repeat(line: &str, definitions: &Definitions) -> Result<Vec<String>, String> {
    match syntax::directive(line) {
        syntax::Directive::Sequence {
            hex,
            arguments,
            rest,
        } => sequence(hex, arguments, rest, definitions),
        syntax::Directive::List { arguments, rest } => list(arguments, rest),
        _ => Ok(Vec::new()),
    }
}

/// `~SEQ(var, [start, [step,]] end) rest`
fn sequence(
    hex: bool,
    arguments: &str,
    rest: &str,
    definitions: &Definitions,
) -> Result<Vec<String>, String> {
    let mut parts = arguments.split(',').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let numbers: Option<Vec<i64>> = parts.map(|text| c_integer(text, definitions)).collect();
    let bad = || "Invalid ~SEQ values".to_owned();
    let (start, step, end) = match numbers.as_deref() {
        Some(&[end]) if end < 0 => (-1, -1, end),
        Some(&[end]) => (1, 1, end),
        Some(&[start, end]) => (start, if start <= end { 1 } else { -1 }, end),
        Some(&[start, step, end]) => (start, step, end),
        _ => return Err("Invalid ~SEQ definition".to_owned()),
    };
    if name.is_empty() || step == 0 || (step > 0) != (start <= end) && start != end {
        return Err(bad());
    }
    if hex && (start < 0 || end < 0) {
        return Err(bad());
    }
    let mut lines = Vec::new();
    let mut value = start;
    while if step > 0 { value <= end } else { value >= end } {
        if lines.len() >= MAX_REPEAT {
            return Err("~SEQ makes too many lines".to_owned());
        }
        let text = if hex {
            format!("{value:x}")
        } else {
            value.to_string()
        };
        lines.push(substitute_variable(rest, &[(name, &text)]));
        let Some(next) = value.checked_add(step) else {
            break;
        };
        value = next;
    }
    Ok(lines)
}

/// `~LST(var,v1,v2)` or `~LST({a,b},{1,2},{3,4})`
fn list(arguments: &str, rest: &str) -> Result<Vec<String>, String> {
    let groups = split_groups(arguments);
    let Some((names, values)) = groups.split_first() else {
        return Err("~LST specification has no values".to_owned());
    };
    let mut lines = Vec::new();
    for value in values {
        if value.len() > names.len() {
            return Err("~LST specification has too many values".to_owned());
        }
        let pairs: Vec<(&str, &str)> = names
            .iter()
            .enumerate()
            .map(|(index, name)| (*name, value.get(index).copied().unwrap_or_default()))
            .collect();
        lines.push(substitute_variable(rest, &pairs));
    }
    Ok(lines)
}

/// `a,{b,c},d` as `[[a],[b,c],[d]]`.
fn split_groups(text: &str) -> Vec<Vec<&str>> {
    let mut groups = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (group, after) = if let Some(inner) = rest.strip_prefix('{') {
            match inner.split_once('}') {
                Some((group, after)) => (
                    group.split(',').map(str::trim).collect(),
                    after.trim_start().strip_prefix(',').unwrap_or(""),
                ),
                None => (inner.split(',').map(str::trim).collect(), ""),
            }
        } else {
            let (item, after) = rest.split_once(',').unwrap_or((rest, ""));
            (vec![item.trim()], after)
        };
        groups.push(group);
        rest = after.trim_start();
    }
    groups
}

/// Replaces the variables of a repetition by the rules for definitions.
fn substitute_variable(line: &str, pairs: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    for reference in syntax::references(line) {
        match reference {
            Reference::Literal(text) => out.push_str(text),
            Reference::Name { whole, name, .. } => {
                match pairs.iter().find(|(variable, _)| *variable == name) {
                    Some((_, value)) => out.push_str(value),
                    None => out.push_str(whole),
                }
            }
        }
    }
    out
}

/// An integer in C notation: decimal, `0x` hexadecimal or `0` octal, or a definition of one.
fn c_integer(text: &str, definitions: &Definitions) -> Option<i64> {
    let text = match text.strip_prefix('$') {
        Some(name) => {
            let name = name.trim_start_matches('{').trim_end_matches('}');
            definitions.values.get(name)?.trim()
        }
        None => text,
    };
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(sign * value)
}

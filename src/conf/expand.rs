//! Definitions and repetition: `$NAME`, `${NAME}`, the built-in names, `~SEQ`, `~LST`.
//!
//! Owns: what is defined and how a line is rewritten with it. Never does: split a line into words
//! or read files. Driven by: `reader`, for lines that have a `$` or begin with `~`.

use std::collections::HashMap;
use std::path::Path;

use super::reader::Place;
use super::source::HostFacts;
use super::syntax::{self, Reference};
use crate::base::Rng;

/// Lines that one repetition may make.
const MAX_REPEAT: usize = 1 << 20;

/// What is defined so far.
#[derive(Debug)]
pub(super) struct Definitions {
    values: HashMap<String, String>,
    places: HashMap<String, Vec<Place>>,
    rng: Rng,
}

/// What the built-in names stand for.
pub(super) struct Builtins<'a> {
    pub(super) facts: &'a dyn HostFacts,
    /// Directory of the file, as its name was given.
    pub(super) parent: &'a Path,
    pub(super) config_id: &'a str,
}

impl Definitions {
    /// Nothing is defined; `seed` feeds `${_RANDOM}`.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            values: HashMap::new(),
            places: HashMap::new(),
            rng: Rng::new(seed),
        }
    }

    /// Defines `name` by the line at `place`.
    pub(super) fn define(&mut self, name: &str, value: String, place: Place) {
        self.set(name, value);
        self.places.entry(name.to_owned()).or_default().push(place);
    }

    /// Where `name` was defined, in the order of reading.
    pub(super) fn places(&self, name: &str) -> &[Place] {
        self.places.get(name).map_or(&[], Vec::as_slice)
    }

    /// Defines `name`, also again.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// Replaces the references that are defined, once; `None`: there was none. A definition of
    /// several lines counts only at the end of the line: what would follow it has no line to be on.
    pub(super) fn substitute(&mut self, line: &str, builtins: &Builtins<'_>) -> Option<String> {
        let mut changed = false;
        let mut out = String::with_capacity(line.len() + 32);
        let references = syntax::references(line);
        let last = references.iter().rposition(|part| match part {
            Reference::Literal(text) => !text.trim().is_empty(),
            Reference::Name { .. } => true,
        });
        for (index, reference) in references.into_iter().enumerate() {
            match reference {
                Reference::Literal(text) => out.push_str(text),
                Reference::Name {
                    whole,
                    name,
                    parameters,
                } => {
                    let value = self.values.get(name);
                    if value.is_some_and(|value| value.contains('\n') && last != Some(index)) {
                        out.push_str(whole);
                    } else if let Some(value) = value {
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
            "_PWD" => {
                let directory = builtins.facts.working_directory().join(builtins.parent);
                Some(directory.to_string_lossy().into_owned())
            }
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

/// The values that a `~SEQ` or `~LST` gives to its names, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    names: Vec<String>,
    values: Values,
}

#[derive(Debug, PartialEq, Eq)]
enum Values {
    Numbers {
        start: i64,
        step: i64,
        count: usize,
        hex: bool,
    },
    Lists(Vec<Vec<String>>),
}

impl Repeat {
    /// `~SEQ(var, [start, [step,]] end)`
    ///
    /// # Errors
    /// What keepalived says of it.
    pub(super) fn sequence(
        hex: bool,
        arguments: &str,
        definitions: &Definitions,
    ) -> Result<Self, &'static str> {
        const BAD: &str = "Invalid ~SEQ values";
        const WRONG: &str = "Invalid ~SEQ definition";
        let mut parts = arguments.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default().to_owned();
        let numbers: Option<Vec<i64>> = parts.map(|text| c_integer(text, definitions)).collect();
        if name.is_empty() {
            return Err(WRONG);
        }
        let (start, step, end) = match *numbers.ok_or(WRONG)?.as_slice() {
            [end] if end < 0 => (-1, -1, end),
            [end] => (1, 1, end),
            [start, end] => (start, if start <= end { 1 } else { -1 }, end),
            [start, step, end] => (start, step, end),
            _ => return Err(WRONG),
        };
        let wrong_way = (step > 0) != (start <= end) && start != end;
        if hex && (start < 0 || end < 0) {
            return Err("~SEQx is only valid for positive numbers");
        }
        if step == 0 || wrong_way {
            return Err(BAD);
        }
        let steps = start.abs_diff(end) / step.unsigned_abs();
        let count = usize::try_from(steps).map_err(|_| BAD)?.saturating_add(1);
        if count > MAX_REPEAT {
            return Err("~SEQ makes too many lines");
        }
        Ok(Self {
            names: vec![name],
            values: Values::Numbers {
                start,
                step,
                count,
                hex,
            },
        })
    }

    /// `~LST(var,v1,v2)` or `~LST({a,b},{1,2},{3,4})`
    ///
    /// # Errors
    /// What keepalived says of it beside that it is wrong, if anything.
    pub(super) fn list(arguments: &str) -> Result<Self, &'static str> {
        let mut groups = split_groups(arguments).ok_or("")?.into_iter();
        let names = groups.next().ok_or("")?;
        let lists: Vec<_> = groups.collect();
        if lists.is_empty() {
            return Err("");
        }
        if lists.iter().any(|list| list.len() > names.len()) {
            return Err("~LST specification has too many values");
        }
        Ok(Self {
            names,
            values: Values::Lists(lists),
        })
    }

    /// How many lines it makes.
    pub(super) fn count(&self) -> usize {
        match &self.values {
            Values::Numbers { count, .. } => *count,
            Values::Lists(lists) => lists.len(),
        }
    }

    /// Defines the names for the line of that index.
    pub(super) fn define(&self, index: usize, definitions: &mut Definitions) {
        match &self.values {
            Values::Numbers {
                start, step, hex, ..
            } => {
                // `sequence` has made sure that the last value is not past `end`.
                let offset = i64::try_from(index)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(*step);
                let value = start.saturating_add(offset);
                for name in &self.names {
                    let text = if *hex {
                        format!("{value:x}")
                    } else {
                        value.to_string()
                    };
                    definitions.set(name, text);
                }
            }
            Values::Lists(lists) => {
                for (place, name) in self.names.iter().enumerate() {
                    let value = lists.get(index).and_then(|list| list.get(place));
                    definitions.set(name, value.cloned().unwrap_or_default());
                }
            }
        }
    }

    /// Takes what the names stand for outside of the repetition.
    pub(super) fn hide(&self, definitions: &mut Definitions) -> Hidden {
        let take = |name: &String| (name.clone(), definitions.values.remove(name));
        Hidden(self.names.iter().map(take).collect())
    }
}

/// What names stood for before a repetition.
#[derive(Debug)]
pub(super) struct Hidden(Vec<(String, Option<String>)>);

impl Definitions {
    /// Gives names back what they stood for before a repetition.
    pub(super) fn restore(&mut self, hidden: Hidden) {
        for (name, value) in hidden.0 {
            match value {
                Some(value) => self.values.insert(name, value),
                None => self.values.remove(&name),
            };
        }
    }
}

/// `a,{b,c},d` as `[[a],[b,c],[d]]`; `None` if a brace is not closed.
fn split_groups(text: &str) -> Option<Vec<Vec<String>>> {
    let split = |text: &str| text.split(',').map(|item| item.trim().to_owned()).collect();
    let mut groups = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (group, after) = match rest.strip_prefix('{') {
            Some(inner) => {
                let (group, after) = inner.split_once('}')?;
                (split(group), after.trim_start())
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (vec![rest[..end].trim().to_owned()], &rest[end..])
            }
        };
        groups.push(group);
        rest = match after.strip_prefix(',').map(str::trim_start) {
            // Behind a comma there is a value, be it empty.
            Some("") => {
                groups.push(vec![String::new()]);
                ""
            }
            Some(more) => more,
            None => after,
        };
    }
    Some(groups)
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

//! Lines of `static_rules` and `virtual_rules`.
//!
//! Owns: the reading of a policy rule as iproute2 writes one. A line with an error in it makes no
//! rule. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::routing::{KEEPALIVED, Rule, RuleAction};
use super::super::names::{NameTable, base0};
use super::super::source::to_display;
use super::instance::current;
use super::words::{Fail, Step, Words};
use super::{Outcome, Statement};
use crate::base::Family;

/// The preference of the first rule without one of its own; the next ones count down.
const FIRST_PREFERENCE: u32 = 16384;

/// A rule while it is being read.
struct RuleDraft {
    family: Option<Family>,
    preference: Option<u32>,
    action: Option<RuleAction>,
    rule: Rule,
}

/// A line of `static_rules`
pub(in super::super) fn static_rule(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let rule = line(draft, st, true)?;
    draft.statics.rules.extend(rule);
    Ok(())
}

/// A line of `virtual_rules`
pub(in super::super) fn virtual_rule(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let rule = line(draft, st, false)?;
    current(draft, |instance| {
        instance.options.rules.extend(rule);
        Ok(())
    })
}

/// The rule of a line; `None`, reported, if it is none.
fn line(
    draft: &mut Draft,
    st: &mut Statement<'_>,
    fixed: bool,
) -> Result<Option<Rule>, super::Stop> {
    let mut found = RuleDraft {
        family: None,
        preference: None,
        action: None,
        rule: blank(),
    };
    let mut words = Words { st, at: 0 };
    let mut read = || -> Step<Rule> {
        while let Some(word) = words.peek() {
            words.at += 1;
            option(draft, &mut words, word, fixed, &mut found)?;
        }
        finish(draft, &mut words, &mut found)
    };
    match read() {
        Ok(rule) => Ok(Some(rule)),
        Err(Fail::Skip) => Ok(None),
        Err(Fail::Stop(stop)) => Err(stop),
    }
}

const fn blank() -> Rule {
    Rule {
        family: Family::V4,
        preference: 0,
        action: RuleAction::Nop,
        inverted: false,
        from: None,
        to: None,
        tos: 0,
        mark: None,
        mark_mask: None,
        realms: None,
        suppress_prefix_len: None,
        suppress_group: None,
        input: None,
        output: None,
        tunnel: None,
        users: None,
        protocol: 0,
        ip_protocol: None,
        source_ports: None,
        destination_ports: None,
        tracked: true,
        group: None,
    }
}

fn finish(draft: &mut Draft, words: &mut Words<'_, '_>, found: &mut RuleDraft) -> Step<Rule> {
    let Some(action) = found.action else {
        return words.skip("No action specified for rule - ignoring");
    };
    let mut rule = std::mem::replace(&mut found.rule, blank());
    let looks_up = matches!(action, RuleAction::Table(_) | RuleAction::Vrf);
    let suppresses = rule.suppress_prefix_len.is_some() || rule.suppress_group.is_some();
    if !looks_up && (suppresses || rule.realms.is_some()) {
        return words.skip("suppressor/realm specified for non table action - skipping");
    }
    if let RuleAction::Goto(target) = action {
        let Some(preference) = found.preference else {
            return words.skip(format!(
                "Invalid rule - goto target {target} specified without preference"
            ));
        };
        if preference >= target {
            return words.skip(format!(
                "Invalid rule - preference {preference} >= goto target {target}"
            ));
        }
    }
    if rule.group.is_some() && rule.input.is_none() {
        words.error("Static rule cannot have track_group if dev/iif not specified");
        rule.group = None;
    }
    rule.action = action;
    rule.family = found.family.unwrap_or(Family::V4);
    if rule.tracked {
        if !matches!(rule.protocol, 0 | KEEPALIVED) {
            words.error(
                "Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol",
            );
        }
        rule.protocol = KEEPALIVED;
    }
    rule.preference = found.preference.unwrap_or_else(|| {
        let [v4, v6] = &mut draft.unordered_rules;
        let count = match rule.family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        let preference = FIRST_PREFERENCE.saturating_sub(*count);
        *count += 1;
        words.error(format!(
            "Rule has no preference specified - setting to {preference}. This is probably not \
             what you want."
        ));
        preference
    });
    Ok(rule)
}

/// One option, its keyword taken.
fn option(
    draft: &mut Draft,
    words: &mut Words<'_, '_>,
    word: &str,
    fixed: bool,
    found: &mut RuleDraft,
) -> Step {
    match word {
        "inet" | "inet6" => family(words, word, found),
        "not" => {
            found.rule.inverted = true;
            Ok(())
        }
        "no_track" => {
            found.rule.tracked = false;
            Ok(())
        }
        "from" | "to" => network(words, word, found),
        "iif" | "dev" | "oif" => device(draft, words, word, found),
        "table" | "lookup" => table(words, found),
        "tos" | "dsfield" | "realms" | "suppress_ifgroup" | "sup_group" | "fwmark" => {
            named(words, word, found)
        }
        "preference"
        | "order"
        | "priority"
        | "suppress_prefixlength"
        | "sup_pl"
        | "tunnel-id"
        | "protocol" => number(words, word, found),
        "uidrange" | "sport" | "dport" => range(words, word, found),
        "ipproto" => ip_protocol(words, found),
        "track_group" if fixed => {
            found.rule.group = super::statics::track_group(draft, words)?;
            Ok(())
        }
        "l3mdev" => {
            if found.action.is_some() {
                return words.skip("Cannot specify l3mdev with other action");
            }
            found.action = Some(RuleAction::Vrf);
            Ok(())
        }
        "type" => {
            let word = words.next()?;
            action(words, word, found)
        }
        _ => action(words, word, found),
    }
}

fn family(words: &mut Words<'_, '_>, word: &str, found: &mut RuleDraft) -> Step {
    let (family, other) = if word == "inet" {
        (Family::V4, "IPv6")
    } else {
        (Family::V6, "IPv4")
    };
    if found.family.is_some_and(|known| known != family) {
        return words.skip(format!("{word} specified for {other} rule"));
    }
    found.family = Some(family);
    // keepalived overlooks the word behind it.
    words.at += 1;
    Ok(())
}

fn network(words: &mut Words<'_, '_>, side: &str, found: &mut RuleDraft) -> Step {
    let word = words.next()?;
    let Ok(network) = words.network(word) else {
        let shown = to_display(word);
        return words.skip(format!("Invalid rule {side} address {shown}"));
    };
    let Some(network) = network else {
        return Ok(());
    };
    let family = Family::of(network.address);
    if *found.family.get_or_insert(family) != family {
        return words.skip("rule specification has mixed IPv4 and IPv6");
    }
    if side == "from" {
        found.rule.from = Some(network);
    } else {
        found.rule.to = Some(network);
    }
    Ok(())
}

fn device(draft: &mut Draft, words: &mut Words<'_, '_>, side: &str, found: &mut RuleDraft) -> Step {
    let name = words.next()?;
    if draft.misses(name, words.st.facts) {
        let shown = to_display(name);
        return words.skip(format!(
            "WARNING - interface {shown} for rule doesn't exist"
        ));
    }
    let slot = if side == "oif" {
        &mut found.rule.output
    } else {
        &mut found.rule.input
    };
    *slot = Some(name.to_owned());
    Ok(())
}

fn table(words: &mut Words<'_, '_>, found: &mut RuleDraft) -> Step {
    let word = words.next()?;
    let Some(table) = words.named(NameTable::Tables, word) else {
        let shown = to_display(word);
        return words.skip(format!("Routing table {shown} not found for rule"));
    };
    if table == 0 {
        return words.skip("Table 0 is not valid");
    }
    if found.action.is_some() {
        return words.skip(
            "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule",
        );
    }
    found.action = Some(RuleAction::Table(table));
    Ok(())
}

/// An action by its own name.
fn action(words: &mut Words<'_, '_>, word: &str, found: &mut RuleDraft) -> Step {
    let action = match word {
        "goto" => RuleAction::Goto(words.number(0, u32::MAX, "Invalid target goto specified")?),
        "nop" => RuleAction::Nop,
        "blackhole" => RuleAction::Blackhole,
        "unreachable" => RuleAction::Unreachable,
        "prohibit" => RuleAction::Prohibit,
        // Or by its number, as that of a route.
        _ if base0(word) == Some(6) => RuleAction::Blackhole,
        _ if base0(word) == Some(7) => RuleAction::Unreachable,
        _ if base0(word) == Some(8) => RuleAction::Prohibit,
        _ => {
            let shown = to_display(word);
            // What could be a type of a route is no action all the same.
            let kind = base0(word).is_some_and(|number| number <= 255)
                || super::route::kind(word).is_some();
            return words.skip(if kind {
                format!("Invalid rule action {shown}")
            } else {
                format!("Unknown rule option {shown}")
            });
        }
    };
    if found.action.is_some() {
        return words.skip(
            "Cannot specify more than one of \
             table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule",
        );
    }
    found.action = Some(action);
    Ok(())
}

/// Options whose values have names, and marks.
fn named(words: &mut Words<'_, '_>, option: &str, found: &mut RuleDraft) -> Step {
    let word = words.next()?;
    let shown = to_display(word);
    let rule = &mut found.rule;
    let problem = match option {
        "realms" if found.family == Some(Family::V6) => "realms is only valid for IPv4".to_owned(),
        "realms" => match words.realms(word) {
            Some(realms) => {
                rule.realms = Some(realms);
                return Ok(());
            }
            None => format!("invalid realms {shown} for rule"),
        },
        "fwmark" => match mark(word) {
            Some((mark, mask)) => {
                (rule.mark, rule.mark_mask) = (Some(mark), mask);
                return Ok(());
            }
            None => format!("Invalid rule fwmark {shown} specified"),
        },
        "tos" | "dsfield" => match words.named(NameTable::DsField, word) {
            Some(tos) => {
                rule.tos = u8::try_from(tos).unwrap_or_default();
                return Ok(());
            }
            None => format!("TOS value {shown} is invalid"),
        },
        _ => match words.named(NameTable::Groups, word) {
            Some(group) => {
                rule.suppress_group = Some(group);
                return Ok(());
            }
            None => format!("suppress_group {shown} is invalid"),
        },
    };
    words.skip(problem)
}

/// `MARK[/MASK]`; nothing at all is zero.
fn mark(word: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| {
        let number = if text.is_empty() {
            Some(0)
        } else {
            base0(text)
        };
        u32::try_from(number?).ok()
    };
    match word.split_once('/') {
        None => Some((number(word)?, None)),
        Some((mark, mask)) => Some((number(mark)?, Some(number(mask)?))),
    }
}

/// Options with plain numbers. Their texts name the keyword instead of the value.
fn number(words: &mut Words<'_, '_>, option: &str, found: &mut RuleDraft) -> Step {
    let rule = &mut found.rule;
    match option {
        "suppress_prefixlength" | "sup_pl" => {
            let problem = format!("Invalid suppress_prefixlength {option} specified");
            let max = u32::MAX / 2;
            rule.suppress_prefix_len = Some(words.number(0, max, &problem)?);
        }
        "tunnel-id" => {
            let word = words.next()?;
            match words.wide(word) {
                Some(tunnel) => rule.tunnel = Some(tunnel),
                None => return words.skip(format!("Invalid tunnel-id {option} specified")),
            }
        }
        "protocol" => {
            let word = words.next()?;
            match words.st.number_in(word, words.at - 1, 0, 255) {
                Some(protocol) => rule.protocol = u8::try_from(protocol).unwrap_or_default(),
                None => words.error(format!("Invalid protocol {}", to_display(word))),
            }
        }
        _ => {
            let word = words.next()?;
            let number = base0(word).and_then(|number| u32::try_from(number).ok());
            if number.is_none() {
                let shown = to_display(word);
                let problem = if word.starts_with('-') {
                    format!("negative number '{shown}'")
                } else if base0(word).is_some() {
                    format!("number '{shown}' outside unsigned integer range")
                } else {
                    format!("invalid number '{shown}'")
                };
                let index = words.at - 1;
                words.st.error(Class::InvalidNumber, problem, Some(index));
                return words.skip(format!("Invalid rule preference {option} specified"));
            }
            found.preference = number;
        }
    }
    Ok(())
}

/// `A-B`; what stands behind the second number is overlooked.
fn range(words: &mut Words<'_, '_>, option: &str, found: &mut RuleDraft) -> Step {
    let word = words.next()?;
    let ends = word.split_once('-').and_then(|(first, last)| {
        let digits = last.bytes().take_while(u8::is_ascii_digit).count();
        Some((low_bits(first)?, low_bits(&last[..digits])?))
    });
    let Some((first, last)) = ends else {
        let shown = to_display(word);
        if option == "uidrange" {
            return words.skip("Invalid uidrange uidrange specified");
        }
        // The rule holds for every port then.
        words.error(format!("invalid {option} range {shown}"));
        return Ok(());
    };
    if option == "uidrange" {
        found.rule.users = Some((first, last));
        return Ok(());
    }
    let port = |number: u32| u16::try_from(number & 0xffff).unwrap_or_default();
    let ports = Some((port(first), port(last)));
    if option == "sport" {
        found.rule.source_ports = ports;
    } else {
        found.rule.destination_ports = ports;
    }
    Ok(())
}

/// A number of digits; of one that is too large the low bits count.
fn low_bits(text: &str) -> Option<u32> {
    let number: u64 = text.parse().ok()?;
    u32::try_from(number & u64::from(u32::MAX)).ok()
}

fn ip_protocol(words: &mut Words<'_, '_>, found: &mut RuleDraft) -> Step {
    let word = words.next()?;
    let number = words.named(NameTable::IpProtocols, word);
    match number.and_then(|number| u8::try_from(number).ok()) {
        Some(protocol) => found.rule.ip_protocol = Some(protocol),
        None => words.error(format!("Invalid ipproto {}", to_display(word))),
    }
    Ok(())
}

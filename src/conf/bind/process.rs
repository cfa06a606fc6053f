//! Handlers of the settings of processes that are more than one plain value.
//!
//! Owns: real-time priorities, the set of CPUs, the mask for new files. Never does: set them.
//! Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::{Process, Scheduling};
use super::super::source::to_display;
use super::{Outcome, Statement};

/// The lowest and highest priority of `SCHED_RR` (sched(7)).
const REALTIME: (i32, i32) = (1, 99);

/// The process that a keyword is about, as keepalived calls it.
fn of<'p>(keyword: &str, process: &'p mut Process) -> (&'static str, &'p mut Scheduling) {
    if keyword.starts_with("vrrp_") {
        ("vrrp", &mut process.vrrp)
    } else if keyword.starts_with("checker_") {
        ("checker", &mut process.checker)
    } else {
        ("bfd", &mut process.bfd)
    }
}

/// `vrrp_rt_priority PRIORITY` and its kin; what is out of range is brought into it.
pub(in super::super) fn realtime(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (who, scheduling) = of(st.need(0)?, &mut draft.global.process);
    let Some(word) = st.word(1) else {
        let message = format!("No {who} process real-time priority specified");
        st.error(Class::General, message, Some(0));
        return Ok(());
    };
    let (min, max) = REALTIME;
    let message = match st.signed(1, i32::MIN, i32::MAX)? {
        None => format!(
            "{who} process real-time priority '{}' invalid",
            to_display(word)
        ),
        Some(priority) => {
            scheduling.realtime = u32::try_from(priority.clamp(min, max)).ok();
            if priority < min {
                format!(
                    "{who} process real-time priority {priority} less than minimum {min} - setting \
                     to minimum"
                )
            } else if priority > max {
                format!(
                    "{who} process real-time priority {priority} greater than maximum {max} - \
                     setting to maximum"
                )
            } else {
                return Ok(());
            }
        }
    };
    st.error(Class::General, message, Some(1));
    Ok(())
}

/// `vrrp_cpu_affinity CPU…` and its kin
pub(in super::super) fn affinity(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (who, scheduling) = of(st.need(0)?, &mut draft.global.process);
    if st.word(1).is_none() {
        let message = format!("No {who} cpu_id set specified");
        st.error(Class::General, message, Some(0));
        return Ok(());
    }
    let last = i32::try_from(st.facts.cpus()).unwrap_or(i32::MAX) - 1;
    for index in 1..st.count() {
        let word = st.need(index)?;
        match st.signed(index, 0, last)? {
            Some(cpu) => scheduling.cpus.extend(u32::try_from(cpu)),
            None => {
                // keepalived names the number that the word begins with.
                let message = format!(
                    "Invalid cpu_id:{} specified for {who} process",
                    leading_number(word)
                );
                st.error(Class::General, message, Some(index));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The number that a word begins with, as 32 bits of it; 0 if it begins with none.
fn leading_number(word: &str) -> i64 {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let number = digits.fold(0u32, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(u32::from(digit - b'0'))
    });
    let number = i64::from(number.cast_signed());
    if negative { -number } else { number }
}

/// `max_auto_priority [PRIORITY]`
pub(in super::super) fn automatic(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (_, max) = REALTIME;
    let Some(word) = st.word(1) else {
        draft.global.process.max_auto_priority = max;
        return Ok(());
    };
    match st.signed(1, -1, max)? {
        Some(priority) => draft.global.process.max_auto_priority = priority,
        None => {
            let message = format!(
                "max_auto_priority '{}' must be in [0, {max}] (or -1 to disable) - ignoring",
                to_display(word)
            );
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `umask NUMBER` as in C, or `umask BIT | BIT…`
pub(in super::super) fn umask(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    let whole: Vec<_> = st.words(1).collect();
    let mask = if word.starts_with(|c: char| c.is_ascii_digit()) {
        number(word).ok_or_else(|| format!("invalid umask value {}", to_display(word)))
    } else {
        bits(&whole.join(" "))
    };
    match mask {
        Ok(mask) => draft.global.process.umask = Some(mask),
        Err(message) => st.error(Class::General, message, Some(1)),
    }
    Ok(())
}

/// A number in octal, decimal or hexadecimal, as C writes them, that is a mask.
fn number(word: &str) -> Option<u32> {
    let value = if let Some(digits) = word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        u32::from_str_radix(digits, 16)
    } else if word.len() > 1 && word.starts_with('0') {
        u32::from_str_radix(word, 8)
    } else {
        word.parse()
    };
    value.ok().filter(|mask| *mask <= 0o777)
}

/// Bits by name, with `|` between them.
fn bits(text: &str) -> Result<u32, String> {
    let mut mask = 0;
    let mut rest = text.trim();
    loop {
        let end = rest.find(['|', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        mask |= bit(name).ok_or_else(|| {
            let word = rest.split(' ').next().unwrap_or(rest);
            format!("Unknown umask bit {}", to_display(word))
        })?;
        let after = after.trim_start();
        if after.is_empty() {
            return Ok(mask);
        }
        let Some(next) = after.strip_prefix('|') else {
            let word = after.split(' ').next().unwrap_or(after);
            return Err(format!("Invalid umask syntax {}", to_display(word)));
        };
        rest = next.trim_start();
        if rest.is_empty() {
            return Err("umask missing bit value".to_owned());
        }
    }
}

/// A bit by the end of its name in chmod(2).
fn bit(name: &str) -> Option<u32> {
    Some(match name {
        "IRUSR" => 0o400,
        "IWUSR" => 0o200,
        "IXUSR" => 0o100,
        "IRWXU" => 0o700,
        "IRGRP" => 0o040,
        "IWGRP" => 0o020,
        "IXGRP" => 0o010,
        "IRWXG" => 0o070,
        "IROTH" => 0o004,
        "IWOTH" => 0o002,
        "IXOTH" => 0o001,
        "IRWXO" => 0o007,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: masks in all notations, and what is none. Output: as keepalived 2.2.7 takes them.
    #[test]
    fn masks() {
        assert_eq!(number("022"), Some(0o22));
        assert_eq!(number("0x12"), Some(0x12));
        assert_eq!(number("18"), Some(18));
        assert_eq!(number("0"), Some(0));
        for bad in ["01000", "999", "0778", "5x", "1.5", "99999999999"] {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert_eq!(bits("IRUSR|IWGRP"), Ok(0o420));
        assert_eq!(bits("IRUSR | IWGRP |IXOTH"), Ok(0o421));
        assert_eq!(bits("IRWXU"), Ok(0o700));
        let syntax = Err("Invalid umask syntax IWGRP".to_owned());
        assert_eq!(bits("IRUSR IWGRP"), syntax);
        let missing = Err("umask missing bit value".to_owned());
        assert_eq!(bits("IRUSR|"), missing);
        let unknown = Err("Unknown umask bit bogus".to_owned());
        assert_eq!(bits("IRUSR|bogus"), unknown);
        let unknown = Err("Unknown umask bit |IRUSR".to_owned());
        assert_eq!(bits("|IRUSR"), unknown);
    }

    // Input: words that are no CPU. Output: the number keepalived 2.2.7 names.
    #[test]
    fn numbers_that_words_begin_with() {
        assert_eq!(leading_number("x"), 0);
        assert_eq!(leading_number("-1"), -1);
        assert_eq!(leading_number("192.0.2.1"), 192);
        assert_eq!(leading_number("99999999999"), 1_215_752_191);
    }
}

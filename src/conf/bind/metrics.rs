//! Measures of a route: `mtu`, `rtt` and the like.
//!
//! Owns: their ranges, units and texts. Driven by: `bind::route`.

use super::super::diag::Class;
use super::super::model::routing::{Metric, RouteMetrics};
use super::super::source::to_display;
use super::words::{Step, Words};

/// A measure.
struct Row {
    word: &'static str,
    metric: Metric,
    /// `lock` may stand before the value.
    lock: bool,
    value: Value,
    /// Said if the value is none.
    problem: &'static str,
}

/// What a measure is counted in.
enum Value {
    /// A number up to this.
    Number(u32),
    /// A time up to so many seconds, kept in such parts of a millisecond; what shorter times are
    /// called that keepalived lengthens.
    Time(u32, u32, &'static str),
}

/// Times shorter than this are lengthened.
const MIN_MILLISECONDS: u32 = 200;

const fn number(
    word: &'static str,
    metric: Metric,
    lock: bool,
    max: u32,
    problem: &'static str,
) -> Row {
    Row {
        word,
        metric,
        lock,
        value: Value::Number(max),
        problem,
    }
}

const fn time(word: &'static str, metric: Metric, value: Value, problem: &'static str) -> Row {
    Row {
        word,
        metric,
        lock: true,
        value,
        problem,
    }
}

static ROWS: &[Row] = &[
    number(
        "mtu",
        Metric::Mtu,
        true,
        u32::MAX,
        "Invalid MTU {} specified for route",
    ),
    number(
        "hoplimit",
        Metric::HopLimit,
        false,
        255,
        "Invalid hoplimit {} specified for route",
    ),
    number(
        "advmss",
        Metric::AdvertisedMss,
        true,
        u32::MAX,
        "Invalid advmss {} specified for route",
    ),
    time(
        "rtt",
        Metric::Rtt,
        Value::Time(960, 8, "rtt"),
        "Invalid rtt {} for route",
    ),
    time(
        "rttvar",
        Metric::RttVariance,
        Value::Time(480, 4, "rtt"),
        "Invalid rttvar {} for route",
    ),
    time(
        "rto_min",
        Metric::MinimumTimeout,
        Value::Time(120, 1, "rto"),
        "Invalid rto_min value {} specified for route",
    ),
    number(
        "reordering",
        Metric::Reordering,
        true,
        u32::MAX,
        "Invalid reordering value {} specified for route",
    ),
    number(
        "window",
        Metric::Window,
        false,
        u32::MAX,
        "Invalid window value {} specified for route",
    ),
    number(
        "cwnd",
        Metric::CongestionWindow,
        true,
        u32::MAX,
        "Invalid cwnd value {} specified for route",
    ),
    number(
        "ssthresh",
        Metric::SlowStartThreshold,
        true,
        u32::MAX,
        "Invalid ssthresh value {} specified for route",
    ),
    number(
        "initcwnd",
        Metric::InitialWindow,
        false,
        u32::MAX,
        "Invalid initcwnd value {} specified for route",
    ),
    number(
        "initrwnd",
        Metric::InitialReceiveWindow,
        false,
        u32::MAX,
        "Invalid initrwnd value {} specified for route",
    ),
    number(
        "quickack",
        Metric::QuickAck,
        false,
        1,
        "Invalid quickack value {} specified for route",
    ),
    number(
        "fastopen_no_cookie",
        Metric::FastOpenWithoutCookie,
        false,
        1,
        "Invalid fastopen_no_cookie value {} specified for route",
    ),
];

/// Takes the measure that `word`, already taken, names; false: it names none.
pub(super) fn option(
    words: &mut Words<'_, '_>,
    word: &str,
    metrics: &mut RouteMetrics,
) -> Step<bool> {
    match word {
        "congctl" => {
            metrics.congestion_locked = words.take("lock");
            metrics.congestion_control = Some(words.next()?.to_owned());
            return Ok(true);
        }
        "features" => {
            match words.next()? {
                "ecn" => *metrics.values.entry(Metric::Features).or_default() |= 1,
                other => {
                    let shown = to_display(other);
                    words.error(format!("feature {shown} not supported"));
                }
            }
            return Ok(true);
        }
        _ => {}
    }
    let Some(row) = ROWS.iter().find(|row| row.word == word) else {
        return Ok(false);
    };
    if row.lock && words.take("lock") {
        metrics.locked.insert(row.metric);
    }
    let value = match row.value {
        Value::Number(max) => words.number(0, max, row.problem)?,
        Value::Time(seconds, parts, name) => {
            let word = words.next()?;
            let Some(time) = milliseconds(words, word, seconds) else {
                return words.skip(row.problem.replace("{}", &to_display(word)));
            };
            if time < MIN_MILLISECONDS {
                let shown = to_display(word);
                words.error(format!(
                    "{name} value {shown} below minimum {MIN_MILLISECONDS}ms, resetting"
                ));
            }
            time.max(MIN_MILLISECONDS) * parts
        }
    };
    metrics.values.insert(row.metric, value);
    Ok(true)
}

/// A time: seconds with three decimals before `s`, whole milliseconds otherwise; `None` if it is
/// none, or more than `max` seconds.
fn milliseconds(words: &mut Words<'_, '_>, word: &str, max: u32) -> Option<u32> {
    let index = words.at - 1;
    let (number, seconds) = match word.find(['s', 'S']) {
        None => (word, false),
        Some(at) if at + 1 < word.len() => return None,
        Some(at) => match word[..at].strip_suffix(['m', 'M']) {
            Some(number) => (number, false),
            None => (&word[..at], true),
        },
    };
    let plain = word.find(['s', 'S']).is_none();
    if number.is_empty() && !plain {
        return None;
    }
    let shown = to_display(number);
    let text = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let problem = if number.starts_with('-') {
        format!("negative number '{shown}'")
    } else if !digits(whole) || !digits(fraction) || whole.is_empty() && fraction.is_empty() {
        format!("invalid number '{shown}'")
    } else {
        let decimals = if seconds { 3 } else { 0 };
        let value = scaled(whole, fraction, decimals);
        if fraction.len() > decimals {
            let message = format!("number '{shown}' has too many decimal places");
            words.st.error(Class::InvalidNumber, message, Some(index));
        }
        if let Some(value) = value.filter(|value| *value <= u64::from(max) * 1000) {
            return u32::try_from(value).ok();
        }
        if seconds {
            format!("number '{shown}' outside range [0.000, {max}.000]")
        } else {
            format!("number '{shown}' outside range [0., {max}000.]")
        }
    };
    words.st.error(Class::InvalidNumber, problem, Some(index));
    None
}

/// A decimal number times ten to the power of `decimals`, rounded.
fn scaled(whole: &str, fraction: &str, decimals: usize) -> Option<u64> {
    let mut digits = whole.to_owned();
    digits.extend(fraction.chars().chain("000".chars()).take(decimals));
    let value: u64 = if digits.is_empty() {
        0
    } else {
        digits.parse().ok()?
    };
    let up = fraction
        .as_bytes()
        .get(decimals)
        .is_some_and(|digit| *digit >= b'5');
    value.checked_add(u64::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: decimal numbers. Output: thousandths, or whole ones.
    #[test]
    fn decimals_are_rounded() {
        assert_eq!(scaled("1", "5", 3), Some(1500));
        assert_eq!(scaled("", "0005", 3), Some(1));
        assert_eq!(scaled("102", "", 0), Some(102));
        assert_eq!(scaled("1", "5", 0), Some(2));
        assert_eq!(scaled("99999999999999999999", "", 0), None);
    }
}

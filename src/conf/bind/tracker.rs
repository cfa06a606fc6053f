//! Handlers of `vrrp_script`, `vrrp_track_process` and `track_file`.
//!
//! Owns: what their keywords set, and what is missing at their end. Driven by: `bind` through the
//! schema.

use super::super::diag::Class;
use super::super::draft::Draft;
use super::super::model::options::{
    ArgumentMatch, Script, TrackFile, TrackProcess, TrackScript, Weight,
};
use super::super::source::to_display;
use super::script::{NoScript, check_user, command, default_user};
use super::tracking::own_weight;
use super::{Outcome, Statement};
use crate::base::Duration;

/// The longest time of a script in seconds.
const MAX_SECONDS: u64 = 4294;

/// `vrrp_script NAME {`
pub(in super::super) fn script_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    draft.unusable_script = false;
    draft.trackers.scripts.push(TrackScript {
        name: st.need(1)?.to_owned(),
        script: Script::default(),
        interval: Duration::from_secs(1),
        timeout: None,
        weight: Weight::default(),
        rise: 1,
        fall: 1,
        init_fail: false,
    });
    Ok(())
}

/// The end of a `vrrp_script`.
pub(in super::super) fn script_close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(tracker) = draft.trackers.scripts.last() else {
        return;
    };
    let unusable = std::mem::take(&mut draft.unusable_script);
    if tracker.script.argv.is_empty() {
        let message = format!("No script set for vrrp_script {} - removing", tracker.name);
        st.error(Class::General, message, None);
        draft.trackers.scripts.pop();
    } else if unusable {
        draft.trackers.scripts.pop();
    } else if tracker.script.user.is_none()
        && matches!(
            default_user(&mut draft.scripts, st, 0),
            Err(NoScript::NoDefaultUser)
        )
    {
        let message = format!(
            "Unable to set default user for vrrp script {} - removing",
            tracker.name
        );
        st.error(Class::General, message, None);
        draft.trackers.scripts.pop();
    }
}

fn script_here(draft: &mut Draft, f: impl FnOnce(&mut TrackScript) -> Outcome) -> Outcome {
    draft.trackers.scripts.last_mut().map_or(Ok(()), f)
}

/// `script COMMAND`
pub(in super::super) fn script(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let argv = command(&mut draft.scripts, st, 1);
    script_here(draft, |tracker| {
        if let Some(argv) = argv {
            tracker.script.argv = argv;
        }
        Ok(())
    })
}

/// Seconds of a script in 0..=4294; zero counts as one.
fn script_time(
    st: &mut Statement<'_>,
    name: &str,
    what: &str,
    bad: &str,
) -> Result<Option<Duration>, super::Stop> {
    let word = st.need(1)?;
    let value = st.seconds_to(3, 1, Duration::ZERO, Duration::from_secs(MAX_SECONDS))?;
    let message = match value {
        Some(value) if value.is_zero() => {
            format!("({name}): vrrp script {what} must be greater than 0, setting to 1")
        }
        Some(value) => return Ok(Some(value)),
        None => format!(
            "({name}): vrrp script {what} '{}' {bad} - ignoring",
            to_display(word)
        ),
    };
    st.error(Class::General, message, Some(1));
    Ok(value.map(|_| Duration::from_secs(1)))
}

/// `interval SECONDS`
pub(in super::super) fn interval(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    script_here(draft, |tracker| {
        let bad = "must be between 0.001 and 4294";
        if let Some(value) = script_time(st, &tracker.name, "interval", bad)? {
            tracker.interval = value;
        }
        Ok(())
    })
}

/// `timeout SECONDS`
pub(in super::super) fn timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    script_here(draft, |tracker| {
        if let Some(value) = script_time(st, &tracker.name, "timeout", "invalid")? {
            tracker.timeout = Some(value);
        }
        Ok(())
    })
}

/// `weight NUMBER [reverse]` of a script
pub(in super::super) fn script_weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    script_here(draft, |tracker| {
        let owner = format!("vrrp_script {}", tracker.name);
        let problem = format!("{owner} weight {{}} must be in [-253, 253]");
        own_weight(st, 253, &problem, &owner, &mut tracker.weight)
    })
}

fn count(st: &mut Statement<'_>, name: &str, what: &str) -> Result<u32, super::Stop> {
    let word = st.need(1)?;
    let number = st.number(1, 1, i32::MAX.unsigned_abs())?;
    Ok(number.unwrap_or_else(|| {
        let message = format!(
            "({name}): vrrp script {what} value '{}' invalid, defaulting to 1",
            to_display(word)
        );
        st.error(Class::General, message, Some(1));
        1
    }))
}

/// `rise COUNT`
pub(in super::super) fn rise(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    script_here(draft, |tracker| {
        tracker.rise = count(st, &tracker.name, "rise")?;
        Ok(())
    })
}

/// `fall COUNT`
pub(in super::super) fn fall(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    script_here(draft, |tracker| {
        tracker.fall = count(st, &tracker.name, "fall")?;
        Ok(())
    })
}

/// `user USER [GROUP]`
pub(in super::super) fn script_user(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (user, group) = (st.need(1)?, st.word(2));
    let known = check_user(&mut draft.scripts, Some(user), group, st).is_ok();
    // The last one counts.
    draft.unusable_script = !known;
    script_here(draft, |tracker| {
        if !known {
            let argv = tracker.script.argv.iter();
            let words: String = argv
                .map(|word| format!(" '{}'", to_display(word)))
                .collect();
            let message = format!("Unable to set uid/gid for script{words}");
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        tracker.script.user = Some(user.to_owned());
        tracker.script.group = group.map(str::to_owned);
        Ok(())
    })
}

/// `init_fail`
pub(in super::super) fn init_fail(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    script_here(draft, |tracker| {
        tracker.init_fail = true;
        Ok(())
    })
}

/// `vrrp_track_process NAME {`
pub(in super::super) fn process_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    draft.trackers.processes.push(TrackProcess {
        name: st.need(1)?.to_owned(),
        ..TrackProcess::default()
    });
    Ok(())
}

/// The end of a `vrrp_track_process`.
pub(in super::super) fn process_close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(tracker) = draft.trackers.processes.last() else {
        return;
    };
    if tracker.process.is_none() {
        let message = format!(
            "track process '{}' process name not specified",
            tracker.name
        );
        st.error(Class::General, message, None);
        draft.trackers.processes.pop();
    }
}

fn process_here(draft: &mut Draft, f: impl FnOnce(&mut TrackProcess) -> Outcome) -> Outcome {
    draft.trackers.processes.last_mut().map_or(Ok(()), f)
}

/// `process NAME [ARGUMENT...]`
pub(in super::super) fn process(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?.to_owned();
    let arguments: Vec<String> = st.words(2).map(str::to_owned).collect();
    process_here(draft, |tracker| {
        if tracker.process.is_some() {
            let message = format!(
                "Process already set for track process {} - ignoring {}",
                tracker.name,
                to_display(&name)
            );
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        tracker.full_command |= !arguments.is_empty();
        tracker.process = Some(name);
        tracker.arguments = arguments;
        Ok(())
    })
}

/// `param_match [initial|partial]`
pub(in super::super) fn param_match(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    process_here(draft, |tracker| {
        tracker.arguments_match = match st.word(1) {
            None => Some(ArgumentMatch::Exact),
            Some("initial") => Some(ArgumentMatch::Initial),
            Some("partial") => Some(ArgumentMatch::Partial),
            Some(other) => {
                let message = format!("Invalid param_match type {} - ignoring", to_display(other));
                st.error(Class::General, message, Some(1));
                tracker.arguments_match
            }
        };
        Ok(())
    })
}

/// A weight where the default one was replaced already.
fn weight_again(st: &mut Statement<'_>, owner: &str) {
    let word = to_display(st.word(1).unwrap_or_default());
    let message = format!("Weight already set for track {owner} - ignoring {word}");
    st.error(Class::General, message, Some(1));
}

/// `weight NUMBER [reverse]` of a process
pub(in super::super) fn process_weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    process_here(draft, |tracker| {
        if st.word(1).is_none() {
            let message = format!(
                "No weight specified for track process {} - ignoring",
                tracker.name
            );
            st.error(Class::General, message, Some(0));
            return Ok(());
        }
        if tracker.weight.value != 0 {
            weight_again(st, &format!("process {}", tracker.name));
            return Ok(());
        }
        let owner = format!("vrrp_track_process {}", tracker.name);
        let problem =
            format!("Weight ({{}}) for {owner} must be between [-254..254] inclusive. Ignoring...");
        own_weight(st, 254, &problem, &owner, &mut tracker.weight)
    })
}

fn process_number(
    st: &mut Statement<'_>,
    owner: &str,
    what: &str,
    min: u32,
) -> Result<Option<u16>, super::Stop> {
    let word = st.need(1)?;
    let number = st.number(1, min, 65_535)?;
    if number.is_none() {
        let message = format!(
            "{what} ({}) for vrrp_track_process {owner} must be between [{min}..65535] \
             inclusive. Ignoring...",
            to_display(word)
        );
        st.error(Class::General, message, Some(1));
    }
    Ok(number.and_then(|number| u16::try_from(number).ok()))
}

/// `quorum COUNT`
pub(in super::super) fn quorum(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    process_here(draft, |tracker| {
        if let Some(value) = process_number(st, &tracker.name, "Quorum", 1)? {
            if tracker.quorum_max.is_some_and(|max| value > max) {
                let message = "Quorum is greater than quorum_max - ignoring";
                st.error(Class::General, message, Some(1));
                return Ok(());
            }
            tracker.quorum = Some(value);
        }
        Ok(())
    })
}

/// `quorum_max COUNT`
pub(in super::super) fn quorum_max(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    process_here(draft, |tracker| {
        if let Some(value) = process_number(st, &tracker.name, "quorum_max", 0)? {
            if tracker.quorum.is_some_and(|quorum| value < quorum) {
                let message = "quorum_max is less than quorum - ignoring";
                st.error(Class::General, message, Some(1));
                return Ok(());
            }
            tracker.quorum_max = Some(value);
        }
        Ok(())
    })
}

/// `delay`, `terminate_delay`, `fork_delay`
pub(in super::super) fn delays(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (keyword, word) = (st.need(0)?, st.need(1)?);
    let value = st.seconds(1, Duration::from_micros(1), Duration::from_secs(3600))?;
    process_here(draft, |tracker| {
        let Some(value) = value else {
            let message = format!(
                "{keyword} ({}) for vrrp_track_process {} must be between [0.000001..3600] \
                 inclusive. Ignoring...",
                to_display(word),
                tracker.name
            );
            st.error(Class::General, message, Some(1));
            return Ok(());
        };
        if keyword != "fork_delay" {
            tracker.terminate_delay = value;
        }
        if keyword != "terminate_delay" {
            tracker.fork_delay = value;
        }
        Ok(())
    })
}

/// `full_command`
pub(in super::super) fn full_command(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    process_here(draft, |tracker| {
        tracker.full_command = true;
        Ok(())
    })
}

/// `track_file NAME {`
pub(in super::super) fn file_open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    draft.trackers.files.push(TrackFile {
        name: st.need(1)?.to_owned(),
        ..TrackFile::default()
    });
    Ok(())
}

/// The end of a `track_file`.
pub(in super::super) fn file_close(draft: &mut Draft, st: &mut Statement<'_>) {
    if let Some(tracker) = draft.trackers.files.last()
        && tracker.file.is_none()
    {
        let message = format!("No file set for track_file {} - ignoring", tracker.name);
        st.error(Class::General, message, None);
        draft.trackers.files.pop();
    } else if let Some(tracker) = draft.trackers.files.last()
        && let Some((number, text)) = tracker
            .file
            .as_deref()
            .and_then(|file| st.facts.directory_error(file))
    {
        let message = format!("realpath() error {number} ({text}) for {}", tracker.name);
        st.error(Class::General, message, None);
        draft.trackers.files.pop();
    }
}

fn file_here(draft: &mut Draft, f: impl FnOnce(&mut TrackFile) -> Outcome) -> Outcome {
    draft.trackers.files.last_mut().map_or(Ok(()), f)
}

/// `file PATH`
pub(in super::super) fn file(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    file_here(draft, |tracker| {
        let Some(path) = st.word(1) else {
            st.error(Class::General, "track file file name missing", Some(0));
            return Ok(());
        };
        if tracker.file.is_some() {
            let message = format!(
                "File already set for track file {} - ignoring {}",
                tracker.name,
                to_display(path)
            );
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        tracker.file = Some(path.to_owned());
        Ok(())
    })
}

/// `weight NUMBER [reverse]` of a file
pub(in super::super) fn file_weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    file_here(draft, |tracker| {
        if st.word(1).is_none() {
            let message = format!(
                "No weight specified for track file {} - ignoring",
                tracker.name
            );
            st.error(Class::General, message, Some(0));
            return Ok(());
        }
        let mut weight = tracker.weight.unwrap_or(Weight {
            value: 1,
            reverse: false,
        });
        if weight.value != 1 {
            weight_again(st, &format!("file {}", tracker.name));
            return Ok(());
        }
        let owner = format!("track_file {}", tracker.name);
        let problem =
            format!("Weight ({{}}) for {owner} must be between [-254..254] inclusive. Ignoring...");
        own_weight(st, 254, &problem, &owner, &mut weight)?;
        tracker.weight = Some(weight);
        Ok(())
    })
}

/// `init_file [VALUE] [overwrite]`
pub(in super::super) fn init_file(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    file_here(draft, |tracker| {
        tracker.initial = Some(0);
        let words: Vec<_> = st.words(1).collect();
        for (index, word) in words.into_iter().enumerate() {
            if word == "overwrite" {
                tracker.overwrite = true;
            } else if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
                let value = st.signed(index + 1, i32::MIN, i32::MAX)?;
                let problem = match value {
                    None => "is invalid",
                    Some(value) if !(-254..=254).contains(&value) => {
                        "is outside sensible range [-254, 254]"
                    }
                    Some(_) => "",
                };
                if !problem.is_empty() {
                    let name = &tracker.name;
                    let word = to_display(word);
                    let message = format!("Track file {name} init value {word} {problem}");
                    st.error(Class::General, message, Some(index + 1));
                }
                tracker.initial = value.map(i64::from).or(tracker.initial);
            } else {
                let message = format!("Unknown track file init option {}", to_display(word));
                st.error(Class::General, message, Some(index + 1));
                break;
            }
        }
        Ok(())
    })
}

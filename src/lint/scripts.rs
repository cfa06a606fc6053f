//! Rules about tracking scripts.
//!
//! Owns: times that do not fit each other, and programs for which there is something better.
//! Driven by: `lint::check`.

use super::Sink;
use super::subject::Router;
use crate::conf::StatementId;

/// Applies the rules.
pub(super) fn check(router: &Router<'_>, sink: &mut Sink<'_>) {
    let outline = router.outline;
    for block in outline.children(None, "vrrp_script") {
        times(router, block, sink);
        if let Some(script) = outline.last(Some(block), "script") {
            process_check(router, script, sink);
        }
    }
}

/// A script that may run as long as the time in which it has to fail cannot fail in time.
fn times(router: &Router<'_>, block: StatementId, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let number = |keyword: &str| -> Option<f64> {
        let line = outline.last(Some(block), keyword)?;
        outline.word(line, 1)?.parse().ok()
    };
    let name = outline.word(block, 1).unwrap_or_default();
    let interval = number("interval").unwrap_or(1.0);
    let fall = number("fall").unwrap_or(1.0).max(1.0);
    let (Some(line), Some(timeout)) = (outline.last(Some(block), "timeout"), number("timeout"))
    else {
        return;
    };
    if !(interval > 0.0 && timeout > 0.0) {
        return;
    }
    let window = interval * fall;
    if timeout >= window {
        let message = format!(
            "script {name}: a run may take {timeout} s, no less than the {window} s (interval \
             {interval} × fall {fall}) after which it should have failed"
        );
        sink.advise("timeout-beyond-fall", (line, 1), message, |finding| {
            finding
                .note(
                    "a hanging service is noticed only when the script is killed",
                    None,
                )
                .help(format!(
                    "a timeout below the interval ({interval} s) keeps the figures true"
                ))
        });
    } else if timeout > interval {
        let message = format!(
            "script {name}: a run may take {timeout} s, longer than the interval of {interval} s; \
             runs are skipped meanwhile"
        );
        sink.advise("timeout-beyond-interval", (line, 1), message, |finding| {
            finding.help("a timeout of at most the interval")
        });
    }
}

/// `killall -0 haproxy` forks a process each second to learn what the kernel tells for nothing.
fn process_check(router: &Router<'_>, script: StatementId, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let joined = outline.words(script).get(1..).unwrap_or_default().join(" ");
    let words: Vec<&str> = joined
        .split([' ', '\t', '"', '\'', ';', '&', '|', '('])
        .filter(|word| !word.is_empty())
        .collect();
    let found = words.iter().enumerate().find_map(|(index, word)| {
        let program = word.rsplit('/').next()?;
        let rest = words.get(index + 1..)?;
        let target = |rest: &[&str]| {
            let name = rest.iter().find(|word| !word.starts_with(['-', '>']))?;
            Some(name.rsplit('/').next()?.to_owned())
        };
        match program {
            "killall" if rest.contains(&"-0") => {
                let rest: Vec<&str> = rest.iter().copied().filter(|word| *word != "-0").collect();
                target(&rest).map(|name| ("killall -0", name))
            }
            "pidof" => target(rest).map(|name| ("pidof", name)),
            "pgrep" => target(rest).map(|name| ("pgrep", name)),
            _ => None,
        }
    });
    let Some((program, process)) = found else {
        return;
    };
    let message =
        format!("`{program}` is started at each interval only to see whether {process} runs");
    sink.advise("track-process-instead", (script, 1), message, |finding| {
        finding.help(format!(
            "vrrp_track_process chk {{ process {process} }} with track_process {{ chk }} learns of \
             its end at once, without a script"
        ))
    });
}

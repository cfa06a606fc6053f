//! Whether the programs of scripts are there, and who can change them.
//!
//! Owns: keepalived's verdict on scripts: one that is not there is left out, one that others can
//! change is left out with script security and a violation without. Never does: look itself; the
//! handlers have asked the host. Driven by: `resolve`.

use super::super::bind::script::program_of;
use super::super::diag::{Class, Diagnostic};
use super::super::draft::ScriptRules;
use super::super::model::options::{Notify, Script, SyncGroup, Trackers};
use super::super::model::{
    CheckScript, Global, Probe, ProbeKind, RealServer, ServicePolicy, VirtualServer, VrrpInstance,
};
use super::super::source::{Program, to_display};
use super::Context;
use crate::base::Shared;

/// What the look at several scripts came to.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    any: bool,
    insecure: bool,
}

impl Seen {
    fn of(&mut self, program: Program) {
        self.any |= !matches!(program, Program::Missing | Program::Redirection);
        self.insecure |= program == Program::Insecure;
    }

    /// Says that scripts run without security.
    fn violation(self, what: &str, cx: &mut Context<'_>) {
        if !self.any {
            return;
        }
        let more = if self.insecure {
            " There are insecure scripts."
        } else {
            ""
        };
        let message = format!(
            "SECURITY VIOLATION - {what} are being executed but script_security not enabled.{more}"
        );
        let finding = Diagnostic::new(Class::Security, message)
            .help("set enable_script_security and script_user in global_defs");
        cx.diagnostics.push(finding);
    }
}

/// Everything that names scripts.
pub(super) struct Found<'a> {
    pub(super) global: &'a mut Global,
    pub(super) trackers: &'a mut Trackers,
    pub(super) groups: &'a mut [SyncGroup],
    pub(super) instances: &'a mut [VrrpInstance],
    /// What instances would run that are given up: keepalived looks at it before it gives them up.
    pub(super) given_up: Vec<Notify>,
}

/// Looks at every script; those that cannot be run are left out.
pub(super) fn check(rules: &ScriptRules, found: Found<'_>, cx: &mut Context<'_>) {
    let Found {
        global,
        trackers,
        groups,
        instances,
        given_up,
    } = found;
    let mut seen = Seen::default();
    let has_vrrp = !instances.is_empty() || !groups.is_empty() || *trackers != Trackers::default();
    trackers.scripts.retain(|tracker| {
        let program = look(&tracker.script, rules);
        if program != Program::Insecure || !rules.secure {
            seen.of(program);
        }
        let stays = runs(&tracker.script, program, rules, cx);
        if let Some(why) = disabled(program, rules) {
            let message = format!("Disabling track script {} {why}", tracker.name);
            cx.diagnostics
                .push(Diagnostic::new(Class::General, message));
        }
        stays
    });
    for mut notify in given_up {
        let scripts = slots(&mut notify).into_iter();
        scripts.for_each(|slot| {
            if let Some(script) = slot {
                seen.of(look(script, rules));
            }
        });
    }
    let groups = groups.iter_mut().map(|group| &mut group.notify);
    let instances = instances
        .iter_mut()
        .map(|instance| &mut instance.options.notify);
    for notify in groups.chain(instances) {
        for slot in slots(notify) {
            *slot = slot.take().filter(|script| {
                let program = look(script, rules);
                seen.of(program);
                runs(script, program, rules, cx)
            });
        }
    }
    let fifos = &mut global.fifos;
    for fifo in [&mut fifos.all, &mut fifos.vrrp] {
        fifo.script = fifo.script.take().filter(|script| {
            let program = look(script, rules);
            if has_vrrp {
                seen.of(program);
            }
            runs(script, program, rules, cx)
        });
    }
    let mut daemon = Seen::default();
    for slot in [&mut global.scripts.startup, &mut global.scripts.shutdown] {
        *slot = slot.take().filter(|script| {
            let program = look(script, rules);
            daemon.of(program);
            runs(script, program, rules, cx)
        });
    }
    if !rules.secure {
        daemon.violation("start/shutdown scripts", cx);
        seen.violation("scripts", cx);
    }
}

/// Whether a service or one of its servers and checks names a script.
pub(super) fn names_scripts(service: &VirtualServer) -> bool {
    let policy = &service.policy;
    let misc = |probe: &Probe| matches!(probe.kind, ProbeKind::Misc(_));
    let server = |server: &Shared<RealServer>| {
        let policy = server.policy.as_deref();
        policy.is_some_and(|policy| policy.notify_up.is_some() || policy.notify_down.is_some())
            || server.probes.iter().any(misc)
    };
    policy.quorum_up.is_some()
        || policy.quorum_down.is_some()
        || service.real_servers.iter().any(server)
}

/// Looks at every script of services and checks; those that cannot be run are left out.
pub(super) fn check_services(
    rules: &ScriptRules,
    global: &Global,
    services: &mut [Shared<VirtualServer>],
    cx: &mut Context<'_>,
) {
    let mut seen = Seen::default();
    let has_checks = !services.is_empty();
    if !rules.programs.is_empty() {
        for service in services {
            let ServicePolicy {
                quorum_up,
                quorum_down,
                ..
            } = &mut service.policy;
            for slot in [quorum_up, quorum_down] {
                retain(slot, rules, &mut seen, cx);
            }
            for server in &mut service.real_servers {
                check_server(server, rules, &mut seen, cx);
            }
        }
    }
    let fifos = &global.fifos;
    let scripts = [&fifos.all, &fifos.lvs].map(|fifo| fifo.script.as_ref());
    for script in scripts.into_iter().flatten().filter(|_| has_checks) {
        seen.of(look(script, rules));
    }
    if !rules.secure {
        seen.violation("check scripts", cx);
    }
}

fn check_server(
    server: &mut RealServer,
    rules: &ScriptRules,
    seen: &mut Seen,
    cx: &mut Context<'_>,
) {
    if let Some(policy) = server.policy.as_deref_mut() {
        for slot in [&mut policy.notify_up, &mut policy.notify_down] {
            retain(slot, rules, seen, cx);
        }
    }
    server.probes.retain(|probe| match &probe.kind {
        ProbeKind::Misc(misc) => {
            let stays = stays(&misc.script, rules, seen, cx);
            let name = program_of(&misc.script.command).unwrap_or_default();
            if let Some(why) = disabled(named(&name, rules), rules) {
                let message = format!("Disabling misc script '{}' {why}", to_display(&name));
                cx.diagnostics.push(Diagnostic::new(Class::Advice, message));
            }
            stays
        }
        ProbeKind::Http(_)
        | ProbeKind::Smtp(_)
        | ProbeKind::Dns(_)
        | ProbeKind::Udp(_)
        | ProbeKind::Ping
        | ProbeKind::File(_)
        | ProbeKind::Bfd(_) => true,
    });
}

fn retain(
    slot: &mut Option<CheckScript>,
    rules: &ScriptRules,
    seen: &mut Seen,
    cx: &mut Context<'_>,
) {
    *slot = slot.take().filter(|script| stays(script, rules, seen, cx));
}

fn stays(script: &CheckScript, rules: &ScriptRules, seen: &mut Seen, cx: &mut Context<'_>) -> bool {
    let name = program_of(&script.command).unwrap_or_default();
    let program = named(&name, rules);
    seen.of(program);
    can_run(&name, (&script.user, &script.group), program, rules, cx)
}

fn look(script: &Script, rules: &ScriptRules) -> Program {
    let name = script.argv.first();
    name.map_or(Program::Missing, |name| named(name, rules))
}

fn named(name: &str, rules: &ScriptRules) -> Program {
    let found = rules.programs.get(name);
    found.map_or(Program::Missing, |(program, _)| *program)
}

/// Whether a script can run; keepalived only logs that it cannot.
fn runs(script: &Script, program: Program, rules: &ScriptRules, cx: &mut Context<'_>) -> bool {
    let name = script.argv.first().map_or("", String::as_str);
    can_run(name, (&script.user, &script.group), program, rules, cx)
}

/// Why a tracker or a check goes, in keepalived's words, but for a program that may not be run.
const fn disabled(program: Program, rules: &ScriptRules) -> Option<&'static str> {
    match program {
        Program::Missing => Some("since not found/accessible"),
        Program::Directory => Some("due to insecure"),
        Program::Insecure if rules.secure => Some("due to insecure"),
        Program::Insecure | Program::Secure | Program::Redirection => None,
    }
}

/// Looks at one use of a script; keepalived says these things when it starts, not in a config test.
fn can_run(
    name: &str,
    (user, group): (&Option<String>, &Option<String>),
    program: Program,
    rules: &ScriptRules,
    cx: &mut Context<'_>,
) -> bool {
    let shown = to_display(name);
    let mut say = |message: String, help: &str| {
        let finding = Diagnostic::new(Class::Advice, message).help(help);
        cx.diagnostics.push(finding);
    };
    let closed = "chown it to root and take the right to write from its group and others; \
                  `keepalived check` names the part of the path";
    match program {
        Program::Redirection => return true,
        Program::Missing => {
            let message = format!("Script {shown} cannot be accessed - No such file or directory");
            say(message, "it is left out until it is there at a reload");
            return false;
        }
        Program::Directory => {
            let message = format!("Wrong file type found in script path '{shown}'.");
            say(message, "it is a directory, and is left out");
            return false;
        }
        Program::Insecure if rules.secure => {
            let message = format!("Unsafe permissions found for script '{shown}' - disabling.");
            say(message, closed);
            return false;
        }
        Program::Insecure => {
            let message = format!("Unsafe permissions found for script '{shown}'.");
            say(message, closed);
        }
        Program::Secure => {}
    }
    let named = if user.is_some() {
        (user.clone(), group.clone())
    } else {
        (rules.user.clone(), rules.group.clone())
    };
    let access = rules.programs.get(name).and_then(|(_, access)| *access);
    let who = rules.identities.get(&named);
    let Some((access, who)) = access.zip(who).filter(|(access, who)| !access.lets(**who)) else {
        return true;
    };
    let message = format!(
        "WARNING - script '{shown}' is not executable for uid:gid {}:{} - disabling.",
        who.uid, who.gid
    );
    let help = format!(
        "its mode is {:04o}: chmod +x, or another `user`",
        access.mode & 0o7777
    );
    say(message, &help);
    false
}

fn slots(notify: &mut Notify) -> [&mut Option<Script>; 7] {
    [
        &mut notify.any,
        &mut notify.backup,
        &mut notify.master,
        &mut notify.fault,
        &mut notify.stop,
        &mut notify.deleted,
        &mut notify.lower_priority,
    ]
}

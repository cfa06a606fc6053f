//! The `keepalived` binary: from the command line to a mode, from the mode to an exit status.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use keepalived_rs::cli::check::{Check, Format, Target};
use keepalived_rs::cli::{self, Cli, Command};
use keepalived_rs::conf::{self, Class, LoadOptions};
use keepalived_rs::host::genhash;
use keepalived_rs::host::logger::LogOptions;
use keepalived_rs::host::{
    self, CoreDumps, HostFiles, Leave, NoHost, Offline, PatientFacts, Settings, ThisHost,
    WorkerOptions, signals,
};
use keepalived_rs::lint::{self, Request, explain};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some((name, options)) = genhash::called(&arguments) {
        host::default_sigpipe();
        let status = genhash::run(&name, &options);
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    let said = cli::parse(arguments);
    for line in &said.complaints {
        say(&format!("{line}\n"));
    }
    if let Some(words) = &said.unexpected {
        print(&format!("{words}\n"));
    }
    let status = match said.command {
        Command::Run(cli) => {
            remark(&cli);
            host::log_panics();
            host::run(&settings(&cli))
        }
        Command::ConfigTest(cli, file) => {
            host::default_sigpipe();
            remark(&cli);
            config_test(&cli, file.as_deref())
        }
        Command::Check(check) => {
            host::default_sigpipe();
            check_files(check)
        }
        Command::CheckUsage(text, status) => {
            host::default_sigpipe();
            if status == 0 {
                print(&text);
            } else {
                say(&text);
            }
            i32::from(status)
        }
        Command::Version => {
            host::default_sigpipe();
            say(&format!("{}\n", host::version()));
            0
        }
        Command::Help(text) => {
            host::default_sigpipe();
            say(&text);
            0
        }
        Command::Signum(function) => signum(&function),
        Command::Wrong(text) => {
            say(&text);
            1
        }
    };
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}

/// Writes to standard error, as keepalived does even for help; a closed one is no reason to fail.
fn say(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Writes to standard output; a closed one is the caller's business.
fn print(text: &str) {
    drop(io::stdout().lock().write_all(text.as_bytes()));
}

fn remark(cli: &Cli) {
    for line in cli.remarks() {
        say(&format!("{line}\n"));
    }
}

fn load_options(cli: &Cli) -> LoadOptions {
    LoadOptions {
        config_id: cli.config_id.clone(),
        strict_includes: cli.all_config,
        seed: seed(),
        verdict_only: false,
        copy: cli.config_fd().is_some(),
    }
}

/// Something else at each start.
fn seed() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::from(since.subsec_nanos()) << 32 | (since.as_secs() & 0xffff_ffff)
}

/// The daemon changes to `/` in the background; names are meant from here.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn settings(cli: &Cli) -> Settings {
    let file = |given: &Option<PathBuf>| given.as_deref().map(absolute);
    let console = cli.log_console && cli.dont_fork;
    Settings {
        foreground: cli.dont_fork,
        respawn: !cli.dont_respawn,
        pid_file: file(&cli.pid),
        umask: cli.umask(),
        core: (cli.core_dump || cli.core_dump_pattern.is_some()).then(|| CoreDumps {
            pattern: cli
                .core_dump_pattern
                .clone()
                .map(|pattern| pattern.unwrap_or_else(|| "core".to_owned())),
        }),
        ignore_interrupt: cli.ignore_sigint,
        log: LogOptions {
            detail: cli.log_detail,
            console,
            syslog: !cli.no_syslog,
            facility: cli.facility(),
            file: cli.log_file.as_ref().map(|file| match file {
                Some(file) => absolute(file),
                None => host::temporary_directory().join("keepalived.log"),
            }),
            flush: cli.flush_log_file,
        },
        worker: WorkerOptions {
            config: if cli.dont_fork {
                cli.config.clone()
            } else {
                absolute(&cli.config)
            },
            load: load_options(cli),
            // Each leaves the other's part out, so that both together leave BFD alone.
            vrrp: !cli.check_only,
            check: !cli.vrrp_only,
            bfd: !cli.no_bfd,
            all: cli.all,
            vrrp_pid_file: file(&cli.vrrp_pid),
            check_pid_file: file(&cli.checkers_pid),
            bfd_pid_file: file(&cli.bfd_pid),
            namespace: cli.namespace.clone(),
            addresses: cli.address_monitoring,
            hand_over: cli.hand_over,
            log_style: cli.log_style.unwrap_or_default(),
            leave: Leave {
                vrrp: cli.dont_release_vrrp,
                ipvs: cli.dont_release_ipvs,
            },
            console,
            dump: cli.dump_conf,
            umask: cli.umask(),
        },
    }
}

fn signum(function: &str) -> i32 {
    let functions = signals::functions();
    match functions.iter().find(|(name, _)| *name == function) {
        Some((_, signal)) => {
            print(&format!("{signal}\n"));
            0
        }
        None => {
            say(&format!("Unknown sigfunc {function}\n"));
            1
        }
    }
}

/// Whether what goes to a stream may have colours.
fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// `keepalived check --explain`.
fn explain(name: &str, format: Format) -> i32 {
    let text = match format {
        Format::Human => explain::human(name),
        Format::Json => explain::json(name),
    };
    match text {
        Some(text) => {
            print(&text);
            0
        }
        None => {
            say(&explain::unknown(name));
            1
        }
    }
}

/// `keepalived check --print`: the text, unless the daemon would not start with it.
fn print_meaning(request: &Request, offline: bool) -> i32 {
    let facts: &dyn conf::HostFacts = if offline { &Offline } else { &PatientFacts };
    let main = request
        .files
        .first()
        .map(PathBuf::as_path)
        .unwrap_or(Path::new(""));
    let loaded = conf::load(main, request.options.clone(), &HostFiles, facts);
    if let Some(status) = loaded.diagnostics.blocks_start() {
        for finding in &loaded.diagnostics {
            say(&format!("{finding}\n"));
        }
        return status;
    }
    let text = conf::print(&loaded.config);
    // A closed output is the caller's business.
    drop(
        io::stdout()
            .lock()
            .write_all(&conf::source::to_bytes(&text)),
    );
    0
}

/// `keepalived check`.
fn check_files(check: Check) -> i32 {
    if let Some(name) = &check.explain {
        return explain(name, check.format);
    }
    let request = Request {
        files: check.files,
        options: LoadOptions {
            config_id: check.config_id,
            strict_includes: check.all_config,
            seed: seed(),
            verdict_only: false,
            copy: false,
        },
        porting: check.target == Some(Target::Keepalived243),
    };
    if check.print {
        return print_meaning(&request, check.offline);
    }
    let report = if check.offline {
        lint::check(&request, &HostFiles, &Offline, &NoHost)
    } else {
        lint::check(&request, &HostFiles, &PatientFacts, &ThisHost)
    };
    print(&match check.format {
        Format::Human => report.human(colours(&io::stdout())),
        Format::Json => report.json(),
    });
    i32::from(report.exit_status())
}

/// Checks the configuration and says what is wrong with it, to standard error or a file.
fn config_test(cli: &Cli, file: Option<&Path>) -> i32 {
    let options = LoadOptions {
        verdict_only: true,
        ..load_options(cli)
    };
    let loaded = conf::load(&cli.config, options, &HostFiles, &PatientFacts);
    let styled = file.is_none() && colours(&io::stderr());
    let mut text = String::new();
    for finding in &loaded.diagnostics {
        // First the line that scripts know, then the excerpt for people. What keepalived does not
        // say is no such line.
        if finding.class != Class::Advice {
            text.push_str(&format!("{finding}\n"));
        }
        text.push_str(&conf::render(finding, styled));
        text.push('\n');
    }
    if loaded.diagnostics.dropped() > 0 {
        let dropped = loaded.diagnostics.dropped();
        text.push_str(&format!("{dropped} further findings are left out\n"));
    }
    match file {
        None => say(&text),
        Some(path) => {
            let written = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)
                .and_then(|mut file| file.write_all(text.as_bytes()));
            if let Err(error) = written {
                let number = error.raw_os_error().unwrap_or(0);
                let text = nix::errno::Errno::from_raw(number).desc();
                say(&format!(
                    "Unable to open config-test log file {} {number} - {text}\n",
                    path.display()
                ));
                return 1;
            }
        }
    }
    if let Some(descriptor) = cli.config_fd() {
        let text = loaded.copy.as_deref().unwrap_or_default();
        if let Err(error) = host::write_to_descriptor(descriptor, &conf::source::to_bytes(text)) {
            say(&format!("descriptor {descriptor}: {error}\n"));
            return 1;
        }
    }
    match i32::from(loaded.diagnostics.exit_status()) {
        // As keepalived counts it.
        0 if cli.has_wrong_facility() => 5,
        status => status,
    }
}

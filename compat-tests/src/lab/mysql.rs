//! MariaDB on the two real servers, replicating both ways, and the mysql client in front.
//!
//! Owns the data made in advance (outside user-mode Linux, where it takes a second), the server's
//! options, and queries. The table, its rows and the user are the document's. Never goes through
//! the VIP by itself: the caller names the address. Driven by [`super::town`] and the steps.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::{Context, Error, Result};
use crate::bed::{Host, Proc, wait_until};

/// Longest that a server takes to start or stop; user-mode Linux needs some seconds.
const START: Duration = Duration::from_secs(40);

/// The document's table, its user, and one for replication.
const CONTENT: &str = "\
FLUSH PRIVILEGES;
CREATE USER test@'%' IDENTIFIED BY '123456';
GRANT ALL ON *.* TO test@'%';
CREATE USER replication@'%' IDENTIFIED BY 'replication';
GRANT REPLICATION SLAVE ON *.* TO replication@'%';
CREATE DATABASE huanqiu;
CREATE TABLE huanqiu.haha (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL);
INSERT INTO huanqiu.haha VALUES (1, 'wangshibo'), (2, 'guohuihui'), (22, 'huihui'), (23, 'bobo');
";

/// For small, slow machines: each server has its copy of the data in memory; user-mode Linux has no
/// native AIO, and no address space for a pool that may grow.
const SMALL: [&str; 5] = [
    "--innodb-log-file-size=4M",
    "--innodb-temp-data-file-path=ibtmp1:2M:autoextend",
    "--innodb-buffer-pool-size=8M",
    "--loose-innodb-buffer-pool-size-max=8M",
    "--skip-innodb-use-native-aio",
];

/// Makes a data folder with the document's content, which both servers start from.
pub fn prepare(data: &Path) -> Result<()> {
    fs::create_dir_all(data)?;
    let folder = format!("--datadir={}", data.display());
    let mut install = Command::new("mariadb-install-db");
    install.args([
        "--no-defaults",
        "--user=root",
        "--skip-test-db",
        "--auth-root-authentication-method=normal",
    ]);
    finish(install.arg(&folder).args(SMALL), "")?;
    let mut fill = Command::new("mariadbd");
    fill.args(["--no-defaults", "--user=root", "--bootstrap"]);
    finish(fill.arg(&folder).args(SMALL), CONTENT)
}

fn finish(command: &mut Command, input: &str) -> Result<()> {
    let what = command.get_program().display().to_string();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context(|| what.clone())?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes()).context(|| what.clone())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(format!(
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// One server: where its data is, and its process while it runs.
pub struct Server {
    /// 1 or 2: server id, and which half of the automatic ids it gives.
    number: u8,
    data: PathBuf,
    /// Address of the other one, which it replicates from.
    peer: &'static str,
    process: Option<Proc>,
}

impl Server {
    /// A server on its copy of the prepared data; not started.
    pub fn new(number: u8, prepared: &Path, data: PathBuf, peer: &'static str) -> Result<Self> {
        copy(prepared, &data)?;
        Ok(Self {
            number,
            data,
            peer,
            process: None,
        })
    }

    /// Starts it and returns at once; see [`Self::wait_for_port`].
    pub fn start(&mut self, host: &Host) -> Result<()> {
        let number = self.number;
        let data = self.data.display();
        let mut command = Command::new("mariadbd");
        command.args([
            "--no-defaults",
            "--user=root",
            "--bind-address=0.0.0.0",
            "--skip-name-resolve",
        ]);
        command.args([
            format!("--datadir={data}"),
            "--socket=/run/mysqld.sock".to_owned(),
            "--pid-file=/run/mysqld.pid".to_owned(),
            "--log-error=/var/log/mysqld.log".to_owned(),
            format!("--server-id={number}"),
            "--log-bin=binlog".to_owned(),
            "--auto-increment-increment=2".to_owned(),
            format!("--auto-increment-offset={number}"),
        ]);
        // The rest saves time and memory.
        command.args(SMALL).args([
            "--innodb-flush-log-at-trx-commit=0",
            "--key-buffer-size=1M",
            "--performance-schema=OFF",
        ]);
        let replicates = self.data.join("master.info").exists();
        if !replicates {
            let first = self.data.join("first.sql");
            let peer = self.peer;
            let follow = format!(
                "CHANGE MASTER TO MASTER_HOST='{peer}', MASTER_USER='replication', MASTER_PASSWORD='replication', \
                MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos;\nSTART SLAVE;\n"
            );
            fs::write(&first, follow)?;
            command.arg(format!("--init-file={}", first.display()));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(host.spawn(command)?);
        Ok(())
    }

    /// Waits until its port takes connections.
    pub fn wait_for_port(&mut self, host: &Host) -> Result<Duration> {
        let waited = wait_until(START, "port 3306", || {
            let connected = host.enter(|| std::net::TcpStream::connect("127.0.0.1:3306").is_ok());
            connected.unwrap_or(false)
        });
        waited.context(|| {
            format!(
                "{}: {}",
                host.name(),
                host.read("/var/log/mysqld.log").unwrap_or_default()
            )
        })
    }

    /// True while its process runs.
    pub(super) fn is_running(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| matches!(process.ended(), Ok(None)))
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.process.as_ref().map(Proc::pid)
    }

    /// Asks it to end, as its init script does; its port closes at once.
    pub fn begin_stop(&self) -> Result<()> {
        self.process
            .as_ref()
            .map_or(Ok(()), |process| process.signal(Signal::SIGTERM))
    }

    /// Waits until it has ended.
    pub fn finish_stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.wait(START)?;
        }
        Ok(())
    }
}

/// Runs a query with the document's client and user; gives back the rows, columns between tabs.
pub(super) fn query(client: &Host, server: &str, statement: &str) -> Result<String> {
    let address = format!("-h{server}");
    let words = [
        "mysql",
        "--no-defaults",
        &address,
        "-utest",
        "-p123456",
        "--connect-timeout=3",
        "-N",
        "-B",
        "-e",
    ];
    let words: Vec<&str> = words.into_iter().chain([statement]).collect();
    let output = client
        .run(&words)?
        .stdout_if_ok(&format!("mysql {address} -e '{statement}'"))?;
    Ok(output.trim_end().to_owned())
}

/// A connection that stays open.
pub(super) struct Session {
    // Ends the client; its standard input is below.
    _process: Proc,
    input: ChildStdin,
    rows: Receiver<String>,
}

impl Session {
    pub(super) fn open(client: &Host, server: &str) -> Result<Self> {
        let mut command = Command::new("mysql");
        command.args([
            "--no-defaults",
            &format!("-h{server}"),
            "-utest",
            "-p123456",
            "-N",
            "-B",
            "-n",
        ]);
        // Else the client would connect anew and hide that the connection was lost.
        command.arg("--skip-reconnect");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut process = client.spawn(command)?;
        let pipe = || Error::new("no pipe to the mysql client");
        let input = process.stdin().ok_or_else(pipe)?;
        let output = process.stdout().ok_or_else(pipe)?;
        let (sender, rows) = channel();
        std::thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(std::io::Result::ok)
                .try_for_each(|row| sender.send(row))
        });
        Ok(Self {
            _process: process,
            input,
            rows,
        })
    }

    /// Runs a query that gives one row.
    pub(super) fn row(&mut self, statement: &str) -> Result<String> {
        writeln!(self.input, "{statement};").context(|| "the open connection".to_owned())?;
        self.rows
            .recv_timeout(Duration::from_secs(15))
            .map_err(|_| Error::new(format!("the open connection does not answer “{statement}”")))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

//! Tunnels as processes: their addresses, their processor time and their memory.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Clock ticks per second in /proc, the same on every Linux.
const TICKS_PER_SECOND: u64 = 100;

pub(crate) struct Tunnel {
    name: String,
    near: SocketAddr,
    pids: Vec<u32>,
    /// The process ends with its standard input.
    _child: Option<Child>,
}

impl Tunnel {
    /// Starts this program again, as a relay to `sink`.
    pub(crate) fn relay(kind: &str, sink: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["relay", kind, &sink.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        Self {
            name: kind.to_owned(),
            near: line.trim().parse().unwrap(),
            pids: vec![child.id()],
            _child: Some(child),
        }
    }

    /// Runs `script SINK`, which prints lines `NAME NEAR PID...` and leaves the tunnels running.
    pub(crate) fn from_script(script: &str, sink: SocketAddr) -> Vec<Self> {
        let output = Command::new(script).arg(sink.to_string()).output().unwrap();
        assert!(output.status.success(), "{script} failed");
        let lines = String::from_utf8(output.stdout).unwrap();
        let tunnel = |line: &str| {
            let mut words = line.split_whitespace();
            Self {
                name: words.next().unwrap().to_owned(),
                near: words.next().unwrap().parse().unwrap(),
                pids: words.map(|pid| pid.parse().unwrap()).collect(),
                _child: None,
            }
        };
        lines.lines().map(tunnel).collect()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn near(&self) -> SocketAddr {
        self.near
    }

    /// Processor time so far, with that of all child processes.
    pub(crate) fn cpu(&self) -> Duration {
        let stats: HashMap<u32, Vec<u64>> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid)?)))
            .collect();
        let belongs = |mut pid: u32| {
            while let Some(fields) = stats.get(&pid) {
                if self.pids.contains(&pid) {
                    return true;
                }
                pid = u32::try_from(fields[0]).unwrap();
            }
            false
        };
        let ticks: u64 = stats
            .iter()
            .filter(|(pid, _)| belongs(**pid))
            .map(|(_, fields)| fields[1..].iter().sum::<u64>())
            .sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pids[0])).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }
}

/// Parent, and times: user, system, and those of children that have ended (proc(5)).
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    [1, 11, 12, 13, 14]
        .map(|at| fields[at].parse().ok())
        .into_iter()
        .collect()
}

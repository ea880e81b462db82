//! Who holds a lease, and whether that process is provably dead.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

/// The process that holds or held the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run, as people know it.
    pub run: String,
    /// Name of the machine or container.
    pub host: String,
    /// When the lease was taken (RFC 3339), by the holder's clock: for people, never for decisions (rule 6).
    pub since: String,
    /// Id of this boot of the machine (Linux).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_id: Option<String>,
    /// The namespace in which `pid` means something (Linux): containers on one machine share its boot id and may
    /// share its name, and each has a process 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<String>,
    pid: u32,
    /// Start of the process in clock ticks since boot (Linux), because pids are used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_start: Option<u64>,
    /// Tells apart two takings by one process.
    nonce: u64,
}

/// What is stored in a lease commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    pub(super) holder: Holder,
    /// Whether the holder gave it back.
    pub(super) released: bool,
    /// Grows with every renewal.
    pub(super) sequence: u64,
}

impl Holder {
    /// This process.
    pub(super) fn this_process(run: &str) -> Self {
        let pid = std::process::id();
        Self {
            run: run.to_owned(),
            host: host(),
            since: Timestamp::now().round(Unit::Second).unwrap_or_default().to_string(),
            boot_id: boot_id(),
            pid_namespace: pid_namespace(),
            pid,
            pid_start: process(pid).map(|process| process.start),
            nonce: RandomState::new().build_hasher().finish(),
        }
    }

    /// Whether the process is dead beyond doubt: it ran on this boot of this machine, in our pid namespace, and
    /// its pid is free or somebody else's. Never on systems other than Linux.
    pub(super) fn is_dead(&self) -> bool {
        let here = self.host == host()
            && self.boot_id.is_some()
            && self.boot_id == boot_id()
            && self.pid_namespace.is_some()
            && self.pid_namespace == pid_namespace();
        let Some(start) = self.pid_start.filter(|_| here) else { return false };
        match process(self.pid) {
            Some(process) => process.start != start || process.ended,
            // With `hidepid` other users' processes are not to be seen, so not seeing it proves nothing.
            None => is_free(self.pid),
        }
    }
}

/// A process as `/proc/<pid>/stat` shows it.
struct Process {
    start: u64,
    /// It is a zombie: nothing of it runs.
    ended: bool,
}

fn process(pid: u32) -> Option<Process> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `pid (name) state …`, see proc_pid_stat(5): state is field 3, num_threads 20, starttime 22. The name may
/// hold spaces and brackets.
fn parse_stat(stat: &str) -> Option<Process> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let threads: u64 = fields.nth(16)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    // A first thread that ended is a zombie while other threads still run.
    let ended = matches!(state, "Z" | "X") && threads <= 1;
    Some(Process { start, ended })
}

#[cfg(target_os = "linux")]
fn is_free(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

#[cfg(not(target_os = "linux"))]
fn is_free(_: u32) -> bool {
    false
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    "unknown".to_owned()
}

fn boot_id() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

fn pid_namespace() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// A holder that is a child process of ours.
    fn child_holder(child: &std::process::Child) -> Holder {
        let pid = child.id();
        Holder {
            pid,
            pid_start: process(pid).map(|process| process.start),
            ..Holder::this_process("run")
        }
    }

    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn a_living_process_is_not_dead() {
        assert!(!Holder::this_process("run").is_dead());
        let mut child = sleeper();
        assert!(!child_holder(&child).is_dead());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_killed_process_is_dead_even_before_it_is_waited_for() {
        let mut child = sleeper();
        let holder = child_holder(&child);
        child.kill().unwrap();
        // Killing is not instant.
        for _ in 0..200 {
            if holder.is_dead() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(holder.is_dead(), "a zombie runs nothing");
        child.wait().unwrap();
        assert!(holder.is_dead());
    }

    #[test]
    fn a_pid_that_another_process_has_now_is_a_dead_holder() {
        let mut holder = Holder::this_process("run");
        holder.pid_start = holder.pid_start.map(|start| start - 1);
        assert!(holder.is_dead());
    }

    #[test]
    fn nothing_is_proved_about_another_machine_boot_or_container() {
        let dead = Holder { pid_start: Some(1), ..Holder::this_process("run") };
        assert!(dead.is_dead());
        assert!(!Holder { host: "elsewhere".to_owned(), ..dead.clone() }.is_dead());
        assert!(!Holder { boot_id: Some("another".to_owned()), ..dead.clone() }.is_dead());
        assert!(!Holder { boot_id: None, ..dead.clone() }.is_dead());
        assert!(!Holder { pid_namespace: Some("pid:[1]".to_owned()), ..dead.clone() }.is_dead());
        assert!(!Holder { pid_namespace: None, ..dead.clone() }.is_dead());
        assert!(!Holder { pid_start: None, ..dead }.is_dead());
    }

    #[test]
    fn names_with_brackets_do_not_confuse_the_process_table() {
        let tail = "1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        let live = parse_stat(&format!("5 (a) b (c) S 1 {tail}")).unwrap();
        assert_eq!((live.start, live.ended), (777, false));
        assert!(parse_stat(&format!("5 (x) Z 1 {tail}")).unwrap().ended);
        assert!(parse_stat("5 (x").is_none());
    }
}

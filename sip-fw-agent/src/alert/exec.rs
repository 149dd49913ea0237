//! An alert to a program of the operator's, one at a time: the event's JSON on its standard input, its keys as variables.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use sip_fw_core::duration::Short;

use super::channel::{Channel, Patience, Trouble};
use super::message::Alert;
use crate::config::ExecRules;
use crate::report::variable;

/// Nothing of the agent's own environment is handed on.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between two looks at a running hook.
const LOOK: Duration = Duration::from_millis(20);

/// The program.
pub struct Exec {
    rules: ExecRules,
}

impl Exec {
    /// By the rules of an `[[exec]]`.
    pub fn new(rules: &ExecRules) -> Self {
        Self { rules: rules.clone() }
    }

    /// Starts it as the first of a process group, so that its own children can be ended with it.
    fn spawn(&self, alert: &Alert) -> io::Result<Child> {
        let variables = alert.fields().into_iter().map(|(key, text)| (variable(&key), text));
        Command::new(&self.rules.program)
            .args(&self.rules.arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", PATH)
            .envs(variables)
            .stdin(readable(&alert.json())?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }

    fn wait(&self, child: &mut Child, patience: &Patience<'_>) -> io::Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() >= self.rules.timeout || patience.is_over() {
                kill(child)?;
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }
}

impl Channel for Exec {
    /// What a hook did before it failed may be half done: it is not run again for the same alert.
    fn deliver(&mut self, alert: &Alert, patience: &Patience<'_>) -> Result<(), Trouble> {
        let program = self.rules.program.display();
        let fails = |error: io::Error| Trouble::for_good(format!("{program}: {error}"));
        let mut child = self.spawn(alert).map_err(fails)?;
        match self.wait(&mut child, patience).map_err(fails)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Trouble::for_good(format!("{program} ended with {status}"))),
            None => {
                let timeout = Short(self.rules.timeout);
                Err(Trouble::for_good(format!("{program} did not end within {timeout} and was killed")))
            }
        }
    }
}

/// A file in memory, not a pipe: writing to it never waits for a hook that does not read.
fn readable(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("event", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Ends a hook with everything it started that is still in its group. It was not waited for yet, so its number is its own.
fn kill(child: &mut Child) -> io::Result<()> {
    if let Ok(pid) = i32::try_from(child.id()) {
        killpg(Pid::from_raw(pid), Signal::SIGKILL)?;
    }
    child.wait().map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use super::super::message::tests::ban;
    use super::super::sink::Sink;
    use super::super::sink::tests::{HURRY, all, view_when, wait_for};
    use super::*;

    fn start(script: &str, timeout: Duration) -> Sink {
        let arguments = vec!["-c".to_owned(), script.to_owned(), "hook".to_owned(), "a b".to_owned()];
        let rules =
            ExecRules { name: "h".to_owned(), program: "/bin/sh".into(), arguments, selection: all(100), timeout };
        Sink::start("exec", "h", &all(100), Exec::new(&rules), HURRY)
    }

    fn file(name: &str) -> PathBuf {
        env::temp_dir().join(format!("sip-fw-exec-{name}-{}", std::process::id()))
    }

    fn is_alive(pid: &str) -> bool {
        Path::new("/proc").join(pid.trim()).exists()
    }

    #[test]
    fn a_hook_gets_the_event() {
        let file = file("event");
        let script = format!("(cat; echo; pwd; echo \"$1\"; env | sort) > {0}.new && mv {0}.new {0}", file.display());
        let sink = start(&script, Duration::from_secs(10));
        sink.tell(&ban("$(id)", 0).record);
        view_when(&sink, |view| view.sent == 1);
        let said = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let expected = format!(
            "{}\n/\na b\nPATH={PATH}\nPWD=/\nSIP_FW_EVENT=ban\nSIP_FW_REASON=5 auth failures within 10m\n\
             SIP_FW_SOURCE=203.0.113.9\nSIP_FW_TIME=2026-11-22T03:50:00.123Z\nSIP_FW_UNTIL=2026-11-22T03:51:00.123Z\n\
             SIP_FW_USER=$(id)\n",
            ban("$(id)", 0).json()
        );
        let said: Vec<_> = said.lines().filter(|line| !line.starts_with("_=")).collect();
        assert_eq!(said, expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_hook_that_hangs_is_killed_with_its_children() {
        let file = file("pids");
        let script = format!("sleep 1000 & echo $! $$ > {0}.new; mv {0}.new {0}; wait", file.display());
        let mut sink = start(&script, Duration::from_millis(200));
        sink.tell(&ban("1000", 0).record);
        let view = view_when(&sink, |view| view.dropped == 1);
        assert_eq!(view.last_error.as_deref(), Some("/bin/sh did not end within 0s and was killed"));
        let pids = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        wait_for("both to be gone", || !pids.split(' ').any(is_alive));
        sink.close();
        sink.wait_until(Instant::now() + Duration::from_secs(10));
    }

    #[test]
    fn the_end_does_not_wait_for_a_hook() {
        let file = file("end");
        let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display());
        let mut sink = start(&script, Duration::from_secs(1000));
        sink.tell(&ban("1000", 0).record);
        wait_for("the hook to run", || file.exists());
        let began = Instant::now();
        sink.close();
        sink.wait_until(began + Duration::from_secs(10));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert!(!is_alive(&fs::read_to_string(&file).unwrap()));
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn failures_are_not_repeated() {
        for (script, error) in
            [("exit 3", "/bin/sh ended with exit status: 3"), ("kill -9 $$", "/bin/sh ended with signal: 9 (SIGKILL)")]
        {
            let sink = start(script, Duration::from_secs(10));
            sink.tell(&ban("1000", 0).record);
            let view = view_when(&sink, |view| view.dropped == 1);
            assert_eq!((view.state.as_str(), view.last_error.as_deref()), ("failing", Some(error)));
        }
    }
}

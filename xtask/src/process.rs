//! Runs other programs: guarded (they end when xtask does), streamed, logged or captured.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A command that gets SIGTERM when xtask dies. (A Ctrl-C at the terminal reaches the children anyway.)
pub fn guarded(program: impl AsRef<OsStr>) -> Command {
    guarded_by("TERM", program.as_ref())
}

/// A command that gets SIGKILL when xtask dies, for programs that do not heed SIGTERM.
pub fn killed_with_us(program: impl AsRef<OsStr>) -> Command {
    guarded_by("KILL", program.as_ref())
}

fn guarded_by(signal: &str, program: &OsStr) -> Command {
    match which("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", signal]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Runs it with its output going where ours goes.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs it with its output going to a log file; a failure shows the log's last lines.
pub fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default().join("\n    ");
        bail!("{} failed ({status})\n    {tail}\n  the whole log: {}", shown(command), log.display());
    }
    Ok(())
}

const LOG_TAIL_LINES: usize = 12;

/// Runs it, passes its stdout on to `out` line by line, and shows each line to `look`. True if it succeeded.
pub fn run_watched(command: &mut Command, out: &mut impl Write, mut look: impl FnMut(&str)) -> Result<bool> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {}", shown(command)))?;
    let pipe = child.stdout.take().context("the child has no stdout")?;
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        // Should our own reader be gone, the tests still run to their end.
        let _ = out.write_all(&line);
        look(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Runs it and returns what it printed; its stderr is part of the error when it fails.
pub fn stdout_of(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({})\n{}", shown(command), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program's path, if it is installed. Looks in the system folders even when PATH (as in some `su` shells) lacks them.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// The command as one would type it, less the guard.
pub fn shown(command: &Command) -> String {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words = match words.as_slice() {
        [guard, flag, _, rest @ ..] if guard.ends_with("setpriv") && flag == "--pdeathsig" => rest,
        all => all,
    };
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_without_its_guard() {
        let mut command = guarded("cargo");
        command.args(["build", "--release"]);
        assert_eq!(shown(&command), "cargo build --release");
    }

    #[test]
    fn every_line_of_a_watched_command_is_seen() {
        let (mut out, mut seen) = (Vec::new(), Vec::new());
        let mut command = Command::new("sh");
        command.args(["-c", "echo a; printf b; exit 3"]);
        let ok = run_watched(&mut command, &mut out, |line| seen.push(line.to_owned()));
        assert!(!ok.unwrap());
        assert_eq!(seen, ["a", "b"]);
        assert_eq!(out, b"a\nb");
    }

    #[test]
    fn a_failure_carries_what_was_printed_on_stderr() {
        let error = stdout_of(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
    }
}

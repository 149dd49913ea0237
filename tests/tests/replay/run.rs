//! Runs the verb.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sip_fw_e2e::require_agent;

pub const PBX: [&str; 4] = ["10.98.1.1", "10.98.2.1", "fd98:1::1", "fd98:2::1"];

/// What it did.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The summary of `--json`.
    pub fn summary(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_else(|| panic!("no output: {}", self.stderr));
        serde_json::from_str::<Value>(last).unwrap()["summary"].clone()
    }

    /// The decisions, without the summary.
    pub fn decisions(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.stdout.lines().map(str::to_owned).collect();
        lines.pop();
        lines
    }
}

/// Runs `sip-fw replay FILE --json` with more arguments, without scanner signatures unless these name a configuration: most
/// guessers of the captures would not get beyond theirs. None where there is no binary and that is allowed.
pub fn replay<S: AsRef<str>>(file: &Path, local: &[S], more: &[&str]) -> Option<Outcome> {
    let mut command = Command::new(require_agent()?);
    command.arg("replay").arg(file).arg("--json").args(more);
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "interfaces = [\"lo\"]\n[scanners]\nlist = \"none\"\n").unwrap();
    if !more.contains(&"--config") {
        command.arg("--config").arg(config.path());
    }
    for address in local {
        command.args(["--local", address.as_ref()]);
    }
    let output = command.output().unwrap();
    Some(Outcome {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    })
}

/// A capture of the repository.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures").join(name)
}

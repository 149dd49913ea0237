//! Debian packages: which are installed, which can be had, and installing them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process;
use crate::steps::Steps;

/// The packages among ours that are a daemon, each named as its unit.
const DAEMONS: [&str; 2] = ["kamailio", "fail2ban"];

/// Which of these packages are not installed, in the order given.
pub fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    // It fails when a package is unknown and still reports the others.
    let output = Command::new("dpkg-query")
        .args(["-W", "-f=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .context("cannot run dpkg-query")?;
    let installed = parse_installed(&String::from_utf8_lossy(&output.stdout));
    Ok(packages.iter().copied().filter(|package| !installed.contains(*package)).collect())
}

/// Which of these packages the package lists offer (after [`update`]).
pub fn available<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let text = process::stdout_of(Command::new("apt-cache").arg("policy").args(packages))?;
    let offered = parse_candidates(&text);
    Ok(packages.iter().copied().filter(|package| offered.contains(*package)).collect())
}

/// Fetches the package lists.
pub fn update(steps: &mut Steps, logs: &Path) -> Result<()> {
    steps.quiet("apt-get update", |_| {
        process::run_logged(Command::new("apt-get").arg("update"), &logs.join("apt-get-update.log"))
    })
}

/// Installs packages; refuses to remove any. Their services are not left running.
pub fn install(steps: &mut Steps, logs: &Path, packages: &[&str]) -> Result<()> {
    let name = format!("apt-get install {}", packages.join(" "));
    steps.quiet(&name, |_| {
        // Unguarded: a half-configured package is worse than an apt-get that outlives us.
        process::run_logged(&mut install_command(packages), &logs.join("apt-get-install.log"))
    })?;
    // With systemd, Debian starts a daemon as it is installed. Tests and benchmarks start their own, in namespaces.
    if Path::new("/run/systemd/system").exists() {
        for daemon in DAEMONS.into_iter().filter(|daemon| packages.contains(daemon)) {
            steps.quiet(&format!("systemctl disable --now {daemon} (the package has just started it)"), |_| {
                process::run_logged(
                    Command::new("systemctl").args(["disable", "--now", daemon]),
                    &logs.join("systemctl.log"),
                )
            })?;
        }
    }
    Ok(())
}

/// The words to type for [`install`].
pub fn install_words(packages: &[&str]) -> String {
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

/// The Debian mirror that this machine uses, so that no mirror is named in our files.
pub fn mirror() -> Option<String> {
    let mut files = vec!["/etc/apt/sources.list".into()];
    let mut parts: Vec<_> = fs::read_dir("/etc/apt/sources.list.d").ok()?.flatten().map(|entry| entry.path()).collect();
    parts.sort();
    files.extend(parts);
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "list" || end == "sources"))
        .find_map(|path| parse_mirror(&fs::read_to_string(path).ok()?))
}

fn install_command(packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(["install", "--yes", "--no-install-recommends", "--no-remove"]).args(packages);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn parse_installed(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, status)| status.trim() == "installed")
        .map(|(package, _)| package.to_owned())
        .collect()
}

fn parse_candidates(text: &str) -> BTreeSet<String> {
    let mut package = None;
    let mut offered = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            package = Some(name);
        } else if let (Some(candidate), Some(name)) = (line.trim().strip_prefix("Candidate: "), package)
            && candidate != "(none)"
        {
            offered.insert(name.to_owned());
        }
    }
    offered
}

/// The first archive address in a sources file of either format; those of security updates hold no whole suite.
fn parse_mirror(text: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            match words.next()? {
                "URIs:" => words.next(),
                // deb [option=value …] address suite component …
                "deb" => words.find(|word| word.contains("://")),
                _ => None,
            }
        })
        .find(|address| !address.contains("security"))
        .map(|address| address.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_packages_count_as_installed() {
        let text = "rustc-web installed\nkamailio config-files\nhping3 half-configured\niproute2 installed\n";
        let installed = parse_installed(text);
        assert_eq!(installed.into_iter().collect::<Vec<_>>(), ["iproute2", "rustc-web"]);
    }

    #[test]
    fn a_package_without_a_candidate_cannot_be_had() {
        let text = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0\n  Version table:\n     1.96.0 500\n\
                    old-thing:\n  Installed: 1\n  Candidate: (none)\n";
        assert_eq!(parse_candidates(text).into_iter().collect::<Vec<_>>(), ["rustc-web"]);
    }

    #[test]
    fn mirrors_are_read_from_both_formats() {
        let deb822 = "Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\n";
        assert_eq!(parse_mirror(deb822).as_deref(), Some("http://mirror.example/debian"));
        let list = "# deb http://commented.example/debian x main\n\
                    deb http://mirror.example/debian-security bookworm-security main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main\n";
        assert_eq!(parse_mirror(list).as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(parse_mirror("Types: deb\n"), None);
    }
}

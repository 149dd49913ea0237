//! Packages of other Debian suites, by an apt of their own on this machine's mirror: the machine's apt is not touched, and
//! nothing is installed, only unpacked.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::host::{Host, Release};
use crate::process;

/// Where kernels are looked for, from the oldest to the newest.
const SUITES: [&str; 5] = ["bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports"];
/// The suite of everything that is no kernel.
const BASE: &str = "bookworm";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The package lists of all suites.
pub struct Suites {
    folder: PathBuf,
    config: PathBuf,
}

impl Suites {
    /// An apt that lives in this folder; knows what an earlier run fetched, if anything.
    pub fn open(folder: &Path) -> Result<Self> {
        match Host::detect() {
            Host::Debian(release) if release.id == "debian" && ARCH == "x86_64" => {}
            Host::Debian(Release { pretty_name: name, .. }) | Host::Unknown(name) => {
                bail!("kernels are taken from Debian's packages: run it on Debian on x86_64, not on {name} on {ARCH}")
            }
        }
        let mirror = apt::mirror().context("no Debian mirror in the package sources of this machine")?;
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let sources = SUITES.map(|suite| format!("deb [signed-by={KEYS} target=Packages] {mirror} {suite} main\n"));
        let suites = Self { folder: folder.to_owned(), config: folder.join("apt.conf") };
        fs::write(folder.join("sources.list"), sources.concat())?;
        // Nothing counts as installed: packages come with all they depend on, whatever this machine has.
        fs::write(folder.join("status"), "")?;
        fs::write(&suites.config, configuration(folder))?;
        Ok(suites)
    }

    /// Fetches the package lists. An error leaves what could be fetched, and what an earlier run did.
    pub fn update(&self) -> Result<()> {
        process::run_logged(self.apt("apt-get").arg("update"), &self.folder.join("update.log"))
    }

    /// The newest kernel of a series (such as 6.1) for virtual machines, the smallest there is; None if no suite has one.
    pub fn kernel(&self, series: &str) -> Result<Option<String>> {
        let names = process::stdout_of(self.apt("apt-cache").args(["pkgnames", &format!("linux-image-{series}.")]))?;
        Ok(newest(&names))
    }

    /// Unpacks a package alone, unless it is there.
    pub fn unpack(&self, package: &str, into: &Path) -> Result<()> {
        self.unpack_by(into, |apt, debs| {
            apt.args(["download", package]).current_dir(debs);
        })
    }

    /// Unpacks packages with all they depend on, unless they are there.
    pub fn unpack_whole(&self, packages: &[&str], into: &Path) -> Result<()> {
        self.unpack_by(into, |apt, debs| {
            apt.args(["install", "--download-only", "--yes", "--no-install-recommends", "--target-release", BASE]);
            apt.arg("-o").arg(format!("Dir::Cache::archives={}", debs.display())).args(packages);
        })
    }

    /// A run that is cut short leaves nothing that a later one takes for whole.
    fn unpack_by(&self, into: &Path, fetch: impl FnOnce(&mut Command, &Path)) -> Result<()> {
        if into.is_dir() {
            return Ok(());
        }
        let (debs, partial) = (into.with_extension("debs"), into.with_extension("partial"));
        for folder in [&debs, &partial] {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        fs::create_dir_all(debs.join("partial"))?;
        let mut apt = self.apt("apt-get");
        fetch(&mut apt, &debs);
        process::run_logged(&mut apt, &self.folder.join("fetch.log"))?;
        for deb in files(&debs)?.iter().filter(|file| file.extension().is_some_and(|end| end == "deb")) {
            let mut dpkg = process::guarded("dpkg");
            process::run_logged(dpkg.arg("-x").args([deb, &partial]), &self.folder.join("unpack.log"))?;
        }
        fs::remove_dir_all(&debs)?;
        fs::rename(&partial, into).with_context(|| format!("apt-get fetched nothing for {}", into.display()))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = process::guarded(program);
        command.env("APT_CONFIG", &self.config);
        command
    }
}

/// The files of a folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    Ok(entries.collect::<std::io::Result<Vec<_>>>()?.into_iter().map(|entry| entry.path()).collect())
}

/// The user `_apt` may not be able to reach our folder, so apt stays root.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Dir::State \"{folder}/state\";\nDir::State::status \"{folder}/status\";\nDir::Cache \"{folder}/cache\";\n\
         Dir::Etc::SourceList \"{folder}/sources.list\";\nDir::Etc::SourceParts \"/dev/null\";\n\
         Acquire::Languages \"none\";\nAPT::Sandbox::User \"root\";\n"
    )
}

fn newest(names: &str) -> Option<String> {
    let signed = |name: &&str| name.ends_with("-cloud-amd64");
    names.lines().map(str::trim).filter(signed).max_by_key(|name| numbers(name)).map(str::to_owned)
}

/// The numbers in a name, in order: what versions are compared by.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_series() {
        let names = "linux-image-6.12.9+deb12-cloud-amd64\nlinux-image-6.12.117+deb13-cloud-amd64\n\
                     linux-image-6.12.117+deb13-cloud-amd64-unsigned\nlinux-image-6.12.117+deb13-rt-amd64\n\
                     linux-image-6.12.95+deb12-cloud-amd64\n";
        assert_eq!(newest(names).as_deref(), Some("linux-image-6.12.117+deb13-cloud-amd64"));
        assert_eq!(newest("linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-50-cloud-amd64\n").unwrap().len(), 32);
        assert_eq!(newest("linux-image-6.1.0-9-amd64\n"), None);
    }
}

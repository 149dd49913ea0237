//! The disk in memory that a machine boots with: busybox, ip, sip-fw, its demo, the tests of the kernel programs and their data.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::replay::{self, CAPTURES};
use super::{machine, suites};
use crate::process;
use crate::workspace::Workspace;

const INIT: &str = include_str!("init.sh");

/// What the demo's network needs beyond the kernel itself, each after those that it needs.
const MODULES: [&str; 6] = ["llc", "stp", "bridge", "veth", "sch_ingress", "cls_bpf"];

/// What `run` protects.
const CONFIGURATION: &str = "interfaces = [\"guarded0\"]\nmode = \"enforce\"\n\n[[service]]\nname = \"sip\"\n\
                             kind = \"sip\"\nlisten = [\"udp/5060\", \"tcp/5060\"]\n";

/// What goes onto every disk.
pub struct Contents<'a> {
    /// The repository, whose test data the tests read where they were built.
    pub workspace: &'a Workspace,
    /// A program without libraries that is many programs.
    pub busybox: PathBuf,
    /// The tests of the kernel programs.
    pub tests: PathBuf,
    /// Names of tests, or parts of them; all tests if empty.
    pub filters: &'a [&'a str],
    /// How many times longer than on a real machine the demo may wait.
    pub slower: u32,
}

impl Contents<'_> {
    /// Makes the disk for the kernel of a package, in `folder`.
    pub fn write(&self, folder: &Path, package: &Path) -> Result<PathBuf> {
        let root = folder.join("disk");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        for name in ["bin", "proc", "sys", "dev", "tmp", "run", "modules"] {
            fs::create_dir_all(root.join(name))?;
        }
        fs::copy(&self.busybox, root.join("bin/busybox"))?;
        let release = self.workspace.target.join("release");
        let ip = process::which("ip").context("no ip here; the package iproute2 has it")?;
        copy_program(&root, &ip, "ip")?;
        copy_program(&root, &release.join("sip-fw"), "sip-fw")?;
        copy_program(&root, &release.join("sip-fw-demo"), "sip-fw-demo")?;
        copy_program(&root, &self.tests, "kernel-tests")?;
        let data = self.workspace.root.join("tests/data");
        let log = folder.join("disk.log");
        process::run_logged(Command::new("cp").args(["--recursive", "--parents"]).args([&data, &root]), &log)?;
        let modules = self.copy_modules(&root, package, &log)?;
        fs::write(root.join("sip-fw.toml"), CONFIGURATION)?;
        fs::write(root.join("plan"), self.plan(&data, &modules))?;
        for (name, script) in [("init", INIT), ("probe", machine::PROBE)] {
            fs::write(root.join(name), script)?;
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o755))?;
        }
        self.pack(&root, &folder.join("disk.cpio"), &log)
    }

    /// Shell variables for the first process.
    fn plan(&self, data: &Path, modules: &[&str]) -> String {
        let words = [
            ("DATA", data.display().to_string()),
            ("MODULES", modules.join(" ")),
            ("CAPTURES", CAPTURES.join(" ")),
            ("REPLAY", replay::arguments().collect::<Vec<_>>().join(" ")),
            ("TESTS", self.filters.join(" ")),
        ];
        let mut plan: String = words.iter().map(|(name, words)| format!("{name}='{words}'\n")).collect();
        plan.push_str(&format!("export SIP_FW_SLOWER={}\n", self.slower));
        plan
    }

    /// The modules that are not part of the kernel itself, by name, unpacked where they are compressed.
    fn copy_modules(&self, root: &Path, package: &Path, log: &Path) -> Result<Vec<&'static str>> {
        let mut found = Vec::new();
        for name in MODULES {
            let wanted = [format!("{name}.ko"), format!("{name}.ko.xz")];
            let is_it = |path: &Path| wanted.iter().any(|wanted| path.ends_with(wanted));
            let Some(file) = find(package, &is_it)? else { continue };
            let to = root.join("modules").join(file.file_name().unwrap_or_default());
            fs::copy(&file, &to)?;
            if to.extension().is_some_and(|end| end == "xz") {
                process::run_logged(Command::new(&self.busybox).arg("unxz").arg(&to), log)?;
            }
            found.push(name);
        }
        Ok(found)
    }

    fn pack(&self, root: &Path, disk: &Path, log: &Path) -> Result<PathBuf> {
        let mut pack = Command::new("sh");
        pack.args(["-c", "find . | \"$1\" cpio -o -H newc > \"$2\"", "sh"]).args([&self.busybox, disk]);
        process::run_logged(pack.current_dir(root), log)?;
        Ok(disk.to_owned())
    }
}

/// A program with the libraries that it is linked to.
fn copy_program(root: &Path, program: &Path, name: &str) -> Result<()> {
    fs::copy(program, root.join("bin").join(name)).with_context(|| program.display().to_string())?;
    let libraries = process::stdout_of(Command::new("ldd").arg(program))?;
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap_or(root))?;
        fs::copy(library, to)?;
    }
    Ok(())
}

fn find(folder: &Path, is_it: &impl Fn(&Path) -> bool) -> Result<Option<PathBuf>> {
    for path in suites::files(folder)? {
        if is_it(&path) {
            return Ok(Some(path));
        }
        if path.is_dir()
            && !path.is_symlink()
            && let Some(found) = find(&path, is_it)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

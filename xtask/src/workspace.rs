//! Where the project lies, where cargo builds to, and what `cargo metadata` says of both.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::process;

/// The two folders that everything here starts from.
pub struct Workspace {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target folder, which may lie elsewhere.
    pub target: PathBuf,
}

/// The part of `cargo metadata` that xtask reads.
#[derive(Deserialize)]
pub struct Metadata {
    /// Members first to last, then (unless `--no-deps`) everything they depend on.
    pub packages: Vec<Package>,
    /// Ids of the members.
    pub workspace_members: Vec<String>,
    target_directory: PathBuf,
}

/// One package.
#[derive(Clone, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Cargo's own id for it.
    pub id: String,
    /// SPDX expression.
    pub license: Option<String>,
    /// What its manifest asks for.
    pub dependencies: Vec<Dependency>,
    /// Features and what each switches on.
    #[serde(default)]
    pub features: std::collections::BTreeMap<String, Vec<String>>,
}

/// One dependency in a manifest.
#[derive(Clone, Deserialize)]
pub struct Dependency {
    /// The package depended on.
    pub name: String,
    /// `None` for a normal one, else "dev" or "build".
    pub kind: Option<String>,
    /// Only with a feature.
    pub optional: bool,
}

impl Workspace {
    /// Finds the workspace that this xtask belongs to.
    pub fn open() -> Result<Self> {
        // `cargo run` sets it; the compile-time value serves a binary that is run by hand.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).join("..").canonicalize().context("xtask's own folder is gone")?;
        let metadata: Metadata = metadata(&root, &["--no-deps"])?;
        Ok(Self { root, target: metadata.target_directory })
    }

    /// A cargo command in the workspace, building into its target folder.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = process::guarded(cargo_program());
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// `cargo metadata` of the members, with their dependencies unless `--no-deps` is among the arguments.
    pub fn metadata(&self, arguments: &[&str]) -> Result<Metadata> {
        metadata(&self.root, arguments)
    }

    /// The triple of this host.
    pub fn host(&self) -> Result<String> {
        let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let said = process::stdout_of(command.arg("-vV").current_dir(&self.root))?;
        let host = said.lines().find_map(|line| line.strip_prefix("host: "));
        host.map(str::to_owned).context("rustc -vV names no host")
    }

    /// The release build of `sip-fw`.
    pub fn agent_binary(&self) -> PathBuf {
        self.target.join("release/sip-fw")
    }
}

impl Metadata {
    /// The workspace's own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// The cargo that runs this xtask.
pub fn cargo_program() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn metadata<T: DeserializeOwned>(root: &Path, arguments: &[&str]) -> Result<T> {
    let mut command = Command::new(cargo_program());
    command.current_dir(root).args(["metadata", "--format-version", "1"]).args(arguments);
    serde_json::from_str(&process::stdout_of(&mut command)?).context("cargo metadata is not what xtask expects")
}

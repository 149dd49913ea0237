//! Finds what the kernel programs are built with: a BPF-capable rustc, and a bpf-linker of the same LLVM major.
//!
//! Compiled twice, here and into `sip-fw-agent/build.rs`, so that `cargo xtask setup` and `cargo build` always agree.
//! Hence std only, and nothing that only one of the two uses.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Written by `cargo xtask setup` into the target folder.
pub const TOOLCHAIN_FILE: &str = "sip-fw-toolchain.toml";
/// Names the compiler; goes with [`LINKER_ENV`], and both win over everything else.
pub const RUSTC_ENV: &str = "SIP_FW_BPF_RUSTC";
/// Names the linker.
pub const LINKER_ENV: &str = "SIP_FW_BPF_LINKER";
/// Older linkers were never tried with this project.
const LINKER_MINIMUM: (u32, u32) = (0, 13);

/// A compiler and a linker that fit together.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The compiler.
    pub compiler: Compiler,
    /// The linker.
    pub linker: PathBuf,
}

/// A rustc that can build for the BPF target.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Its path.
    pub rustc: PathBuf,
    /// The major version of its LLVM: the linker's must be the same.
    pub llvm: u32,
    /// Where `core` for the BPF target comes from.
    pub core: CoreLibrary,
}

/// Where `core` for the BPF target comes from.
#[derive(Clone, Debug)]
pub enum CoreLibrary {
    /// Ready-made beside the compiler, as Debian packages it.
    Prebuilt,
    /// Built by this nightly cargo from the component rust-src.
    Source {
        /// The cargo of the same toolchain.
        cargo: PathBuf,
    },
}

impl Toolchain {
    /// A cargo command (`build`, `clippy` …) for the BPF target, free of what an outer build set for the host.
    pub fn command(&self, cargo: &Path, verb: &str, target: &str) -> Command {
        let mut command = Command::new(cargo);
        for (name, _) in env::vars_os().filter(|(name, _)| belongs_to_outer_build(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.args([verb, "--release", "--package", "sip-fw-ebpf", "--target", target]);
        match self.compiler.core {
            // Assembler for BPF is an unstable feature: a stable compiler allows it to the crates named here.
            CoreLibrary::Prebuilt => command.env("RUSTC_BOOTSTRAP", "aya_ebpf,sip_fw_ebpf"),
            CoreLibrary::Source { .. } => command.args(["-Z", "build-std=core"]),
        };
        let mut flags = OsString::from("-Cdebuginfo=2\x1f-Ctarget-cpu=v3\x1f-Clink-arg=--btf\x1f-Clinker=");
        flags.push(&self.linker);
        command.env("CARGO_ENCODED_RUSTFLAGS", flags).env("RUSTC", &self.compiler.rustc);
        command
    }

    /// The cargo that goes with the compiler: its own, or `outer` when there is none beside it.
    pub fn cargo(&self, outer: PathBuf) -> PathBuf {
        match &self.compiler.core {
            CoreLibrary::Prebuilt => outer,
            CoreLibrary::Source { cargo } => cargo.clone(),
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compiler { rustc, llvm, core } = &self.compiler;
        let core = match core {
            CoreLibrary::Prebuilt => "prebuilt core",
            CoreLibrary::Source { .. } => "core from rust-src",
        };
        write!(f, "{} (LLVM {llvm}, {core}), {}", rustc.display(), self.linker.display())
    }
}

/// The toolchain to use: from the environment, else from the toolchain file in one of the target folders, else from
/// the usual places. The error says what is missing, one fault per line.
pub fn find(target_folders: &[PathBuf]) -> Result<Toolchain, String> {
    match (env::var_os(RUSTC_ENV), env::var_os(LINKER_ENV)) {
        (Some(rustc), Some(linker)) => return pair(Path::new(&rustc), Path::new(&linker)),
        (None, None) => {}
        (Some(_), None) => {
            return Err(format!("{RUSTC_ENV} is set but {LINKER_ENV} is not: set both or neither"));
        }
        (None, Some(_)) => {
            return Err(format!("{LINKER_ENV} is set but {RUSTC_ENV} is not: set both or neither"));
        }
    }
    for folder in target_folders {
        let Ok(text) = fs::read_to_string(folder.join(TOOLCHAIN_FILE)) else {
            continue;
        };
        if let (Some(rustc), Some(linker)) = (value_of(&text, "rustc"), value_of(&text, "linker"))
            && let Ok(found) = pair(Path::new(rustc), Path::new(linker))
        {
            return Ok(found);
        }
    }
    probe(target_folders)
}

/// Every compiler in the usual places that can build for BPF: rustup nightlies with rust-src first, then the system's.
pub fn compilers() -> Vec<Compiler> {
    let mut paths = Vec::new();
    let toolchains = env::var_os("RUSTUP_HOME").map(PathBuf::from).or_else(|| home_folder(".rustup"));
    if let Some(Ok(entries)) = toolchains.map(|home| fs::read_dir(home.join("toolchains"))) {
        let mut nightlies: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("nightly"))
            .map(|entry| entry.path().join("bin/rustc"))
            .collect();
        nightlies.sort();
        paths.extend(nightlies);
    }
    paths.push(PathBuf::from("/usr/bin/rustc"));
    paths.iter().filter(|path| path.exists()).filter_map(|path| inspect(path).ok()).collect()
}

/// The major version of the LLVM that this linker loads, or an error if it is no bpf-linker that runs here.
/// `None` when it is linked statically: then only a build can tell.
pub fn linker_llvm(linker: &Path) -> Result<Option<u32>, String> {
    let version = stdout_of(Command::new(linker).arg("--version"))
        .map_err(|why| format!("{} does not run: {why}", linker.display()))?;
    if parse_linker_version(&version).is_none_or(|found| found < LINKER_MINIMUM) {
        let (major, minor) = LINKER_MINIMUM;
        return Err(format!(
            "{} is `{}`, needed is {major}.{minor} or later",
            linker.display(),
            version.lines().next().unwrap_or_default()
        ));
    }
    let libraries = stdout_of(Command::new("ldd").arg(linker)).unwrap_or_default();
    Ok(parse_llvm_library(&libraries))
}

fn probe(target_folders: &[PathBuf]) -> Result<Toolchain, String> {
    let compilers = compilers();
    if compilers.is_empty() {
        return Err("no Rust compiler with the library `core` for the BPF target \
                    (neither a system rustc with it nor a rustup nightly with rust-src)"
            .to_owned());
    }
    let mut faults = Vec::new();
    let linkers = linkers(target_folders);
    if linkers.is_empty() {
        faults.push("no bpf-linker".to_owned());
    }
    for compiler in &compilers {
        for linker in &linkers {
            match matches(compiler, linker) {
                Ok(()) => {
                    return Ok(Toolchain { compiler: compiler.clone(), linker: linker.clone() });
                }
                Err(why) => faults.push(why),
            }
        }
    }
    Err(faults.join("\n"))
}

fn linkers(target_folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = target_folders.iter().map(|folder| folder.join("tools/bin")).collect();
    folders
        .extend(env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| home_folder(".cargo")).map(|c| c.join("bin")));
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let mut found: Vec<PathBuf> = Vec::new();
    for path in folders.into_iter().map(|folder| folder.join("bpf-linker")) {
        if path.is_file() && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

fn pair(rustc: &Path, linker: &Path) -> Result<Toolchain, String> {
    let compiler = inspect(rustc)?;
    matches(&compiler, linker)?;
    Ok(Toolchain { compiler, linker: linker.to_owned() })
}

fn matches(compiler: &Compiler, linker: &Path) -> Result<(), String> {
    match linker_llvm(linker)? {
        Some(llvm) if llvm != compiler.llvm => Err(format!(
            "{} is built for LLVM {llvm}, but {} has LLVM {}: the two must be the same",
            linker.display(),
            compiler.rustc.display(),
            compiler.llvm
        )),
        _ => Ok(()),
    }
}

/// What kind of BPF compiler this is; an error if it is none.
fn inspect(rustc: &Path) -> Result<Compiler, String> {
    let run = |argument: &[&str]| {
        stdout_of(Command::new(rustc).args(argument).env_remove("RUSTUP_TOOLCHAIN"))
            .map_err(|why| format!("{} does not run: {why}", rustc.display()))
    };
    let version = run(&["-vV"])?;
    let llvm =
        parse_rustc_llvm(&version).ok_or_else(|| format!("{} does not tell its LLVM version", rustc.display()))?;
    let sysroot = PathBuf::from(run(&["--print", "sysroot"])?.trim());
    let library = sysroot.join("lib/rustlib");
    let cargo = sysroot.join("bin/cargo");
    let core = if library.join("bpfel-unknown-none/lib").is_dir() {
        CoreLibrary::Prebuilt
    } else if version.contains("-nightly") && library.join("src/rust/library/core").is_dir() && cargo.is_file() {
        CoreLibrary::Source { cargo }
    } else {
        return Err(format!(
            "{} has neither `core` for bpfel-unknown-none nor (as a nightly) rust-src",
            rustc.display()
        ));
    };
    Ok(Compiler { rustc: rustc.to_owned(), llvm, core })
}

/// What the outer cargo, clippy or the user set for the host's compiler, and which would break a build for BPF.
fn belongs_to_outer_build(name: &str) -> bool {
    let prefixes =
        ["RUSTC", "RUSTDOC", "RUSTFLAGS", "CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_CFG_", "CARGO_FEATURE_", "CLIPPY_"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || ["RUSTUP_TOOLCHAIN", "CARGO_ENCODED_RUSTFLAGS", "CARGO_ENCODED_RUSTDOCFLAGS", "CARGO_TARGET_DIR"]
            .contains(&name)
}

fn home_folder(name: &str) -> Option<PathBuf> {
    env::home_dir().map(|home| home.join(name))
}

fn stdout_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The text of `key = "text"`; all that the toolchain file needs of TOML.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches('"'))
    })
}

fn parse_rustc_llvm(version: &str) -> Option<u32> {
    let line = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.trim().parse().ok()
}

fn parse_linker_version(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The major version in `libLLVM.so.22.1` (or, before LLVM 18, `libLLVM-17.so.1`).
fn parse_llvm_library(libraries: &str) -> Option<u32> {
    let (_, rest) = libraries.split_once("libLLVM")?;
    let rest = rest.strip_prefix(".so.").or_else(|| rest.strip_prefix('-'))?;
    let digits = rest.find(|character: char| !character.is_ascii_digit())?;
    rest.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_tells_its_llvm() {
        assert_eq!(parse_rustc_llvm("rustc 1.96.0\nhost: x86_64-unknown-linux-gnu\nLLVM version: 22.1.8\n"), Some(22));
        assert_eq!(parse_rustc_llvm("rustc 1.96.0\n"), None);
    }

    #[test]
    fn linker_tells_its_version_and_its_llvm() {
        assert_eq!(parse_linker_version("bpf-linker 0.13.0\n"), Some((0, 13)));
        assert_eq!(parse_linker_version("something else"), None);
        let ldd =
            "\tlibm.so.6 => /lib/libm.so.6 (0x1)\n\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x2)\n";
        assert_eq!(parse_llvm_library(ldd), Some(22));
        assert_eq!(parse_llvm_library("\tlibLLVM-17.so.1 => /usr/lib/libLLVM-17.so.1 (0x2)\n"), Some(17));
        assert_eq!(parse_llvm_library("\tlibm.so.6 => /lib/libm.so.6 (0x1)\n"), None);
    }

    #[test]
    fn the_outer_build_does_not_leak_into_the_nested_one() {
        for name in
            ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"]
        {
            assert!(belongs_to_outer_build(name), "{name}");
        }
        for name in
            ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUST_BACKTRACE", "CARGO_MAKEFLAGS", "CARGO_NET_OFFLINE"]
        {
            assert!(!belongs_to_outer_build(name), "{name}");
        }
    }

    #[test]
    fn toolchain_file_is_read() {
        let text = "# comment\nrustc = \"/usr/bin/rustc\"\nlinker=\"/t/bpf-linker\"\n";
        assert_eq!(value_of(text, "rustc"), Some("/usr/bin/rustc"));
        assert_eq!(value_of(text, "linker"), Some("/t/bpf-linker"));
        assert_eq!(value_of(text, "cargo"), None);
    }
}

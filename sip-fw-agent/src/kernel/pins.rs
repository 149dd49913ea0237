//! Where things are pinned, and taking everything down.

use std::fs;
use std::path::{Path, PathBuf};

use aya::programs::{TcAttachType, tc};
use sip_fw_common::abi::{OLDEST_VERSION, PROGRAM_EGRESS, VERSION};

use super::{Attachment, KernelError, liveness};

const RULE_SETS: &str = "rule-sets";

/// The directory of this ABI.
pub(super) fn root(pins: &Path) -> PathBuf {
    pins.join(format!("v{VERSION}"))
}

/// The directory of the maps.
pub(super) fn maps(pins: &Path) -> PathBuf {
    root(pins).join("maps")
}

/// The directory of the maps that gave way and are not all taken over yet.
pub(super) fn old(pins: &Path) -> PathBuf {
    root(pins).join("old")
}

/// The directory of the rule sets in the slots, each pinned under its number.
pub(super) fn rule_sets(pins: &Path) -> PathBuf {
    rule_sets_of(&root(pins))
}

/// The same of any version.
pub(super) fn rule_sets_of(version: &Path) -> PathBuf {
    version.join(RULE_SETS)
}

/// The pin of a map.
pub(super) fn map(pins: &Path, name: &str) -> PathBuf {
    maps(pins).join(name)
}

/// The directory of an interface's links. bpffs refuses dots in names, interfaces never have colons.
pub(super) fn links(pins: &Path, interface: &str) -> PathBuf {
    root(pins).join("links").join(interface.replace('.', ":"))
}

pub(super) const INGRESS_MODES: [&str; 2] = ["native", "generic"];
pub(super) const EGRESS_MODES: [&str; 2] = ["tcx", "clsact"];

/// The mode in the name of an existing pin `<side>-<mode>` of an interface.
pub(super) fn existing_mode(folder: &Path, side: &str, modes: [&'static str; 2]) -> Option<&'static str> {
    modes.into_iter().find(|mode| folder.join(format!("{side}-{mode}")).exists())
}

/// Every attachment that is pinned.
pub(super) fn attachments(pins: &Path) -> Result<Vec<Attachment>, KernelError> {
    let folder = root(pins).join("links");
    let mut found = Vec::new();
    for (name, path) in entries(&folder)? {
        let interface = name.replace(':', ".");
        let dead = liveness::is_dead(&path, &interface);
        let mode = |side, modes| existing_mode(&path, side, modes).filter(|_| !dead).unwrap_or("none");
        let (ingress, egress) = (mode("ingress", INGRESS_MODES), mode("egress", EGRESS_MODES));
        found.push(Attachment { interface, ingress, egress, dead });
    }
    Ok(found)
}

/// Refuses pins of another ABI than those that can be taken over.
pub(super) fn refuse_other_versions(pins: &Path) -> Result<(), KernelError> {
    let own = format!("v{VERSION}");
    let known: Vec<_> = (OLDEST_VERSION..=VERSION).map(|version| format!("v{version}")).collect();
    match entries(pins)?.into_iter().find(|(name, _)| name.starts_with('v') && !known.contains(name)) {
        Some((_, path)) => Err(KernelError::OtherVersion { path, expected: own }),
        None => Ok(()),
    }
}

/// Makes a directory on bpffs.
///
/// # Errors
/// What the file system says, with what to do.
pub fn create(folder: &Path) -> Result<(), KernelError> {
    fs::create_dir_all(folder).map_err(|error| {
        let hint = if folder.starts_with("/sys/fs/bpf") {
            "; is bpffs mounted? `mount -t bpf bpf /sys/fs/bpf`"
        } else {
            "; pins must be on a bpffs"
        };
        KernelError::Access { what: format!("cannot make {}", folder.display()), reason: format!("{error}{hint}") }
    })
}

/// Detaches and unpins everything below `pins`, of every version, agent or no agent. One line for each thing removed.
///
/// # Errors
/// The first thing that could not be removed; everything else is removed all the same.
pub fn detach(pins: &Path) -> Result<Vec<String>, KernelError> {
    let mut removed = Vec::new();
    let mut first_error = None;
    for (version, folder) in entries(pins)?.into_iter().filter(|(name, _)| name.starts_with('v')) {
        for (interface, links) in entries(&folder.join("links"))? {
            take_off_folder(&links, &interface.replace(':', "."), &version, &mut removed, &mut first_error)?;
        }
        remove_maps(&folder, &version, &mut removed, &mut first_error)?;
    }
    let _ = fs::remove_dir(pins);
    first_error.map_or(Ok(removed), Err)
}

/// Whether anything of any ABI is pinned.
#[must_use]
pub fn is_pinned(pins: &Path) -> bool {
    entries(pins).is_ok_and(|found| found.iter().any(|(name, _)| name.starts_with('v')))
}

/// Unpins the maps of a version and removes its directory; its links, if there are any, stay.
pub(super) fn remove_version(folder: &Path) -> Result<(), KernelError> {
    let (mut removed, mut first_error) = (Vec::new(), None);
    remove_maps(folder, "", &mut removed, &mut first_error)?;
    first_error.map_or(Ok(()), Err)
}

fn remove_maps(
    folder: &Path,
    version: &str,
    removed: &mut Vec<String>,
    first_error: &mut Option<KernelError>,
) -> Result<(), KernelError> {
    for part in ["maps", "old"] {
        for (map, path) in entries(&folder.join(part))? {
            remove(&path, || format!("removed map {map} ({version})"), removed, first_error);
        }
    }
    for (number, path) in entries(&rule_sets_of(folder))? {
        remove(&path, || format!("removed map of rule set {number} ({version})"), removed, first_error);
    }
    for part in ["links", "maps", "old", RULE_SETS, ""] {
        let _ = fs::remove_dir(folder.join(part));
    }
    Ok(())
}

/// Detaches and unpins both programs of one interface.
///
/// # Errors
/// The first thing that could not be removed.
pub(super) fn take_off(pins: &Path, interface: &str) -> Result<(), KernelError> {
    let (mut removed, mut first_error) = (Vec::new(), None);
    take_off_folder(&links(pins, interface), interface, "", &mut removed, &mut first_error)?;
    first_error.map_or(Ok(()), Err)
}

fn take_off_folder(
    links: &Path,
    interface: &str,
    version: &str,
    removed: &mut Vec<String>,
    first_error: &mut Option<KernelError>,
) -> Result<(), KernelError> {
    if links.join("egress-clsact").exists() {
        // Gone interfaces took their filter with them.
        let _ = tc::qdisc_detach_program(interface, TcAttachType::Egress, PROGRAM_EGRESS);
    }
    for (link, path) in entries(links)? {
        remove(&path, || format!("detached {link} from {interface} ({version})"), removed, first_error);
    }
    let _ = fs::remove_dir(links);
    Ok(())
}

fn remove(
    path: &Path,
    line: impl FnOnce() -> String,
    removed: &mut Vec<String>,
    first_error: &mut Option<KernelError>,
) {
    match fs::remove_file(path) {
        Ok(()) => removed.push(line()),
        Err(error) => {
            first_error.get_or_insert(KernelError::access(format!("cannot remove {}", path.display()), &error));
        }
    }
}

/// Names and paths in a directory, sorted; none if it does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, KernelError> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(KernelError::access(format!("cannot list {}", folder.display()), &error)),
    };
    let mut found: Vec<_> = listing
        .filter_map(Result::ok)
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    found.sort();
    Ok(found)
}

//! What is attached to interfaces now, ours and others', and running a packet through what is: the very programs that
//! meet real packets, not a copy loaded aside.

use std::path::Path;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{ProgramInfo, SchedClassifier, TcAttachType, TestRun as _, TestRunOptions, Xdp, loaded_programs};
use aya_obj::programs::XdpAttachType;
use sip_fw_common::abi::PROGRAM_INGRESS;

use super::dry_run::Action;
use super::pins::{EGRESS_MODES, INGRESS_MODES, existing_mode};
use super::{KernelError, pins};

/// A program that is loaded, by its number in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedProgram {
    /// Its number.
    pub id: u32,
    /// Its name, empty if it has none.
    pub name: String,
}

/// The ingress program that a pinned link runs on every packet of an interface.
pub struct AttachedIngress {
    /// Its number in the kernel.
    pub id: u32,
    xdp: Xdp,
}

impl AttachedIngress {
    /// The program attached to an interface; None if no link is pinned for it.
    ///
    /// # Errors
    /// If the kernel refuses to say, or to hand out the program.
    pub fn of(pins: &Path, interface: &str) -> Result<Option<Self>, KernelError> {
        let folder = pins::links(pins, interface);
        let Some(mode) = existing_mode(&folder, "ingress", INGRESS_MODES) else { return Ok(None) };
        let id = program_of_link(&folder.join(format!("ingress-{mode}")))?;
        let what = || format!("cannot get program {id}, attached to {interface}");
        let Some(info) = find(id)? else {
            return Err(KernelError::Access { what: what(), reason: "it was replaced meanwhile".to_owned() });
        };
        let xdp = Xdp::from_program_info(info, PROGRAM_INGRESS.into(), XdpAttachType::Interface);
        xdp.map(|xdp| Some(Self { id, xdp })).map_err(|error| KernelError::access(what(), &error))
    }

    /// An arriving packet, from its Ethernet header on. It counts like a real one.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn run(&self, packet: &[u8]) -> Result<Action, KernelError> {
        let options = TestRunOptions { data_in: Some(packet), ..TestRunOptions::default() };
        let run = self.xdp.test_run(options).map_err(|error| KernelError::access("cannot run ingress", &error))?;
        Ok(Action::of_xdp(run.return_value))
    }
}

/// Number of the egress program that is attached to an interface; None if none is pinned for it.
///
/// # Errors
/// If the kernel refuses to say.
pub fn egress_program(pins: &Path, interface: &str) -> Result<Option<u32>, KernelError> {
    let folder = pins::links(pins, interface);
    match existing_mode(&folder, "egress", EGRESS_MODES) {
        Some("tcx") => program_of_link(&folder.join("egress-tcx")).map(Some),
        Some(mode) => {
            // A filter has no link; its program is pinned.
            let path = folder.join(format!("egress-{mode}"));
            let info = ProgramInfo::from_pin(&path).map_err(|error| cannot_open(&path, &error))?;
            Ok(Some(info.id()))
        }
        None => Ok(None),
    }
}

fn program_of_link(path: &Path) -> Result<u32, KernelError> {
    let link = FdLink::from(PinnedLink::from_pin(path).map_err(|error| cannot_open(path, &error))?);
    Ok(link.info().map_err(|error| cannot_open(path, &error))?.program_id())
}

fn cannot_open(path: &Path, error: &(dyn std::error::Error + 'static)) -> KernelError {
    KernelError::access(format!("cannot open {}", path.display()), error)
}

/// The program of this number; without a name if it is gone.
///
/// # Errors
/// If the kernel does not list its programs.
pub fn loaded(id: u32) -> Result<LoadedProgram, KernelError> {
    Ok(find(id)?.map_or_else(|| LoadedProgram { id, name: String::new() }, |info| named(&info)))
}

/// The programs attached by TCX to what leaves an interface, or to what arrives there, in the order in which packets meet
/// them. None where the kernel has no TCX.
///
/// # Errors
/// If the kernel refuses to say.
pub fn tcx_programs(interface: &str, leaving: bool) -> Result<Option<Vec<LoadedProgram>>, KernelError> {
    use aya::programs::ProgramError;
    use nix::errno::Errno;
    let side = if leaving { TcAttachType::Egress } else { TcAttachType::Ingress };
    match SchedClassifier::query_tcx(interface, side) {
        Ok((_, programs)) => Ok(Some(programs.iter().map(named).collect())),
        Err(ProgramError::SyscallError(error)) if error.io_error.raw_os_error() == Some(Errno::EINVAL as i32) => {
            Ok(None)
        }
        Err(error) => Err(KernelError::access(format!("cannot list the TCX programs of {interface}"), &error)),
    }
}

fn find(id: u32) -> Result<Option<ProgramInfo>, KernelError> {
    for program in loaded_programs() {
        match program {
            Ok(info) if info.id() == id => return Ok(Some(info)),
            Ok(_) => {}
            // A program that ends while the list is read has no information any more.
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(KernelError::access("cannot list the programs of the kernel", &error)),
        }
    }
    Ok(None)
}

fn is_gone(error: &aya::programs::ProgramError) -> bool {
    matches!(error, aya::programs::ProgramError::SyscallError(error)
        if error.io_error.kind() == std::io::ErrorKind::NotFound)
}

fn named(info: &ProgramInfo) -> LoadedProgram {
    LoadedProgram { id: info.id(), name: String::from_utf8_lossy(info.name()).into_owned() }
}

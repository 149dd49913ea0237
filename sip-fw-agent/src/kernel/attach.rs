//! Attaching to interfaces, and replacing what an earlier agent attached without a gap.

use std::path::Path;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{self, NlOptions, TcAttachOptions};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, TcError, Xdp, XdpMode};
use sip_fw_common::abi::{PROGRAM_EGRESS, PROGRAM_INGRESS};

use super::error::chain;
use super::load::program;
use super::{Kernel, KernelError, liveness, pins};

/// How the programs are attached to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub interface: String,
    /// `native`, `generic` or `none`.
    pub ingress: &'static str,
    /// `tcx`, `clsact` or `none`.
    pub egress: &'static str,
    /// The interface went away after it was attached to; another may have its name.
    pub dead: bool,
}

impl Kernel {
    /// Attaches both programs to every interface, or puts them in the place of an earlier agent's without a gap, and
    /// pins the links.
    ///
    /// # Errors
    /// The first interface that failed. What this call attached anew is taken off again; what an earlier agent attached
    /// stays in force.
    pub fn attach(&mut self, interfaces: &[String]) -> Result<Vec<Attachment>, KernelError> {
        let before = pins::attachments(&self.pins)?;
        let mut attached = Vec::new();
        for (done, interface) in (1..).zip(interfaces) {
            match self.attach_to(interface) {
                Ok(attachment) => attached.push(attachment),
                Err(error) => {
                    let is_new = |interface: &&String| before.iter().all(|earlier| earlier.interface != **interface);
                    for interface in interfaces.iter().take(done).filter(is_new) {
                        // The error that is returned comes first.
                        let _ = pins::take_off(&self.pins, interface);
                    }
                    return Err(error);
                }
            }
        }
        Ok(attached)
    }

    /// Takes off what an earlier agent attached to interfaces that are not among these; returns their names.
    ///
    /// # Errors
    /// The first interface that failed.
    pub fn detach_others(&mut self, interfaces: &[String]) -> Result<Vec<String>, KernelError> {
        let mut others = Vec::new();
        for Attachment { interface, .. } in pins::attachments(&self.pins)? {
            if !interfaces.contains(&interface) {
                pins::take_off(&self.pins, &interface)?;
                others.push(interface);
            }
        }
        Ok(others)
    }

    /// Lets go of what is left of an interface that went away.
    ///
    /// # Errors
    /// What could not be removed.
    pub fn let_go(&mut self, interface: &str) -> Result<(), KernelError> {
        pins::take_off(&self.pins, interface)
    }

    /// Attaches to an interface that appeared, or went away and is back.
    ///
    /// # Errors
    /// What failed; nothing is left of it then.
    pub fn attach_late(&mut self, interface: &str) -> Result<Attachment, KernelError> {
        self.attach_to(interface).inspect_err(|_| {
            // The error that is returned comes first.
            let _ = pins::take_off(&self.pins, interface);
        })
    }

    fn attach_to(&mut self, interface: &str) -> Result<Attachment, KernelError> {
        refuse_other_links(interface)?;
        let folder = pins::links(&self.pins, interface);
        if liveness::is_dead(&folder, interface) {
            pins::take_off(&self.pins, interface)?;
        }
        pins::create(&folder)?;
        let egress = attach_egress(program(&mut self.ebpf, PROGRAM_EGRESS)?, interface, &folder)?;
        let ingress = attach_ingress(program(&mut self.ebpf, PROGRAM_INGRESS)?, interface, &folder)?;
        Ok(Attachment { interface: interface.to_owned(), ingress, egress, dead: false })
    }
}

/// ARPHRD_ETHER, ARPHRD_LOOPBACK (linux/if_arp.h): the links whose packets begin with an Ethernet header.
const ETHERNET: [&str; 2] = ["1", "772"];

fn refuse_other_links(interface: &str) -> Result<(), KernelError> {
    let reason = match std::fs::read_to_string(format!("/sys/class/net/{interface}/type")) {
        Ok(kind) if ETHERNET.contains(&kind.trim()) => return Ok(()),
        Ok(kind) => {
            format!("its packets have no Ethernet header (link type {}); name the interface below it", kind.trim())
        }
        // The sysfs of another network namespace may be mounted here; attaching will tell.
        Err(_) => return Ok(()),
    };
    Err(KernelError::Attach { program: PROGRAM_INGRESS, interface: interface.to_owned(), reason })
}

fn attach_ingress(xdp: &mut Xdp, interface: &str, folder: &Path) -> Result<&'static str, KernelError> {
    let failed = |reason| KernelError::Attach { program: PROGRAM_INGRESS, interface: interface.to_owned(), reason };
    if let Some(mode) = pins::existing_mode(folder, "ingress", pins::INGRESS_MODES) {
        let path = folder.join(format!("ingress-{mode}"));
        match replace(&path, |link| {
            let link = link.try_into().map_err(|error| chain(&error))?;
            let id = xdp.attach_to_link(link).map_err(|error| chain(&error))?;
            xdp.take_link(id).map_err(|error| chain(&error))
        }) {
            Ok(link) => {
                // The pin keeps the link; this handle may go.
                drop(link);
                return Ok(mode);
            }
            // The interface went away and came back: its link is dead.
            Err(_) => unpin(&path)?,
        }
    }
    let mut last = String::new();
    for (mode, name) in [(XdpMode::Driver, "native"), (XdpMode::Skb, "generic")] {
        let id = match xdp.attach(interface, mode) {
            Ok(id) => id,
            Err(error) => {
                last = explain(&error);
                if is_unsupported(&error) {
                    continue;
                }
                return Err(failed(last));
            }
        };
        let link = xdp.take_link(id).map_err(|error| failed(chain(&error)))?;
        let link = FdLink::try_from(link)
            .map_err(|error| failed(format!("this kernel has no XDP links: {}", chain(&error))))?;
        link.pin(folder.join(format!("ingress-{name}"))).map_err(|error| failed(chain(&error)))?;
        return Ok(name);
    }
    Err(failed(last))
}

fn attach_egress(tc: &mut SchedClassifier, interface: &str, folder: &Path) -> Result<&'static str, KernelError> {
    let failed = |reason| KernelError::Attach { program: PROGRAM_EGRESS, interface: interface.to_owned(), reason };
    let tcx = folder.join("egress-tcx");
    if tcx.exists() {
        match replace(&tcx, |link| {
            let link = link.try_into().map_err(|error| chain(&error))?;
            let id = tc.attach_to_link(link).map_err(|error| chain(&error))?;
            tc.take_link(id).map_err(|error| chain(&error))
        }) {
            Ok(link) => {
                drop(link);
                return Ok("tcx");
            }
            Err(_) => unpin(&tcx)?,
        }
    }
    let clsact = folder.join("egress-clsact");
    let before = clsact.exists();
    if !before {
        let order = TcAttachOptions::TcxOrder(LinkOrder::default());
        match tc.attach_with_options(interface, TcAttachType::Egress, order) {
            Ok(id) => {
                let link = tc.take_link(id).map_err(|error| failed(chain(&error)))?;
                let link = FdLink::try_from(link).map_err(|error| failed(chain(&error)))?;
                link.pin(&tcx).map_err(|error| failed(chain(&error)))?;
                return Ok("tcx");
            }
            Err(error) if is_unsupported(&error) => {}
            Err(error) => return Err(failed(chain(&error))),
        }
    }
    if before {
        // Filters cannot be replaced in place here: answers go unjudged for a moment, drops are not affected.
        let _ = tc::qdisc_detach_program(interface, TcAttachType::Egress, PROGRAM_EGRESS);
        unpin(&clsact)?;
    }
    match tc::qdisc_add_clsact(interface) {
        Ok(()) => {}
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(nix::errno::Errno::EEXIST as i32) => {}
        Err(error) => return Err(failed(chain(&error))),
    }
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let id = tc.attach_with_options(interface, TcAttachType::Egress, options).map_err(|error| failed(chain(&error)))?;
    // Dropping the link would remove the filter.
    std::mem::forget(tc.take_link(id).map_err(|error| failed(chain(&error)))?);
    // The program's pin marks the attachment, whose filter outlives every process.
    tc.pin(&clsact).map_err(|error| failed(chain(&error)))?;
    Ok("clsact")
}

fn replace<L>(path: &Path, with: impl FnOnce(FdLink) -> Result<L, String>) -> Result<L, String> {
    let pinned = PinnedLink::from_pin(path).map_err(|error| chain(&error))?;
    with(FdLink::from(pinned))
}

fn unpin(path: &Path) -> Result<(), KernelError> {
    std::fs::remove_file(path).map_err(|error| KernelError::access(format!("cannot remove {}", path.display()), &error))
}

/// Whether the driver or the kernel lacks this way of attaching.
fn is_unsupported(error: &ProgramError) -> bool {
    use nix::errno::Errno;
    let code = match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    };
    code.is_some_and(|code| matches!(Errno::from_raw(code), Errno::EOPNOTSUPP | Errno::EINVAL))
}

fn explain(error: &ProgramError) -> String {
    if let ProgramError::SyscallError(syscall) = error
        && syscall.io_error.raw_os_error() == Some(nix::errno::Errno::EBUSY as i32)
    {
        return "another XDP program is attached to it; `bpftool net show` names it".to_owned();
    }
    chain(error)
}

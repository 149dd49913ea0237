//! Interfaces that get the programs, lose them, or went away and are back.

use std::collections::BTreeSet;

use sip_fw_core::controller::Input;
use sip_fw_core::record::{EventName, Record};

use super::agent::Agent;
use super::auto::{Chosen, choose};
use crate::clock;
use crate::config::{INTERFACES_MAX, Interfaces};
use crate::host;
use crate::kernel::{self, Attachment, Kernel, KernelError};

/// Which interfaces have the programs.
#[derive(Debug, Default)]
pub struct Held {
    /// They have them.
    held: BTreeSet<String>,
    /// Named in the configuration, but not there; attached once they are.
    away: BTreeSet<String>,
    /// What was wrong at the last look; said once, not at every look.
    trouble: Option<String>,
}

/// What the start came to.
pub struct Attached {
    attached: Vec<Attachment>,
    detached: Vec<String>,
}

/// What a look came to.
struct Look {
    trouble: Vec<String>,
    /// Somebody took the programs off every interface.
    taken_off: bool,
}

/// Attaches at the start, and takes off what an earlier agent attached elsewhere.
///
/// Named interfaces may be missing as long as one is there. Of all interfaces, none needs to be there yet.
///
/// # Errors
///
/// When a named interface that is there, or all that could be chosen, cannot have the programs.
pub fn attach(kernel: &mut Kernel, interfaces: &Interfaces) -> Result<(Held, Attached), KernelError> {
    let mut held = Held::default();
    let attached = match interfaces {
        Interfaces::Named(names) => {
            let (there, away): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| kernel::exists(name));
            held.away.extend(away);
            // Where none is there, the kernel says so.
            kernel.attach(if there.is_empty() { names } else { &there })?
        }
        Interfaces::Auto => attach_chosen(kernel)?,
    };
    held.held.extend(attached.iter().map(|attachment| attachment.interface.clone()));
    let wanted: Vec<_> = held.held.union(&held.away).cloned().collect();
    let detached = kernel.detach_others(&wanted)?;
    Ok((held, Attached { attached, detached }))
}

/// Those that an earlier agent attached to, with or without an address now, and those that came meanwhile.
fn attach_chosen(kernel: &mut Kernel) -> Result<Vec<Attachment>, KernelError> {
    let earlier = kernel.tables.attachments()?.into_iter().filter(|found| !found.dead).map(|found| found.interface);
    let earlier: Vec<_> = earlier.filter(|name| kernel::exists(name)).collect();
    let mut attached = kernel.attach(&earlier)?;
    let mut first_error = None;
    for name in choose(&host::candidates(), &earlier.into_iter().collect()).added {
        match kernel.attach(&[name]) {
            Ok(attachments) => attached.extend(attachments),
            // The first look tries again, and says what is wrong.
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    match first_error {
        Some(error) if attached.is_empty() => Err(error),
        _ => Ok(attached),
    }
}

impl Agent {
    /// Tells what the start came to.
    pub fn tell_attached(&mut self, started: Attached) {
        for Attachment { interface, ingress, egress, .. } in started.attached {
            self.handle(Input::Attached { interface, ingress, egress });
        }
        for interface in started.detached {
            self.handle(Input::Detached { reason: format!("{interface}: no longer in the configuration") });
        }
        for interface in self.interfaces.away.clone() {
            self.degraded(format!("{interface} does not exist yet; once it does, it is protected"));
        }
    }

    /// Says which interfaces are not protected any more, and attaches to those that came; true when somebody took the programs
    /// off every interface.
    pub(super) fn look_at_interfaces(&mut self) -> bool {
        let Look { trouble, taken_off } =
            self.try_look().unwrap_or_else(|error| Look { trouble: vec![error.to_string()], taken_off: false });
        if taken_off {
            return true;
        }
        let trouble = (!trouble.is_empty()).then(|| trouble.join("; "));
        if let Some(trouble) = trouble.clone().filter(|_| trouble != self.interfaces.trouble) {
            self.degraded(trouble);
        }
        self.interfaces.trouble = trouble;
        false
    }

    fn try_look(&mut self) -> Result<Look, KernelError> {
        for attachment in self.kernel.tables.attachments()? {
            if attachment.dead && self.interfaces.held.remove(&attachment.interface) {
                self.went_away(attachment.interface)?;
            }
        }
        // Whoever took everything off wants nothing back.
        if !kernel::is_pinned(&self.config.paths.pins) {
            return Ok(Look { trouble: Vec::new(), taken_off: true });
        }
        let mut trouble = Vec::new();
        for interface in self.wanted(&mut trouble) {
            match self.kernel.attach_late(&interface) {
                Ok(Attachment { interface, ingress, egress, .. }) => {
                    self.interfaces.away.remove(&interface);
                    self.interfaces.held.insert(interface.clone());
                    self.handle(Input::Attached { interface, ingress, egress });
                }
                Err(error) => trouble.push(format!("{interface} is not protected: {error}")),
            }
        }
        let attached = self.kernel.tables.attachments()?;
        let held = &self.interfaces.held;
        trouble.extend(missing(held.iter(), &attached));
        if held.is_empty() && trouble.is_empty() && self.config.interfaces == Interfaces::Auto {
            trouble.push(
                "no interface with Ethernet framing has an address yet, so nothing is protected; the first that has one will be"
                    .to_owned(),
            );
        }
        Ok(Look { trouble, taken_off: attached.is_empty() && !held.is_empty() })
    }

    /// A named interface is waited for. Others come and go, and one that is back is as good as a new one.
    fn went_away(&mut self, interface: String) -> Result<(), KernelError> {
        if self.config.interfaces == Interfaces::Auto {
            self.handle(Input::Detached { reason: format!("{interface} went away") });
            return self.kernel.let_go(&interface);
        }
        self.degraded(format!("{interface} went away; once it is back, it is protected again"));
        self.interfaces.away.insert(interface);
        Ok(())
    }

    /// Interfaces that should have the programs and can.
    fn wanted(&self, trouble: &mut Vec<String>) -> Vec<String> {
        let Held { held, away, .. } = &self.interfaces;
        if self.config.interfaces != Interfaces::Auto {
            return away.iter().filter(|interface| kernel::exists(interface)).cloned().collect();
        }
        let Chosen { added, left_out } = choose(&host::candidates(), held);
        if !left_out.is_empty() {
            trouble.push(format!(
                "{} are not protected: {INTERFACES_MAX} interfaces have the programs, and no more can; name those that matter",
                left_out.join(", ")
            ));
        }
        added
    }

    fn degraded(&mut self, reason: String) {
        self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(reason));
    }
}

/// Says which interfaces are not protected any more.
fn missing<'a>(interfaces: impl Iterator<Item = &'a String>, attached: &[Attachment]) -> Option<String> {
    let whole = |interface: &&String| {
        attached.iter().any(|found| found.interface == **interface && found.ingress != "none" && found.egress != "none")
    };
    let missing: Vec<_> = interfaces.filter(|interface| !whole(interface)).map(String::as_str).collect();
    (!missing.is_empty()).then(|| {
        format!("{}: somebody took the programs off, nothing is dropped there; restart the agent", missing.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_interfaces_without_programs() {
        let interfaces = ["eth0", "eth1", "eth2"].map(str::to_owned);
        let attached = |interface: &str, egress| Attachment {
            interface: interface.to_owned(),
            ingress: "native",
            egress,
            dead: false,
        };
        let said = missing(interfaces.iter(), &[attached("eth0", "tcx"), attached("eth1", "none")]);
        let expected = "eth1, eth2: somebody took the programs off, nothing is dropped there; restart the agent";
        assert_eq!(said.as_deref(), Some(expected));
        assert_eq!(missing(interfaces[..1].iter(), &[attached("eth0", "clsact")]), None);
    }
}

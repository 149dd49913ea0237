//! Interfaces that lose their programs: taken off by somebody, or gone with the interface and attached again.

use sip_fw_core::controller::Input;
use sip_fw_core::record::{EventName, Record};

use super::agent::Agent;
use crate::clock;
use crate::kernel::{self, Attachment, KernelError};

/// What a look at the interfaces came to.
pub struct Look {
    /// What is wrong now.
    pub trouble: Option<String>,
    /// Somebody took the programs off every interface.
    pub taken_off: bool,
}

impl Agent {
    /// Says which interfaces are not protected any more, and attaches to those that went away and are back.
    pub(super) fn look_at_interfaces(&mut self) -> Result<Look, KernelError> {
        for attachment in self.kernel.tables.attachments()? {
            if attachment.dead && self.config.interfaces.contains(&attachment.interface) {
                self.went_away(attachment.interface);
            }
        }
        let mut failed = Vec::new();
        for interface in self.away.clone().into_iter().filter(|interface| kernel::exists(interface)) {
            // Whoever took everything off meanwhile wants nothing back.
            if !kernel::is_pinned(&self.config.paths.pins) {
                break;
            }
            match self.kernel.attach_again(&interface) {
                Ok(Attachment { interface, ingress, egress, .. }) => {
                    self.away.remove(&interface);
                    self.handle(Input::Attached { interface, ingress, egress });
                }
                Err(error) => failed.push(format!("{interface} is back, but: {error}")),
            }
        }
        let attached = self.kernel.tables.attachments()?;
        let expected = self.config.interfaces.iter().filter(|interface| !self.away.contains(*interface));
        let taken_off = attached.is_empty() && (self.away.is_empty() || !kernel::is_pinned(&self.config.paths.pins));
        failed.extend(missing(expected, &attached));
        Ok(Look { trouble: (!failed.is_empty()).then(|| failed.join("; ")), taken_off })
    }

    fn went_away(&mut self, interface: String) {
        if !self.away.contains(&interface) {
            let reason = format!("{interface} went away; once it is back, it is protected again");
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(reason));
            self.away.insert(interface);
        }
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

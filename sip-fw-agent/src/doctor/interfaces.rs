//! What is known of each interface that should be protected.

use std::path::Path;

use sip_fw_common::abi::PROGRAM_EGRESS;

use crate::host::{self, Filter, filters};
use crate::kernel::{AttachedIngress, Attachment, LoadedProgram, Tables, loaded, tcx_programs};

/// An interface of the configuration.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What the kernel says of it; None if it is not there.
    pub link: Option<host::Interface>,
    /// Its driver, or what stands in its place.
    pub driver: Option<String>,
    /// What is pinned for it.
    pub attachment: Option<Attachment>,
    /// Number of the ingress program that its pinned link runs; why that cannot be told.
    pub ours: Result<Option<u32>, String>,
    /// The XDP programs on it.
    pub xdp: Vec<LoadedProgram>,
    /// The tc programs and filters that arriving packets meet, in their order; why that cannot be told.
    pub arriving: Result<Vec<Hook>, String>,
    /// The same of leaving packets.
    pub leaving: Result<Vec<Hook>, String>,
    /// The offloads that are switched on; why that cannot be told.
    pub offloads: Result<Vec<String>, String>,
}

/// A tc program or filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// For people.
    pub text: String,
    /// It is sip-fw's.
    pub ours: bool,
}

impl Interface {
    /// Looks at an interface.
    #[must_use]
    pub fn gather(name: &str, pins: &Path, tables: Option<&Tables>, links: &[host::Interface]) -> Self {
        let link = links.iter().find(|link| link.name == name).cloned();
        let attachments = tables.and_then(|tables| tables.attachments().ok()).unwrap_or_default();
        let side = |leaving| match &link {
            Some(link) => hooks(link, leaving),
            None => Ok(Vec::new()),
        };
        let program = |id: &u32| loaded(*id).unwrap_or(LoadedProgram { id: *id, name: String::new() });
        Self {
            driver: link.as_ref().and_then(host::driver),
            attachment: attachments.into_iter().find(|attachment| attachment.interface == name),
            ours: AttachedIngress::of(pins, name)
                .map(|program| program.map(|program| program.id))
                .map_err(|error| error.to_string()),
            xdp: link.iter().flat_map(|link| &link.xdp).map(program).collect(),
            arriving: side(false),
            leaving: side(true),
            offloads: host::offloads(name).map_err(|error| error.to_string()),
            name: name.to_owned(),
            link,
        }
    }

    /// How arriving packets meet sip-fw: `native`, `generic` or `none`.
    #[must_use]
    pub fn ingress(&self) -> &'static str {
        self.attachment.as_ref().map_or("none", |attachment| attachment.ingress)
    }

    /// How leaving packets meet sip-fw: `tcx`, `clsact` or `none`.
    #[must_use]
    pub fn egress(&self) -> &'static str {
        self.attachment.as_ref().map_or("none", |attachment| attachment.egress)
    }
}

/// TCX programs come before the filters of clsact.
fn hooks(link: &host::Interface, leaving: bool) -> Result<Vec<Hook>, String> {
    let tcx = tcx_programs(&link.name, leaving).map_err(|error| error.to_string())?.unwrap_or_default();
    let program = |program: LoadedProgram| Hook {
        ours: program.name == PROGRAM_EGRESS,
        text: format!("TCX {}", named(&program)),
    };
    let clsact = filters(link, leaving).map_err(|error| error.to_string())?;
    Ok(tcx.into_iter().map(program).chain(clsact.into_iter().map(filter)).collect())
}

fn filter(filter: Filter) -> Hook {
    let Filter { priority, kind, name } = filter;
    let ours = name.as_deref() == Some(PROGRAM_EGRESS);
    let name = name.map_or_else(String::new, |name| format!(" \"{name}\""));
    Hook { ours, text: format!("tc filter {kind}{name} (priority {priority})") }
}

/// A program for people.
#[must_use]
pub fn named(program: &LoadedProgram) -> String {
    match program.name.as_str() {
        "" => format!("program {}", program.id),
        name => format!("program {} \"{name}\"", program.id),
    }
}

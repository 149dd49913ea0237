//! What is known of each interface that should be protected.

use std::path::Path;

use crate::host::{self, Filter, filters};
use crate::kernel::{
    AttachedIngress, Attachment, KernelError, LoadedProgram, Tables, egress_program, loaded, tcx_programs,
};

/// An interface of the configuration.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What the kernel says of it; None if it is not there.
    pub link: Option<host::Interface>,
    /// Its driver, or what stands in its place.
    pub driver: Option<String>,
    /// What is pinned for it; why that cannot be told.
    pub attachment: Result<Option<Attachment>, String>,
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
    /// Looks at an interface. `pinned`: what is pinned, or why that cannot be told.
    #[must_use]
    pub fn gather(
        name: &str,
        pins: &Path,
        pinned: &Result<Vec<Attachment>, String>,
        links: &[host::Interface],
    ) -> Self {
        let link = links.iter().find(|link| link.name == name).cloned();
        let of_pins = |found: Result<Option<u32>, KernelError>| match pinned {
            Ok(_) => found.map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        let side = |leaving| match &link {
            Some(link) => of_pins(egress_program(pins, name)).and_then(|ours| hooks(link, leaving, ours)),
            None => Ok(Vec::new()),
        };
        let program = |id: &u32| loaded(*id).unwrap_or(LoadedProgram { id: *id, name: String::new() });
        let attachment = |all: &Vec<Attachment>| all.iter().find(|attachment| attachment.interface == name).cloned();
        Self {
            driver: link.as_ref().and_then(host::driver),
            attachment: pinned.as_ref().map(attachment).map_err(Clone::clone),
            ours: of_pins(AttachedIngress::of(pins, name).map(|program| program.map(|program| program.id))),
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
        self.pinned().map_or("none", |attachment| attachment.ingress)
    }

    /// How leaving packets meet sip-fw: `tcx`, `clsact` or `none`.
    #[must_use]
    pub fn egress(&self) -> &'static str {
        self.pinned().map_or("none", |attachment| attachment.egress)
    }

    fn pinned(&self) -> Option<&Attachment> {
        self.attachment.as_ref().ok().and_then(Option::as_ref)
    }
}

/// Every attachment that is pinned.
///
/// # Errors
///
/// When the pins are not for this user to see: what is not seen is not therefore missing.
pub fn pinned(tables: &Result<Tables, KernelError>) -> Result<Vec<Attachment>, String> {
    match tables {
        Ok(tables) => tables.attachments().map_err(|error| error.to_string()),
        Err(_) if host::effective_uid() == 0 => Ok(Vec::new()),
        Err(error) => Err(format!("{error}, or is not for this user to see; run this as root")),
    }
}

/// TCX programs come before the filters of clsact. `ours`: number of sip-fw's.
fn hooks(link: &host::Interface, leaving: bool, ours: Option<u32>) -> Result<Vec<Hook>, String> {
    let tcx = tcx_programs(&link.name, leaving).map_err(|error| error.to_string())?.unwrap_or_default();
    let clsact = filters(link, leaving).map_err(|error| error.to_string())?;
    let program =
        |program: LoadedProgram| Hook { ours: ours == Some(program.id), text: format!("TCX {}", named(&program)) };
    let filter = |filter: Filter| Hook { ours: ours.is_some() && ours == filter.program, text: filter.to_string() };
    Ok(tcx.into_iter().map(program).chain(clsact.into_iter().map(filter)).collect())
}

/// A program for people.
#[must_use]
pub fn named(program: &LoadedProgram) -> String {
    match program.name.as_str() {
        "" => format!("program {}", program.id),
        name => format!("program {} \"{name}\"", program.id),
    }
}

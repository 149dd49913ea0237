//! `detach`: emergency off. It works whatever state the agent is in.

use serde_json::Value;
use sip_fw_core::SCHEMA;

use super::{CliError, Site, read};
use crate::control::client::{ask, no_agent};
use crate::control::protocol::{Failure, Request};
use crate::control::view::DetachedView;
use crate::kernel::{self, KernelError};
use crate::report::stderr_line;

/// Arguments of `detach`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Lets the agent take everything off and end; does it itself where none answers.
pub fn run(site: &Site, _args: &Args) -> Result<(), CliError> {
    let view = match by_agent(site) {
        Ok(Some(value)) => read(&value)?,
        Ok(None) => by_hand(site)?,
        Err(failure) => {
            stderr_line(&format!("sip-fw: {failure}; detaching without the agent"));
            by_hand(site)?
        }
    };
    if site.output.json {
        return Ok(site.output.json(&view)?);
    }
    Ok(site.output.text(&render(&view))?)
}

fn by_agent(site: &Site) -> Result<Option<Value>, Failure> {
    match ask(&site.paths, &Request::Detach)? {
        Some(mut replies) => replies.next_reply(),
        None => Ok(None),
    }
}

fn by_hand(site: &Site) -> Result<DetachedView, Failure> {
    let detached = kernel::detach(&site.paths.pins).map_err(|error| no_agent(&site.paths, &error))?;
    if detached.is_empty() {
        return Err(no_agent(&site.paths, &KernelError::NotAttached(site.paths.pins.clone())));
    }
    Ok(DetachedView { schema: SCHEMA, detached })
}

fn render(view: &DetachedView) -> String {
    let (maps, links): (Vec<_>, Vec<_>) = view.detached.iter().partition(|line| line.starts_with("removed map"));
    let mut text: String = links.iter().map(|line| format!("{line}\n")).collect();
    if !maps.is_empty() {
        text.push_str(&format!("removed {} maps: every ban, strike and counter is gone\n", maps.len()));
    }
    text.push_str("nothing is enforced any more; to protect this host again: sip-fw run\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendering() {
        let lines = ["detached egress-tcx from eth0 (v1)", "removed map BANS (v1)", "removed map PORTS (v1)"];
        let view = DetachedView { schema: SCHEMA, detached: lines.map(str::to_owned).to_vec() };
        assert_eq!(
            render(&view),
            "detached egress-tcx from eth0 (v1)\nremoved 2 maps: every ban, strike and counter is gone\n\
             nothing is enforced any more; to protect this host again: sip-fw run\n"
        );
    }
}

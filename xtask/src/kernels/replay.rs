//! Captures that another kernel must decide as this machine's does.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Files in tests/data/captures.
pub const CAPTURES: [&str; 3] = ["ast22-udp6.pcap", "ast22-tcp4.pcap", "baresip-bad.pcap"];
const LOCAL: [&str; 4] = ["10.98.1.1", "10.98.2.1", "fd98:1::1", "fd98:2::1"];

/// What `sip-fw replay` is told besides the capture.
pub fn arguments() -> impl Iterator<Item = &'static str> {
    std::iter::once("--json").chain(LOCAL.into_iter().flat_map(|address| ["--local", address]))
}

/// The summaries of the captures as this machine decides.
pub fn here(workspace: &Workspace) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for capture in CAPTURES {
        let path = workspace.root.join("tests/data/captures").join(capture);
        let mut replay = process::guarded(workspace.agent_binary());
        let said = process::stdout_of(replay.arg("replay").arg(path).args(arguments()))?;
        all.extend(summaries(said.lines()));
    }
    Ok(all)
}

/// The summaries among these lines.
pub fn summaries<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    lines.map(str::trim).filter(|line| line.starts_with("{\"summary\"")).map(str::to_owned).collect()
}

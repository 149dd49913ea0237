//! `sip-fw`: the firewall agent and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    sip_fw_agent::cli::main().into()
}

//! `sip-fw-demo`: the main job of sip-fw, shown in network namespaces of its own. See the module `demo`.

use std::process::ExitCode;

use clap::Parser as _;
use sip_fw_e2e::demo::{Arguments, run};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sip-fw-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! baresip, the softphone that tries a mistyped password fifteen times within milliseconds.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::family::uri_host;
use crate::netns::Host;
use crate::process::Process;

/// A running baresip with one account.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    _folder: TempDir,
}

impl Baresip {
    /// Starts it at the address `from` of `host`, registering with `account` at the PBX at `pbx`. It ends by itself after a minute.
    pub fn start(host: &Host, from: IpAddr, pbx: IpAddr, account: (&str, &str)) -> Result<Self> {
        let folder = TempDir::new()?;
        let (user, password) = account;
        let account = format!("<sip:{user}@{};transport=udp>;auth_pass={password};regint=60\n", uri_host(pbx));
        fs::write(folder.path().join("accounts"), account)?;
        fs::write(folder.path().join("contacts"), "")?;
        let config = format!(
            "poll_method epoll\nsip_listen {}:5090\nnet_interface {}\naudio_path /usr/share/baresip\nmodule_path /usr/lib/baresip/modules\n\
             module stdio.so\nmodule g711.so\nmodule ausine.so\nmodule_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n",
            uri_host(from),
            host.interface(),
        );
        fs::write(folder.path().join("config"), config)?;
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).args(["-t", "60"]);
        if from.is_ipv6() {
            command.arg("-6");
        }
        Ok(Self { process: host.spawn(command)?, _folder: folder })
    }

    /// Waits until it has ended, killing it after `limit`.
    pub fn stop(mut self, limit: Duration) -> String {
        self.process.signal(nix::sys::signal::Signal::SIGTERM);
        if self.process.wait(limit).is_err() {
            self.process.kill9();
        }
        format!("{}\n{}", self.process.stdout(), self.process.stderr())
    }
}

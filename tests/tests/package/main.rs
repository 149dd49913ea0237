//! The Debian package on a Debian 12 whose first process is systemd: installed, killed, upgraded, rebooted, removed, purged.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod install;
mod pages;
mod reboot;
mod remove;
mod service;
mod site;
mod upgrade;

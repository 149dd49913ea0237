//! What outlives the agent, its version, and the host's uptime: bans, known peers, strikes, events. Disks may fail meanwhile.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod disk;
mod kills;
mod reboot;
mod stage;
mod upgrade;

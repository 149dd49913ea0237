//! The socket between the CLI and the agent. Where no agent runs, the CLI answers itself from the pinned maps.

pub mod access;
pub mod admission;
pub mod answer;
pub mod client;
pub mod execute;
mod explain;
pub mod group;
pub mod import;
pub mod protocol;
pub mod server;
pub mod services;
pub mod view;
pub mod why;

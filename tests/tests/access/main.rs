//! Access rules as users see them: who gets through to which service, asked of the wire and of the PBX.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod allowlist;
mod apply;
mod bad_rules;
mod confirm;
mod countries;
mod detach;
mod feeds;
mod lockout;
mod names;
mod order;
mod stage;
mod trunk;
mod trust;

//! Attack tools against a real PBX behind sip-fw while good phones register and call: none of their registrations and none of
//! their calls is lost, whatever the tool does.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod dialling;
mod enumeration;
mod flood;
mod forgery;
mod guessing;
mod scanner;
mod siege;

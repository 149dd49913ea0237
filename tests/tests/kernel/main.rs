//! The kernel programs through BPF_PROG_TEST_RUN: no interface, no PBX, packets in and actions, counters and events out.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod access;
mod answers;
mod budget;
mod differential;
mod drops;
mod frames;
mod fuzz;
mod held_back;
mod hostile;
mod listing;
mod peers;
mod proof;
mod random;
mod rig;
mod seats;
mod threshold;

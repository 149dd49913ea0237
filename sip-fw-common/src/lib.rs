//! What the kernel programs and user space share, so that both always agree.
//!
//! * [`abi`]: the layout of every map key and value, and the names of maps and programs.
//! * [`limits`]: every bound, with its unit and its reason.
//! * [`sip`]: the scanner of SIP heads; the same code runs in the kernel, in tests and in replay.
//! * [`request`]: what is remembered of a request.
//! * [`rules`]: a rule set as the programs read it: settings, ports, services, access rules.
//! * [`bucket`]: message rates.
//! * [`signature`]: what scanners write.
//! * [`judge`]: what an answer means for the attempt it answers.
//! * [`ladder`]: how long a ban lasts.
//! * [`wire`]: the headers below SIP.
//! * [`reason`]: what was seen of a packet, in stable numbers.
//!
//! Nothing here allocates, panics, reads a clock or loops without a bound.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

pub mod abi;
pub mod bucket;
pub mod checksum;
pub mod hash;
pub mod head;
pub mod judge;
pub mod ladder;
pub mod limits;
pub mod reason;
pub mod request;
pub mod rules;
pub mod signature;
pub mod sip;
pub mod wire;

//! What sip-fw decides in user space: values in, commands out. Nothing here knows a clock, a socket or a kernel.
//!
//! * [`controller`]: turns kernel events, ticks and operators' wishes into commands.
//! * [`ledger`]: what is remembered of each source beyond the kernel's maps.
//! * [`peers`], [`conduct`], [`patience`]: how known peers behave, everybody else, and whoever takes his time.
//! * [`rules`]: access rules, compiled to what the programs look up.
//! * [`record`], [`more`]: the events people read, and those that were only counted.
//! * [`source`], [`guard`]: addresses as people write them, and those that must never be banned.
//! * [`time`], [`duration`], [`text`], [`bucket`]: small values.
//! * [`limits`]: every bound, with its unit and its reason.
#![forbid(unsafe_code)]

pub mod bucket;
pub mod conduct;
pub mod controller;
pub mod duration;
pub mod guard;
pub mod ledger;
pub mod limits;
pub mod more;
pub mod patience;
pub mod peers;
pub mod record;
pub mod rules;
pub mod source;
pub mod text;
pub mod time;

/// Version of every JSON document and stream that sip-fw prints.
pub const SCHEMA: u32 = 1;

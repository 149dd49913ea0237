//! End-to-end bed of sip-fw: network namespaces, taps, SIP actors, real PBXs, and the guard of the `sip-fw` process.
//!
//! Nothing here uses the product's own scanner or maps: what a test asserts was seen on a wire or answered by a PBX.
//! Except [`judge`], which plays scenarios through the kernel programs without a wire.

pub mod actors;
pub mod agent;
pub mod browser;
pub mod demo;
pub mod family;
pub mod http;
pub mod judge;
pub mod lock;
pub mod machine;
pub mod model;
pub mod netns;
pub mod pcap;
pub mod peers;
pub mod process;
pub mod random;
pub mod registrar;
pub mod require;
pub mod scene;
pub mod screen;
pub mod sip;
pub mod wait;
pub mod wire;

pub use agent::{Agent, Policy};
pub use family::Family;
pub use netns::{Bed, Host};
pub use require::{require, require_agent};
pub use scene::Scene;
pub use wire::Tap;

/// The port every PBX of the bed listens on.
pub const SIP_PORT: u16 = 5060;

/// Makes tests `v4::NAME` and `v6::NAME` of functions `NAME(Family)`.
#[macro_export]
macro_rules! over_both_families {
    ($($name:ident),+ $(,)?) => {
        mod v4 {
            $(#[test] fn $name() { super::$name($crate::Family::V4); })+
        }
        mod v6 {
            $(#[test] fn $name() { super::$name($crate::Family::V6); })+
        }
    };
}

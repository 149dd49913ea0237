//! What was really on the wire: packet taps, the SIP messages in them, and the count of failures they show.

mod capture;
mod frame;
mod tally;
mod tap;

pub use frame::{Opening, Seen};
pub use tally::{Tally, tally};
pub use tap::Tap;

/// Which way a packet went, seen from the tapped interface's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Received by the interface.
    In,
    /// Sent by the interface.
    Out,
}

//! A SIP message builder and reader for tests, independent of the product's scanner.

mod digest;
mod message;
mod request;
mod token;

pub use digest::{Challenge, Credentials, md5_hex, parameter};
pub use message::Message;
pub use request::Request;
pub use token::token;

use std::fmt;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram per message.
    Udp,
    /// A stream.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

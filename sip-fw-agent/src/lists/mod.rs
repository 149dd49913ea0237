//! Where the addresses of access rules come from when they are not written in the configuration.
//!
//! [`Memory::prepare`] reads what a new configuration asks for, [`Lists::adopt`] makes it the current set, and
//! [`Lists::changed`] says what became of it since. Whatever fails later, the last known addresses stay.

mod aside;
mod ask;
mod country;
mod disk;
mod feed;
mod feed_json;
mod feed_text;
mod fetch;
mod file;
mod host;
mod keeper;
mod known;
mod memory;
mod net;
mod pace;
mod prepare;
mod watch;

#[cfg(test)]
mod test_dns;
#[cfg(test)]
mod tests;

pub use country::{CountryError, Locator};
pub use feed_text::{FeedTextError, Parsed, parse as parse_feed};
pub use file::{FileError, parse as parse_file};
pub use keeper::Lists;
pub use known::{Change, Entry, Fault, Named, Snapshot, Wanted, What};
pub use memory::Memory;
pub use net::LIST_NETS_MAX;
pub use prepare::Prepared;

//! The bed: namespaces `pbx`, `office`, `attacker`, `spoofer` and `carrier` around one bridge, gone when the guard is dropped.
//!
//! Every host owns all of 10.98.N.0/24 and fd98:N::/64 (AnyIP) and is reached through its first address, so that thousands of
//! sources need neither configuration nor neighbour entries. Addresses from 10.98.128.0 and fd98:8000:: up live nowhere.

mod bed;
mod host;
mod namespace;

pub use bed::Bed;
pub use host::Host;
pub use namespace::{Namespace, is_stale};

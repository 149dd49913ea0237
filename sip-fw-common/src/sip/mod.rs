//! Reading SIP heads (RFC 3261 §7, §25): as much as the judgement needs, and no more.

mod found;
mod scan;
mod start_line;
mod uri;
mod words;

pub use found::Scan;
pub use scan::{Cursor, scan, scan_chunk};
pub use start_line::{StartLine, message_start, start_line};
pub use uri::uri_user;

//! What the agent asks of the host it runs on.

mod candidates;
mod changes;
mod own;
mod process;
mod resolver;
mod routes;
mod sessions;

pub use self::candidates::{Candidate, candidates};
pub use self::changes::InterfaceChanges;
pub use self::own::own_addresses;
pub use self::process::{effective_uid, lift_memory_lock_limit, random_seed, without_others};
pub use self::resolver::name_servers;
pub use self::routes::gateways;
pub use self::sessions::{Session, management_sessions};

//! What the agent asks of the host it runs on.

mod candidates;
mod changes;
mod filters;
mod links;
mod listeners;
mod netlink;
mod offloads;
mod own;
mod process;
mod resolver;
mod routes;
mod sessions;
mod wall_clock;

pub use self::candidates::{Candidate, candidates};
pub use self::changes::InterfaceChanges;
pub use self::filters::{Filter, filters};
pub use self::links::{Interface, driver, interfaces};
pub use self::listeners::{Listener, listeners};
pub use self::offloads::offloads;
pub use self::own::{interface_addresses, own_addresses};
pub use self::process::{effective_uid, lift_memory_lock_limit, random_seed, without_others};
pub use self::resolver::name_servers;
pub use self::routes::gateways;
pub use self::sessions::{Session, management_sessions};
pub use self::wall_clock::clock_keeper;

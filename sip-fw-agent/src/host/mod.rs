//! What the agent asks of the host it runs on.

mod own;
mod process;

pub use self::own::own_addresses;
pub use self::process::{effective_uid, lift_memory_lock_limit, random_seed, without_others};

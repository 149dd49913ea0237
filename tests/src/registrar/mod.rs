//! The built-in PBX: a SIP registrar over UDP and TCP with digest authentication and a nonce of its own for every challenge.

mod engine;
mod server;

pub use engine::{Answered, Dialect, Engine, Settings};
pub use server::Registrar;

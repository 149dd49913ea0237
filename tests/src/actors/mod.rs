//! Who talks to the PBX: good phones, password guessers, and somebody who writes other people's addresses into his packets.

mod client;
mod fleet;
mod guesser;
mod phone;
mod spoofer;

pub use client::Client;
pub use fleet::{Fleet, FleetReport};
pub use guesser::{Guess, Guesser, NonceHabit};
pub use phone::{Phone, Registration};
pub use spoofer::Spoofer;

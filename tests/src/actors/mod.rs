//! Who talks to the PBX: good phones, password guessers, people with other business on the host,
//! and somebody who writes other people's addresses into his packets.

mod churn;
mod client;
mod fleet;
mod guesser;
mod pairs;
mod phone;
mod session;
mod spoofer;

pub use churn::{Churned, churn};
pub use client::Client;
pub use fleet::{Fleet, FleetReport};
pub use guesser::{Guess, Guesser, NonceHabit};
pub use pairs::{Pairs, Report, Verdict};
pub use phone::{Phone, Registration};
pub use session::Session;
pub use spoofer::Spoofer;

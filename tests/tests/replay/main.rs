//! `sip-fw replay`: every capture against an independent count, and what a user may expect of the verb.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod bad_files;
mod corpora;
mod counter;
mod drops;
mod golden;
mod run;
mod speed;
mod variants;

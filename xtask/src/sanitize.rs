//! The tests of what is `unsafe` in user space, under the address sanitizer.
//!
//! The sanitizer is an unstable flag of the compiler, its library comes with the stable one: `RUSTC_BOOTSTRAP` allows the flag.

use anyhow::Result;

use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Packages whose tests reach `unsafe` of user space; `docs/fuzzing.md` says which test reaches which.
const TESTS: &[&[&str]] = &[
    &["--package", "sip-fw-common", "--features", "user", "--lib"],
    &["--package", "sip-fw-core"],
    &["--package", "sip-fw-agent", "--lib", "kernel"],
    // As root, these two.
    &["--package", "sip-fw-e2e", "--test", "bed", "--", "phones_register", "a_bed_leaves"],
    &["--package", "sip-fw-e2e", "--test", "kernel", "--", "seats::", "listing::"],
];

/// Builds and runs them.
pub fn run(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let host = workspace.host()?;
    for tests in TESTS {
        steps.stream(&format!("address sanitizer: {}", tests.join(" ")), || {
            let mut command = workspace.cargo(&["test", "--target", &host]);
            command.args(*tests);
            command.env("RUSTFLAGS", "-Zsanitizer=address").env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_DIR", workspace.target.join("sanitize"));
            process::run(&mut command)
        })?;
    }
    Ok(())
}

//! What the doctor says: one finding for each check.

use serde::Serialize;
use sip_fw_core::SCHEMA;

/// How it stands with what was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth knowing, or not to be told from here.
    Note,
    /// Protects less than it could.
    Warning,
    /// Something is not protected.
    Problem,
}

/// What belongs together; findings are listed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The agent and its configuration.
    Agent,
    /// What the programs need of the kernel.
    Kernel,
    /// The programs on their interfaces, and what is in their way.
    Attachment,
    /// Who listens, and whether it is protected.
    Services,
    /// How the PBX refuses, and what its nonces prove.
    Pbx,
    /// What was seen.
    Traffic,
    /// The clocks.
    Clock,
    /// What must outlive a reboot.
    Store,
    /// A packet that must be dropped.
    Canary,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it belongs to.
    pub group: Group,
    /// Name of the check.
    pub check: &'static str,
    /// What was checked, where a check is made of several: an interface, a service, a port.
    pub subject: Option<String>,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub text: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Finding {
    /// As it should be, with nothing to do.
    #[must_use]
    pub fn ok(group: Group, check: &'static str, text: impl Into<String>) -> Self {
        Self::new(group, check, State::Ok, text)
    }

    /// In any state.
    #[must_use]
    pub fn new(group: Group, check: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { group, check, subject: None, state, text: text.into(), advice: None }
    }

    /// Of one of several.
    #[must_use]
    pub fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// `doctor`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of these keys.
    pub schema: u32,
    /// The worst state among the findings.
    pub state: State,
    /// Whether an agent answers.
    pub agent_running: bool,
    /// What was found, by group.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Of findings in any order.
    #[must_use]
    pub fn new(agent_running: bool, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.group);
        let state = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
        Self { schema: SCHEMA, state, agent_running, findings }
    }
}

/// A finding of what could not be looked at.
#[must_use]
pub fn unknown(group: Group, check: &'static str, why: impl std::fmt::Display) -> Finding {
    Finding::new(group, check, State::Note, format!("cannot be told: {why}"))
}

//! What is decided, in numbers that fit into the tables.

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Passes the gate, and is judged.
    Allow,
    /// Dropped.
    Deny,
    /// Never inspected, never banned.
    Trust,
}

/// What is decided for a source at a service, and by which rule: in the lower 30 bits, beside [`super::DIRECT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decision(pub u32);

impl Decision {
    /// Rules at most: so many numbers fit.
    pub const RULES_MAX: u32 = 1 << 27;
    const ACTION_SHIFT: u32 = 28;
    const LEARNED: u32 = 1 << 27;

    /// A decision by the rule of this number.
    #[must_use]
    pub const fn new(action: Action, rule: u32) -> Self {
        let action = match action {
            Action::Allow => 0,
            Action::Deny => 1,
            Action::Trust => 2,
        };
        Self(action << Self::ACTION_SHIFT | rule)
    }

    /// The same, but the service's rule for known peers stands before it.
    #[must_use]
    pub const fn unless_learned(self) -> Self {
        Self(self.0 | Self::LEARNED)
    }

    /// Whether the service's rule for known peers stands before it.
    #[inline(always)]
    #[must_use]
    pub const fn asks_for_peers(self) -> bool {
        self.0 & Self::LEARNED != 0
    }

    /// What is done.
    #[inline(always)]
    #[must_use]
    pub const fn action(self) -> Action {
        match self.0 >> Self::ACTION_SHIFT {
            0 => Action::Allow,
            1 => Action::Deny,
            _ => Action::Trust,
        }
    }

    /// Number of the rule.
    #[inline(always)]
    #[must_use]
    pub const fn rule(self) -> u32 {
        self.0 & (Self::RULES_MAX - 1)
    }
}

/// A service in one word.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ServiceEntry(pub u64);

impl ServiceEntry {
    /// A service. `learned` is the decision of its first rule for known peers, if there is one.
    #[must_use]
    pub const fn new(kind: u8, refusal: u8, learned: Decision) -> Self {
        Self(kind as u64 | (refusal as u64) << 8 | (learned.0 as u64) << 32)
    }

    /// A [`crate::abi::ServiceKind`], or 0 for none.
    #[inline(always)]
    #[must_use]
    pub const fn kind(self) -> u8 {
        self.0 as u8
    }

    /// How it refuses, see the `refusal` of the configuration: 1 if a wrong password gets only another challenge, so that 403
    /// and 404 after credentials never mean guessing, 2 if it gets 403, 0 if the form of the nonces tells.
    #[inline(always)]
    #[must_use]
    pub const fn refusal(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The decision for known peers, where [`Decision::asks_for_peers`].
    #[inline(always)]
    #[must_use]
    pub const fn learned(self) -> Decision {
        Decision((self.0 >> 32) as u32)
    }
}

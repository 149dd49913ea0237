//! What an answer means for the request it answers. Pure; every reply of every PBX is a row of its tests.

use crate::abi::Method;

/// How a PBX refuses a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// With 403 or 404 (chan_sip, FreeSWITCH, 3CX), or nobody knows: 403 and 404 after credentials are failures.
    Forbidden,
    /// Always with another challenge (chan_pjsip): its 403 and 404 come after a right password.
    Challenge,
}

/// What a final answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not final (1xx).
    Provisional,
    /// A request without credentials was challenged; the normal first answer.
    Challenge,
    /// The nonce was too old; says nothing about the password.
    Stale,
    /// The attempt succeeded.
    Success,
    /// The attempt failed.
    Failure,
    /// Says nothing about a password.
    Neutral,
}

/// One answer, and what is known of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Method of the request.
    pub method: Method,
    /// The request had Digest credentials: it was an attempt.
    pub attempt: bool,
    /// The answer's challenge has `stale=true`.
    pub stale: bool,
    /// The dialect of this PBX.
    pub refusal: Refusal,
}

/// Judges an answer.
///
/// An OPTIONS answered with 2xx is no success: PBXs answer it without looking at credentials, so it would
/// let a guesser clear his own strikes.
#[inline(always)]
#[must_use]
pub fn outcome(answer: &Answer) -> Outcome {
    let refused = matches!(answer.refusal, Refusal::Forbidden);
    match (answer.status, answer.attempt) {
        (0..=199, _) => Outcome::Provisional,
        (401 | 407, false) => Outcome::Challenge,
        (_, false) => Outcome::Neutral,
        (401 | 407, true) if answer.stale => Outcome::Stale,
        (401 | 407, true) => Outcome::Failure,
        (403, true) if refused => Outcome::Failure,
        (404, true) if refused && matches!(answer.method, Method::Register) => Outcome::Failure,
        (200..=299, true) if !matches!(answer.method, Method::Options) => Outcome::Success,
        (_, true) => Outcome::Neutral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, method: Method, attempt: bool, stale: bool, refusal: Refusal) -> Outcome {
        outcome(&Answer { status, method, attempt, stale, refusal })
    }

    #[test]
    fn every_reply() {
        use Method::{Invite, Options, Register};
        use Outcome::{Challenge, Failure, Neutral, Provisional, Stale, Success};
        let rows = [
            (401, Register, false, false, Refusal::Forbidden, Challenge, "first challenge"),
            (407, Invite, false, false, Refusal::Forbidden, Challenge, "first challenge of a proxy"),
            (401, Register, true, false, Refusal::Forbidden, Failure, "wrong password: pjsip, Kamailio, OpenSIPS"),
            (407, Invite, true, false, Refusal::Forbidden, Failure, "wrong password: Kamailio, OpenSIPS"),
            (401, Register, true, true, Refusal::Forbidden, Stale, "old nonce"),
            (407, Invite, true, true, Refusal::Challenge, Stale, "old nonce"),
            (403, Register, true, false, Refusal::Forbidden, Failure, "wrong password: chan_sip, FreeSWITCH"),
            (403, Invite, true, false, Refusal::Forbidden, Failure, "wrong password: chan_sip, FreeSWITCH"),
            (403, Register, true, false, Refusal::Challenge, Neutral, "right password, contacts full: pjsip"),
            (404, Register, true, false, Refusal::Forbidden, Failure, "3CX"),
            (404, Register, true, false, Refusal::Challenge, Neutral, "right password, other's AOR: pjsip"),
            (404, Invite, true, false, Refusal::Forbidden, Neutral, "right password, unknown number"),
            (403, Register, false, false, Refusal::Forbidden, Neutral, "access list of the PBX"),
            (404, Register, false, false, Refusal::Forbidden, Neutral, "unknown user, alwaysauthreject=no"),
            (200, Register, true, false, Refusal::Forbidden, Success, "right password"),
            (202, Register, true, false, Refusal::Forbidden, Success, "right password"),
            (200, Options, true, false, Refusal::Forbidden, Neutral, "nobody looked at the credentials"),
            (200, Options, false, false, Refusal::Forbidden, Neutral, "keep-alive"),
            (100, Invite, true, false, Refusal::Forbidden, Provisional, "trying"),
            (183, Invite, true, false, Refusal::Forbidden, Provisional, "ringing"),
            (486, Invite, true, false, Refusal::Forbidden, Neutral, "busy"),
            (503, Register, true, false, Refusal::Forbidden, Neutral, "overload"),
        ];
        for (status, method, attempt, stale, refusal, expected, why) in rows {
            assert_eq!(judge(status, method, attempt, stale, refusal), expected, "{status}: {why}");
        }
    }
}

//! The clocks: the kernel's for deadlines, the wall's for what must outlive a reboot.

use sip_fw_common::abi::Live;
use sip_fw_core::time::Timestamp;

use super::finding::{Finding, Group, State, unknown};

/// No host can think that it is earlier: 2026-01-01T00:00:00Z.
const EARLIEST: Timestamp = Timestamp { unix_ms: 1_767_225_600_000 };

/// What is known of the clocks.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The wall clock.
    pub wall: Timestamp,
    /// The program that keeps it right.
    pub keeper: Option<String>,
    /// What the kernel programs go by; None where nothing is attached.
    pub live: Option<Result<Live, String>>,
}

/// What is to be said of them.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![wall(facts)];
    findings.extend(facts.live.as_ref().map(kernel));
    findings
}

fn wall(facts: &Facts) -> Finding {
    let found = |state, text: String| Finding::new(Group::Clock, "wall-clock", state, text);
    let advice = "run chrony or systemd-timesyncd: after a reboot, bans go on until times of this clock";
    match &facts.keeper {
        _ if facts.wall < EARLIEST => found(State::Problem, format!("it says {}", facts.wall)).advise(advice),
        Some(keeper) => found(State::Ok, format!("{keeper} keeps it right")),
        None => found(State::Note, "no program that keeps it right is seen here".to_owned()).advise(advice),
    }
}

fn kernel(live: &Result<Live, String>) -> Finding {
    match live {
        Ok(live) if live.fixed_now_ns != 0 || live.clock_offset_ns != 0 => {
            Finding::new(Group::Clock, "kernel-clock", State::Problem, "the programs' clock was moved, as tests do")
                .advise("sip-fw detach, then sip-fw run")
        }
        Ok(_) => Finding::ok(Group::Clock, "kernel-clock", "the programs go by the kernel's clock"),
        Err(error) => unknown(Group::Clock, "kernel-clock", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(unix_ms: i64, keeper: Option<&str>, live: Live) -> Vec<State> {
        let facts = Facts { wall: Timestamp { unix_ms }, keeper: keeper.map(str::to_owned), live: Some(Ok(live)) };
        judge(&facts).into_iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn clocks() {
        let now = EARLIEST.unix_ms + 1;
        assert_eq!(EARLIEST.to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(states(now, Some("chronyd"), Live::default()), [State::Ok, State::Ok]);
        assert_eq!(states(now, None, Live::default()), [State::Note, State::Ok]);
        let moved = Live { clock_offset_ns: 1, ..Live::default() };
        assert_eq!(states(0, Some("chronyd"), moved), [State::Problem, State::Problem]);
    }
}

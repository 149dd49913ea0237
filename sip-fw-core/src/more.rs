//! Failures that were counted and not told one by one: how a record says so, and how that is read again.

/// Says so.
#[must_use]
pub fn more_failures(count: u64, kind: &str) -> String {
    format!("{count} more {kind} failures")
}

/// How many failures a reason tells of besides its own.
#[must_use]
pub fn failures_besides(reason: &str) -> u64 {
    let Some(rest) = reason.strip_suffix(" failures") else { return 0 };
    let mut words = rest.rsplit(' ').skip(1);
    match (words.next(), words.next()) {
        (Some("more"), Some(count)) => count.parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_again() {
        for kind in ["proven", "unproven"] {
            assert_eq!(failures_besides(&more_failures(12, kind)), 12);
            assert_eq!(failures_besides(&format!("answered 401, {kind} and {}", more_failures(7, kind))), 7);
        }
        for other in ["", "answered 403", "5 auth failures", "failures", "more proven failures", "x more y failures"] {
            assert_eq!(failures_besides(other), 0, "{other}");
        }
    }
}

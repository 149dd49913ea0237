//! Lengths of time as people write them: `30s`, `10m`, `1h`, `1d`, `1w`.

use std::fmt;
use std::time::Duration;

const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];

/// A text that is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is a whole number and a unit: 30s, 10m, 1h, 1d, 1w")]
pub struct DurationError;

/// Reads a whole number with one unit.
///
/// # Errors
///
/// When the number or the unit is missing, or the number is too large.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| DurationError)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(DurationError),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(DurationError)
}

/// Displays a length of time with its two largest units, rounded down: `1m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short(pub Duration);

impl Short {
    /// From nanoseconds.
    #[must_use]
    pub const fn nanos(nanos: u64) -> Self {
        Self(Duration::from_nanos(nanos))
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seconds = self.0.as_secs();
        let Some(first) = UNITS.iter().position(|(length, _)| seconds >= *length) else {
            return f.write_str("0s");
        };
        for (length, unit) in UNITS.iter().skip(first).take(2) {
            if seconds >= *length {
                write!(f, "{}{unit}", seconds / length)?;
                seconds %= length;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_unit() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h", 3600), ("1d", 86_400), ("1w", 604_800), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in
            ["", "90", "m", "1 m", "-1m", "1.5h", "1h30m", "1y", "99999999999999999999s", "9999999999999999999w"]
        {
            assert_eq!(parse(wrong), Err(DurationError), "{wrong}");
        }
    }

    #[test]
    fn shows_two_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (5400, "1h30m"), (604_800, "7d"), (86_461, "1d")] {
            assert_eq!(Short(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}

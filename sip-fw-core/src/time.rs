//! Points in time: the kernel's clock for decisions, the wall clock for people.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sip_fw_common::abi::UNTIL_LIFTED_NS;

const DAY_MS: i64 = 86_400_000;

/// Now, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The clock of the kernel programs, in nanoseconds.
    pub kernel_ns: u64,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Time {
    /// The wall clock at another point of the kernel's clock.
    #[must_use]
    pub fn wall_of(self, kernel_ns: u64) -> Timestamp {
        let distance_ms = (i128::from(kernel_ns) - i128::from(self.kernel_ns)).div_euclid(1_000_000);
        let distance_ms = i64::try_from(distance_ms).unwrap_or(i64::MAX);
        Timestamp { unix_ms: self.wall.unix_ms.saturating_add(distance_ms) }
    }

    /// The kernel's clock at another point of the wall clock: 1 where that was before the clock began, with the boot of this host.
    #[must_use]
    pub fn kernel_of(self, wall: Timestamp) -> u64 {
        let distance_ns = (i128::from(wall.unix_ms) - i128::from(self.wall.unix_ms)) * 1_000_000;
        u64::try_from((i128::from(self.kernel_ns) + distance_ns).max(1)).unwrap_or(UNTIL_LIFTED_NS - 1)
    }

    /// The deadline of a ban for people.
    #[must_use]
    pub fn until(self, until_ns: u64) -> Until {
        if until_ns == UNTIL_LIFTED_NS { Until::Lifted } else { Until::At(self.wall_of(until_ns)) }
    }
}

/// A point of the wall clock. Displayed as RFC 3339 in UTC, with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.unix_ms.div_euclid(DAY_MS));
        let ms = self.unix_ms.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

/// A text that is no time of the form `2026-11-22T03:50:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time looks like 2026-11-22T03:50:00.123Z")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let number = |from: usize, to: usize| -> Result<i64, TimestampError> {
            let digits = text.get(from..to).ok_or(TimestampError)?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(TimestampError);
            }
            digits.parse().map_err(|_| TimestampError)
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second, ms) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
        let unix_ms = days(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms;
        let parsed = Self { unix_ms };
        if parsed.to_string() == text { Ok(parsed) } else { Err(TimestampError) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// When a ban ends. In JSON a time, or null for a ban that only an operator ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// At this time.
    At(Timestamp),
    /// When an operator lifts it.
    Lifted,
}

impl Until {
    /// Reads a key that may be missing: where it is there, null means something.
    ///
    /// # Errors
    ///
    /// When it is neither null nor a time.
    pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize(deserializer).map(Some)
    }
}

impl Serialize for Until {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(time) => time.serialize(serializer),
            Self::Lifted => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Lifted, Self::At))
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html>).
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    (year, month, day)
}

/// The inverse of [`civil`].
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_319_400_123, "2026-11-22T03:50:00.123Z"),
        ] {
            assert_eq!(Timestamp { unix_ms }.to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp { unix_ms }));
        }
        for wrong in ["", "2026-02-30T00:00:00.000Z", "2026-11-22 03:50:00.123Z", "2026-11-22T03:50:00Z", "é"] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(TimestampError), "{wrong}");
        }
    }

    #[test]
    fn kernel_clock_to_wall_clock() {
        let now = Time { kernel_ns: 5_000_000_000, wall: Timestamp { unix_ms: 10_000 } };
        assert_eq!(now.wall_of(6_500_000_000).unix_ms, 11_500);
        assert_eq!(now.wall_of(4_000_000_000).unix_ms, 9_000);
        assert_eq!(now.until(UNTIL_LIFTED_NS), Until::Lifted);
        assert_eq!(now.kernel_of(Timestamp { unix_ms: 11_500 }), 6_500_000_000);
        assert_eq!(now.kernel_of(Timestamp { unix_ms: 5_000 }), 1, "before the boot");
        assert_eq!(now.kernel_of(Timestamp { unix_ms: i64::MAX }), UNTIL_LIFTED_NS - 1);
    }
}

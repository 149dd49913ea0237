//! Tables for terminals: columns as wide as their widest cell, two spaces between them.

use std::time::Duration;

use sip_fw_core::duration::Short;
use sip_fw_core::time::{Timestamp, Until};

/// A column.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Text, aligned left.
    Text(&'static str),
    /// Numbers, aligned right.
    Number(&'static str),
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Text(title) | Self::Number(title) => title,
        }
    }
}

/// Renders a table, its header first.
#[must_use]
pub fn table<const N: usize>(columns: [Column; N], rows: &[[String; N]]) -> String {
    let mut widths = columns.map(|column| column.title().len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let header = columns.map(|column| column.title().to_owned());
    let mut text = String::new();
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(columns).zip(widths) {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            match column {
                Column::Text(_) => line.extend([cell, pad.as_str(), "  "]),
                Column::Number(_) => line.extend([pad.as_str(), cell, "  "]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text that may be missing.
#[must_use]
pub fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// A number that says nothing when it is 0.
#[must_use]
pub fn above_zero(number: u64) -> String {
    if number == 0 { "-".to_owned() } else { number.to_string() }
}

/// How long a ban still lasts.
#[must_use]
pub fn left(until: Until, now: Timestamp) -> String {
    match until {
        Until::Lifted => "until lifted".to_owned(),
        Until::At(time) if time <= now => "ended".to_owned(),
        Until::At(time) => distance(time, now),
    }
}

/// When something was.
#[must_use]
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    match distance(time, now).as_str() {
        "0s" => "now".to_owned(),
        distance => format!("{distance} ago"),
    }
}

/// The time between two points, to the nearest second: a ban of an hour that just began lasts an hour.
#[must_use]
pub fn distance(time: Timestamp, now: Timestamp) -> String {
    Short(Duration::from_millis(time.unix_ms.abs_diff(now.unix_ms).saturating_add(500))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let rows = [["203.0.113.9".to_owned(), "7".to_owned()], ["é".to_owned(), "1234567".to_owned()]];
        let text = table([Column::Text("SOURCE"), Column::Number("DROPS")], &rows);
        assert_eq!(text, "SOURCE         DROPS\n203.0.113.9        7\né            1234567\n");
        assert_eq!(table([Column::Text("A")], &[]), "A\n");
    }

    #[test]
    fn time_left() {
        let now = Timestamp { unix_ms: 10_000 };
        assert_eq!(left(Until::Lifted, now), "until lifted");
        assert_eq!(left(Until::At(now), now), "ended");
        assert_eq!(left(Until::At(Timestamp { unix_ms: 70_999 }), now), "1m1s");
        assert_eq!(ago(Timestamp { unix_ms: 9600 }, now), "now");
        assert_eq!(ago(Timestamp { unix_ms: 7600 }, now), "2s ago");
    }
}

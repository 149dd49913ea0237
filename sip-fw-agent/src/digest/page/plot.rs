//! Columns over days or hours as inline SVG.

use maud::{Markup, html};

const WIDTH: usize = 720;
const HEIGHT: usize = 200;
/// Room for the numbers at the left, and for the names below.
const LEFT: usize = 44;
const BELOW: usize = 22;
const ABOVE: usize = 10;
/// Names below the columns; more would run into each other.
const NAMES_MAX: usize = 12;

/// A column.
pub struct Column {
    /// What stands below it.
    pub name: String,
    /// What it says when it is pointed at.
    pub title: String,
    /// Its parts from the bottom: a CSS colour and a number each.
    pub parts: Vec<(&'static str, u64)>,
}

impl Column {
    fn total(&self) -> u64 {
        self.parts.iter().map(|(_, count)| count).fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Draws columns; `label` says what they are to those who do not see them.
pub fn columns(label: &str, columns: &[Column]) -> Markup {
    let top = round_up(columns.iter().map(Column::total).max().unwrap_or(0));
    let base = (HEIGHT - BELOW) as f64;
    let height = |count: u64| count as f64 / top as f64 * (base - ABOVE as f64);
    let step = (WIDTH - LEFT) as f64 / columns.len().max(1) as f64;
    let bar = (step * 0.8).min(60.0);
    let every = columns.len().div_ceil(NAMES_MAX).max(1);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            @for tick in ticks(top) {
                @let y = base - height(tick);
                line class="grid" x1=(LEFT) x2=(WIDTH) y1=(number(y)) y2=(number(y)) {}
                text x=(LEFT - 6) y=(number(y + 4.0)) text-anchor="end" { (tick) }
            }
            @for (n, column) in columns.iter().enumerate() {
                @let middle = LEFT as f64 + (n as f64 + 0.5) * step;
                g class="column" {
                    title { (column.title) }
                    @for (from, colour, count) in stacked(column) {
                        rect x=(number(middle - bar / 2.0)) y=(number(base - height(from + count))) width=(number(bar))
                            height=(number(height(count))) style={ "fill:" (colour) } {}
                    }
                }
                @if n % every == 0 {
                    text x=(number(middle)) y=(HEIGHT - 6) text-anchor="middle" { (column.name) }
                }
            }
        }
    }
}

/// Where each part that is there begins.
fn stacked(column: &Column) -> Vec<(u64, &'static str, u64)> {
    let mut from = 0_u64;
    let mut parts = Vec::new();
    for (colour, count) in &column.parts {
        if *count > 0 {
            parts.push((from, *colour, *count));
            from = from.saturating_add(*count);
        }
    }
    parts
}

/// The next number that people count to: 1, 2, 4, 10, 20, 40, 100, …
fn round_up(count: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        if let Some(round) = [1, 2, 4].into_iter().map(|n| power.saturating_mul(n)).find(|round| *round >= count) {
            return round;
        }
        power = power.saturating_mul(10);
    }
}

fn ticks(top: u64) -> Vec<u64> {
    if top < 2 { vec![0, top] } else { vec![0, top / 2, top] }
}

/// A length without digits that nobody sees.
fn number(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (count, top) in [(0, 1), (1, 1), (3, 4), (5, 10), (11, 20), (41, 100), (400, 400)] {
            assert_eq!(round_up(count), top, "{count}");
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn heights_are_proportional() {
        let column = |name: &str, parts| Column { name: name.to_owned(), title: name.to_owned(), parts };
        let drawn = columns("x", &[column("a", vec![("red", 2), ("blue", 2)]), column("<b>", vec![("red", 1)])]);
        let drawn = drawn.into_string();
        assert_eq!(drawn.matches("height=\"84.0\"").count(), 2, "{drawn}");
        assert_eq!(drawn.matches("height=\"42.0\"").count(), 1, "{drawn}");
        assert!(drawn.contains("&lt;b&gt;"), "{drawn}");
        assert!(!columns("nothing", &[]).into_string().contains("NaN"));
    }
}

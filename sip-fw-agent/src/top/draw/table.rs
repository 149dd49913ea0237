//! The table of sources or bans, and more about the one under the cursor.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table as Grid, TableState, Wrap};
use sip_fw_core::time::Until;

use super::super::entry::{Entry, Table};
use super::{Scene, headed};
use crate::report::table::{above_zero, ago, left};

/// From this width on there is room for the last two columns.
const WIDE: u16 = 100;
/// The shortest and the longest column of sources: an IPv4 address, and an IPv6 /64 as they mostly are.
const SOURCE_CHARS: (usize, usize) = (15, 23);

/// The table.
pub fn table(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { view, theme, .. } = scene;
    let (entries, at) = view.entries(scene.live);
    let area = headed(frame, area, theme, &heading(scene, entries.len()));
    let longest = entries.iter().map(|entry| entry.source.len()).max().unwrap_or(0);
    let source = u16::try_from(longest.clamp(SOURCE_CHARS.0, SOURCE_CHARS.1)).unwrap_or(u16::MAX);
    let mut widths: Vec<_> = [source, 7, 6, 4, 7, 8].map(Constraint::Length).to_vec();
    let seen = if view.table == Table::Bans { "BEGAN" } else { "SEEN" };
    let mut titles = vec!["SOURCE", "STATE", "LEFT", "STEP", " FAILED", " DROPPED"];
    if area.width >= WIDE {
        widths.extend([Constraint::Length(8), Constraint::Fill(2), Constraint::Fill(3)]);
        titles.extend([seen, "USERS", "WHY"]);
    } else {
        widths.push(Constraint::Fill(1));
        titles.push("USERS");
    }
    let rows = entries.iter().map(|entry| row(entry, scene, area.width >= WIDE));
    let grid = Grid::new(rows, widths)
        .column_spacing(2)
        .header(Row::new(titles).style(theme.dim()))
        .row_highlight_style(theme.marked());
    let mut state = TableState::new().with_selected(at);
    frame.render_stateful_widget(grid, area, &mut state);
}

fn heading(scene: Scene<'_>, shown: usize) -> String {
    let Scene { view, .. } = scene;
    let what = match view.table {
        Table::Sources => "sources",
        Table::Bans => "bans and shuns",
    };
    let order = view.sort.name(view.table);
    let end = if view.reversed { "last" } else { "first" };
    let filter = if view.filter.is_empty() { String::new() } else { format!(", only {:?}", view.filter) };
    format!("{shown} {what}, {order} {end}{filter}")
}

fn row<'a>(entry: &Entry, scene: Scene<'_>, wide: bool) -> Row<'a> {
    let theme = scene.theme;
    let text = |text: &str| Cell::new(theme.text(text));
    let number = |number: u64, width: usize| Cell::new(format!("{number:>width$}"));
    let mut cells = vec![
        text(&entry.source),
        text(&entry.state).style(state_style(entry, scene)),
        text(&entry.until.map_or_else(|| "-".to_owned(), |until| short_left(until, scene))),
        Cell::new(format!("{:>4}", above_zero(entry.level.into()))),
        number(entry.failed, 7),
        number(entry.dropped, 8),
    ];
    if wide {
        cells.push(Cell::new(ago(entry.seen, scene.now)));
    }
    cells.push(text(&entry.users));
    if wide {
        cells.push(text(&entry.reason));
    }
    Row::new(cells)
}

fn short_left(until: Until, scene: Scene<'_>) -> String {
    match until {
        Until::Lifted => "ever".to_owned(),
        Until::At(_) => left(until, scene.now),
    }
}

fn state_style(entry: &Entry, scene: Scene<'_>) -> Style {
    match entry.state.as_str() {
        "banned" => scene.theme.bad(),
        "shunned" => scene.theme.held(),
        _ => scene.theme.good(),
    }
}

/// All of what is known in a few words of the one under the cursor.
pub fn selected(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Some(entry) = scene.view.entry(scene.live) else { return };
    let mut words: Vec<String> = Vec::new();
    words.extend((!entry.reason.is_empty()).then(|| entry.reason.clone()));
    words.extend((!entry.users.is_empty()).then(|| format!("users {}", entry.users)));
    words.extend(entry.user_agent.as_ref().map(|agent| format!("User-Agent \"{agent}\"")));
    words.push(format!("seen {}", ago(entry.seen, scene.now)));
    let text = scene.theme.text(&words.join("; "));
    let spans = [Span::styled(format!("{}  ", entry.source), scene.theme.title()), Span::raw(text)];
    frame.render_widget(Paragraph::new(Line::from_iter(spans)).wrap(Wrap { trim: true }), area);
}

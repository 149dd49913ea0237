//! Draws a picture as the operator wants to see it. Whatever the terminal's size is, nothing here fails.

mod below;
mod head;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use sip_fw_core::time::Timestamp;

use super::picture::Picture;
use super::theme::Theme;
use super::view::{Mode, View};

/// What is drawn, and when.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What the operator looks at.
    pub view: &'a View,
    /// The picture as it is now.
    pub live: &'a Picture,
    /// How things look.
    pub theme: Theme,
    /// The time.
    pub now: Timestamp,
}

impl Scene<'_> {
    /// The picture that is shown.
    fn picture(&self) -> &Picture {
        self.view.picture(self.live)
    }
}

/// Lines of each part, by the lines there are.
struct Heights {
    rates: u16,
    facts: u16,
    detail: u16,
    events: u16,
}

impl Heights {
    const fn of(lines: u16) -> Self {
        match lines {
            0..10 => Self { rates: 0, facts: 0, detail: 0, events: 0 },
            10..16 => Self { rates: 2, facts: 0, detail: 1, events: 0 },
            16..22 => Self { rates: 2, facts: 1, detail: 1, events: 4 },
            22..34 => Self { rates: 4, facts: 2, detail: 2, events: 6 },
            _ => Self { rates: 6, facts: 2, detail: 2, events: lines / 3 },
        }
    }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, scene: Scene<'_>) {
    let area = frame.area();
    let Heights { rates, facts, detail, events } = Heights::of(area.height);
    let [title, rates, facts, middle, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(rates),
        Constraint::Length(facts),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    head::title(frame, title, scene);
    head::rates(frame, rates, scene);
    head::facts(frame, facts, scene);
    match &scene.view.mode {
        Mode::Help => below::help(frame, middle, scene),
        Mode::Detail { target, view, scroll } => below::detail(frame, middle, scene, target, view.as_deref(), *scroll),
        _ => {
            let [entries, detail, events] =
                Layout::vertical([Constraint::Min(0), Constraint::Length(detail), Constraint::Length(events)])
                    .areas(middle);
            table::table(frame, entries, scene);
            table::selected(frame, detail, scene);
            below::events(frame, events, scene);
        }
    }
    below::foot(frame, foot, scene);
}

/// A title with a rule to the end of the line; gives the area below.
fn headed(frame: &mut Frame<'_>, area: Rect, theme: Theme, title: &str) -> Rect {
    let [line, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let rule = theme.rule().repeat(usize::from(area.width).saturating_sub(title.chars().count() + 1));
    let spans = [Span::styled(format!("{title} "), theme.title()), Span::styled(rule, theme.dim())];
    frame.render_widget(Paragraph::new(Line::from_iter(spans)), line);
    rest
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::style::Color;

    use super::super::entry::Table;
    use super::super::picture::News;
    use super::super::samples::{NOW, picture};
    use super::super::view::{Deed, Message};
    use super::*;

    const PLAIN: Theme = Theme { colour: false, unicode: true };

    fn drawn(width: u16, height: u16, view: &View, live: &Picture, theme: Theme) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, Scene { view, live, theme, now: NOW })).unwrap();
        terminal.backend().clone()
    }

    fn text(backend: &TestBackend) -> String {
        let width = usize::from(backend.buffer().area.width);
        let symbols: Vec<_> = backend.buffer().content.iter().map(|cell| cell.symbol()).collect();
        symbols.chunks(width).map(|line| line.concat().trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn eighty_by_twenty_four() {
        let shown = text(&drawn(80, 24, &View::default(), &picture(), PLAIN));
        let expected = "\
\x20sip-fw top · enforce · eth0 native/tcx · up 1h1m                     00:10:00Z
wrong passwords 0/s, peak 30/s ───────── dropped 400/s, peak 400/s ─────────────
                                     █                                        ██
                                     █                                        ██
                                    ██                                        ██
held back  3 bans: step 2: 2, by hand or alert: 1 · 41 sources · 0 events lost
services   sip udp/5060 tcp/5060 · web tcp/443 (not read)
";
        let head: String = shown.lines().take(7).map(|line| format!("{line}\n")).collect();
        assert_eq!(head, expected, "{shown}");
        for line in [
            "SOURCE             STATE    LEFT  STEP  FAILED  DROPPED  USERS",
            "203.0.113.9        banned   9m       2      40      812  1000, 1001, …",
            "2001:db8:7:1::/64  shunned  20s      -       0        3",
            "00:09:00 ban 203.0.113.9",
        ] {
            let words: Vec<_> = line.split_whitespace().collect();
            let found = shown.lines().any(|shown| words.iter().all(|word| shown.contains(word)));
            assert!(found, "{line:?} is not in:\n{shown}");
        }
        assert!(shown.contains("5 auth failures"), "{shown}");
        assert!(shown.contains("friendly-scanner"), "{shown}");
        assert!(shown.lines().last().unwrap().contains("q end"), "{shown}");
    }

    #[test]
    fn more_room_shows_more() {
        let shown = text(&drawn(120, 40, &View::default(), &picture(), PLAIN));
        for part in ["SEEN", "WHY", "one number under 5 prefixes", "10s ago", "agent-started"] {
            assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
        }
    }

    #[test]
    fn any_size_is_drawn() {
        let mut view = View::default();
        let modes = [
            Mode::Browse,
            Mode::Help,
            Mode::Filter,
            Mode::Length { target: "203.0.113.9".to_owned(), text: "1h".to_owned() },
            Mode::Confirm(Deed::Unban { target: "203.0.113.9".to_owned() }),
            Mode::Detail { target: "203.0.113.9".to_owned(), view: None, scroll: 9 },
        ];
        for mode in modes {
            view.mode = mode;
            for (width, height) in [(1, 1), (2, 3), (10, 5), (20, 12), (39, 17), (80, 21), (300, 100)] {
                for live in [&Picture::default(), &picture()] {
                    drawn(width, height, &view, live, PLAIN);
                }
            }
        }
    }

    #[test]
    fn no_colour_means_none_and_ascii_means_ascii() {
        let plain = drawn(80, 24, &View::default(), &picture(), Theme { colour: false, unicode: false });
        for cell in &plain.buffer().content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
            assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
        }
        let coloured = drawn(80, 24, &View::default(), &picture(), Theme { colour: true, unicode: true });
        let used = |colour| coloured.buffer().content.iter().any(|cell| cell.fg == colour);
        assert!(used(Color::Red) && used(Color::Yellow) && used(Color::Cyan));
    }

    #[test]
    fn an_agent_that_went_away_is_said_over_the_last_picture() {
        let mut live = picture();
        live.take(News::Gone("nobody answers".to_owned()), Timestamp { unix_ms: NOW.unix_ms - 5000 });
        let shown = text(&drawn(80, 24, &View::default(), &live, PLAIN));
        assert!(shown.starts_with(" sip-fw top · NO AGENT for 5s: nobody answers"), "{shown}");
        assert!(shown.contains("203.0.113.9"), "{shown}");
    }

    #[test]
    fn questions_and_answers() {
        let live = picture();
        let foot = |view: &View| text(&drawn(80, 24, view, &live, PLAIN)).lines().last().unwrap().to_owned();
        let mut view =
            View { mode: Mode::Confirm(Deed::Unban { target: "203.0.113.9".to_owned() }), ..View::default() };
        assert_eq!(foot(&view), " let 203.0.113.9 in again? (y/n)");
        view.mode = Mode::Browse;
        view.message = Some(Message::Refused("refused: 10.0.0.1 is trusted".to_owned()));
        assert_eq!(foot(&view), " refused: 10.0.0.1 is trusted");
        view = View { mode: Mode::Filter, filter: "203".to_owned(), ..View::default() };
        assert_eq!(foot(&view), " show only: 203_   Enter keeps it, Esc clears it");
        view = View { paused: Some(Box::new(picture())), table: Table::Bans, ..View::default() };
        let shown = text(&drawn(80, 24, &view, &Picture::default(), PLAIN));
        assert!(shown.contains("HELD") && shown.contains("203.0.113.0/24"), "{shown}");
    }

    #[test]
    fn what_attackers_write_steers_nothing() {
        let mut live = picture();
        live.sources.sources[0].why.users = vec!["\u{1b}[2J\r\n\u{202e}x".to_owned()];
        live.records[0].reason = Some("\u{7}\u{1b}]0;pwned\u{7}".to_owned());
        let backend = drawn(80, 24, &View::default(), &live, PLAIN);
        for cell in &backend.buffer().content {
            assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
        }
    }
}

//! The lower part: events, the keys, all of one source, and the last line with its questions and answers.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use sip_fw_core::record::{EventName, Record};

use super::super::entry::Table;
use super::super::keys::HELP;
use super::super::view::{Message, Mode};
use super::{Scene, headed};
use crate::cli::explained;
use crate::control::view::ExplainView;

/// The latest events that the filter lets through.
pub fn events(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    if area.is_empty() {
        return;
    }
    let theme = scene.theme;
    let area = headed(frame, area, theme, "latest events");
    let filter = scene.view.filter.to_lowercase();
    let line = |record: &Record| {
        let time = record.time.to_string();
        let message = record.message().to_string();
        let time = time.get(11..19).unwrap_or_default().to_owned();
        (message.to_lowercase().contains(&filter)).then(|| {
            let spans = [
                Span::styled(format!("{time} "), theme.dim()),
                Span::styled(theme.text(&message), event_style(record, scene)),
            ];
            Line::from_iter(spans)
        })
    };
    let lines: Vec<_> = scene.picture().records.iter().filter_map(line).take(usize::from(area.height)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn event_style(record: &Record, scene: Scene<'_>) -> Style {
    match record.event {
        EventName::Ban | EventName::Degraded | EventName::DistributedGuessing | EventName::Detached => {
            scene.theme.bad()
        }
        EventName::Shun
        | EventName::Enumeration
        | EventName::DialScan
        | EventName::Scanner
        | EventName::Flood
        | EventName::DeviceFault
        | EventName::Denied => scene.theme.held(),
        EventName::AuthFailure
        | EventName::AuthSuccess
        | EventName::Unban
        | EventName::Expire
        | EventName::PeerLearned
        | EventName::RulesApplied
        | EventName::Attached
        | EventName::AgentStarted
        | EventName::AgentStopped => Style::new(),
    }
}

/// The keys.
pub fn help(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let area = headed(frame, area, scene.theme, "keys");
    let line = |(key, does): &(&str, &str)| {
        Line::from_iter([Span::styled(format!("  {key:<14}"), scene.theme.title()), Span::raw((*does).to_owned())])
    };
    frame.render_widget(Paragraph::new(HELP.iter().map(line).collect::<Vec<_>>()), area);
}

/// All of one source, as `explain` tells it.
pub fn detail(
    frame: &mut Frame<'_>,
    area: Rect,
    scene: Scene<'_>,
    target: &str,
    view: Option<&ExplainView>,
    scroll: u16,
) {
    let area = headed(frame, area, scene.theme, &format!("explain {target}"));
    let text = view.map_or_else(|| "asking the agent".to_owned(), |view| explained(view, scene.now));
    let lines: Vec<_> = text.lines().map(|line| Line::raw(scene.theme.text(line))).collect();
    // The last line stays in sight.
    let scroll = scroll.min(u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(1));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((scroll, 0)), area);
}

/// The last line.
pub fn foot(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let (text, style) = words(scene);
    frame.render_widget(Paragraph::new(scene.theme.text(&format!(" {text}"))).style(style), area);
}

fn words(scene: Scene<'_>) -> (String, Style) {
    let theme = scene.theme;
    let question = theme.held().patch(theme.marked());
    match (&scene.view.message, &scene.view.mode) {
        (Some(Message::Refused(why)), _) => (why.clone(), theme.bad().patch(theme.marked())),
        (Some(Message::Done(done)), Mode::Browse) => (done.clone(), theme.good().patch(theme.marked())),
        (_, Mode::Confirm(deed)) => (deed.question(), question),
        (_, Mode::Length { target, text }) => {
            (format!("ban {target} for: {text}_   such as 10m, 1d, ladder, permanent; Esc: not at all"), question)
        }
        (_, Mode::Filter) => (format!("show only: {}_   Enter keeps it, Esc clears it", scene.view.filter), question),
        (_, Mode::Help) => ("any key: back".to_owned(), theme.marked()),
        (_, Mode::Detail { .. }) => ("Up Down scroll  b ban  u unban  any other key: back".to_owned(), theme.marked()),
        (_, Mode::Browse) => (keys(scene), theme.marked()),
    }
}

fn keys(scene: Scene<'_>) -> String {
    let other = if scene.view.table == Table::Sources { "bans" } else { "sources" };
    let hold = if scene.view.paused.is_some() { "go on" } else { "hold" };
    format!("q end  ? keys  Tab {other}  s sort  / filter  p {hold}  Enter why  b ban  u unban")
}

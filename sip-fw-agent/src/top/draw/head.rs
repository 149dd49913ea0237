//! The upper part: how the agent is, the last seconds, bans by step, services.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, RenderDirection, Sparkline};
use sip_fw_core::duration::Short;

use super::super::picture::Link;
use super::{Scene, headed};
use crate::control::view::{ServiceView, StatusView};
use crate::report::table::distance;

/// The first line.
pub fn title(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { theme, now, .. } = scene;
    let dot = theme.dot();
    let mut words = vec!["sip-fw top".to_owned()];
    if scene.view.paused.is_some() {
        words.push("HELD: p goes on".to_owned());
    }
    // Of the live one, even where an older one is shown.
    match (&scene.live.link, &scene.picture().status) {
        (Link::Gone { since, why }, _) => words.push(format!("NO AGENT for {}: {why}", distance(*since, now))),
        (Link::Up, None) => words.push("asking the agent".to_owned()),
        (Link::Up, Some(status)) => words.extend(agent(status)),
    }
    let alarming = scene.live.link != Link::Up;
    let style = if alarming { theme.bad().patch(theme.marked()) } else { theme.marked() };
    let time = now.to_string();
    let time = time.get(11..19).map(|time| format!("{time}Z ")).unwrap_or_default();
    let [left, right] = Layout::horizontal([Constraint::Min(0), Constraint::Length(10)]).areas(area);
    frame.render_widget(Paragraph::new(theme.text(&format!(" {}", words.join(dot)))).style(style), left);
    frame.render_widget(Paragraph::new(time).style(style), right);
}

fn agent(status: &StatusView) -> Vec<String> {
    let mut words = vec![status.agent.mode.clone()];
    if status.attachments.is_empty() {
        words.push("ATTACHED NOWHERE".to_owned());
    }
    let attached = status.attachments.iter();
    words.extend(attached.map(|on| format!("{} {}/{}", on.interface, on.ingress, on.egress)));
    let uptime = status.agent.uptime_seconds;
    words.extend(uptime.map(|seconds| format!("up {}", Short(Duration::from_secs(seconds)))));
    words
}

/// The last seconds, the newest at the right.
pub fn rates(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let rates = &scene.picture().rates;
    let observe = scene.picture().status.as_ref().is_some_and(|status| status.agent.mode == "observe");
    let dropped = if observe { "would be dropped" } else { "dropped" };
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1).areas(area);
    rate(frame, left, scene, ("wrong passwords", &rates.wrong_passwords), scene.theme.bad());
    rate(frame, right, scene, (dropped, &rates.dropped), scene.theme.held());
}

fn rate(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>, (name, seconds): (&str, &VecDeque<u64>), style: Style) {
    let shown: Vec<u64> = seconds.iter().copied().take(usize::from(area.width)).collect();
    let (last, peak) = (shown.first().copied().unwrap_or(0), shown.iter().copied().max().unwrap_or(0));
    let bars = headed(frame, area, scene.theme, &format!("{name} {last}/s, peak {peak}/s"));
    let line = Sparkline::default()
        .data(shown)
        .max(peak.max(1))
        .bar_set(scene.theme.bars())
        .direction(RenderDirection::RightToLeft)
        .style(style);
    frame.render_widget(line, bars);
}

/// Bans by step, and the services.
pub fn facts(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Some(status) = &scene.picture().status else { return };
    let theme = scene.theme;
    let line = |title: &str, text: String| {
        Line::from_iter([Span::styled(format!("{title:<11}"), theme.title()), Span::raw(theme.text(&text))])
    };
    let services: Vec<_> = status.services.iter().map(service).collect();
    let lines = [line("held back", held_back(status, theme.dot())), line("services", services.join(theme.dot()))];
    frame.render_widget(Paragraph::new(lines.to_vec()), area);
}

fn held_back(status: &StatusView, dot: &str) -> String {
    let steps = status.bans_by_level.iter().filter(|(level, _)| **level > 0);
    let mut steps: Vec<_> = steps.map(|(level, bans)| format!("step {level}: {bans}")).collect();
    steps.extend(status.bans_by_level.get(&0).map(|bans| format!("by hand or alert: {bans}")));
    let bans = match status.bans_active {
        0 => "no bans".to_owned(),
        1 => format!("1 ban: {}", steps.join(", ")),
        bans => format!("{bans} bans: {}", steps.join(", ")),
    };
    let (sources, lost) = (status.sources, status.agent.events_lost);
    format!("{bans}{dot}{sources} sources{dot}{lost} events lost")
}

fn service(service: &ServiceView) -> String {
    let unread = if service.kind == "sip" { "" } else { " (not read)" };
    format!("{} {}{unread}", service.name, service.listen.join(" "))
}

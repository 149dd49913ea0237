//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use sip_fw_core::duration;

use super::entry::Table;
use super::picture::Picture;
use super::view::{Deed, Message, Mode, View, Wish};
use crate::control::protocol::Length;

/// Every key and what it does, for people.
pub const HELP: &[(&str, &str)] = &[
    ("Up Down k j", "move the cursor; PgUp PgDn Home End too"),
    ("Enter", "everything about this source, and what happens to it now"),
    ("Tab", "the other table: worst sources, bans and shuns"),
    ("s  r", "sort by the next column; the other way round"),
    ("/", "show only lines and events that contain a text; Esc clears it"),
    ("p Space", "hold the picture, go on"),
    ("b", "ban this source: asks how long, then y or n"),
    ("u", "let this source in again: asks y or n"),
    ("? h", "these keys"),
    ("q Ctrl-C", "end"),
];

/// Characters of a filter or a length of time.
const TEXT_CHARS_MAX: usize = 60;
/// Lines that PgUp and PgDn move.
const PAGE: isize = 10;
/// How long a ban is unless the operator says otherwise.
const BAN_LENGTH: &str = "1h";

/// Does what a key says.
pub fn press(view: &mut View, live: &Picture, key: KeyEvent) -> Option<Wish> {
    view.message = None;
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c')).then_some(Wish::End);
    }
    match std::mem::take(&mut view.mode) {
        Mode::Browse => browse(view, live, key.code),
        Mode::Help => None,
        Mode::Filter => {
            filter(view, key.code);
            None
        }
        Mode::Length { target, text } => {
            length(view, target, text, key.code);
            None
        }
        Mode::Confirm(deed) => match key.code {
            KeyCode::Char('y' | 'Y') => Some(Wish::Do(deed)),
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => {
                view.message = Some(Message::Done("nothing was done".to_owned()));
                None
            }
            _ => {
                view.mode = Mode::Confirm(deed);
                None
            }
        },
        Mode::Detail { target, view: explained, scroll } => {
            let scroll = match key.code {
                KeyCode::Up | KeyCode::Char('k') => scroll.saturating_sub(1),
                KeyCode::Down | KeyCode::Char('j') => scroll.saturating_add(1),
                // Any other key closes it; those that act on the source do.
                KeyCode::Char('b' | 'u') => return browse(view, live, key.code),
                _ => return None,
            };
            view.mode = Mode::Detail { target, view: explained, scroll };
            None
        }
    }
}

fn browse(view: &mut View, live: &Picture, key: KeyCode) -> Option<Wish> {
    match key {
        KeyCode::Char('q') => return Some(Wish::End),
        KeyCode::Char('?' | 'h') => view.mode = Mode::Help,
        KeyCode::Up | KeyCode::Char('k') => view.step(live, -1),
        KeyCode::Down | KeyCode::Char('j') => view.step(live, 1),
        KeyCode::PageUp => view.step(live, -PAGE),
        KeyCode::PageDown => view.step(live, PAGE),
        KeyCode::Home => view.step(live, isize::MIN),
        KeyCode::End => view.step(live, isize::MAX),
        KeyCode::Tab | KeyCode::BackTab => {
            view.table = if view.table == Table::Sources { Table::Bans } else { Table::Sources };
            return Some(Wish::Watch(view.table));
        }
        KeyCode::Char('s') => view.sort = view.sort.next(),
        KeyCode::Char('r') => view.reversed = !view.reversed,
        KeyCode::Char('/') => view.mode = Mode::Filter,
        KeyCode::Esc => view.filter.clear(),
        KeyCode::Char('p' | ' ') => {
            view.paused = if view.paused.is_some() { None } else { Some(Box::new(live.clone())) };
        }
        KeyCode::Enter => {
            let target = view.entry(live)?.source;
            view.mode = Mode::Detail { target: target.clone(), view: None, scroll: 0 };
            return Some(Wish::Explain(target));
        }
        KeyCode::Char('b') => {
            let target = view.entry(live)?.source;
            view.mode = Mode::Length { target, text: BAN_LENGTH.to_owned() };
        }
        KeyCode::Char('u') => {
            let entry = view.entry(live)?;
            if entry.is_held_back() {
                view.mode = Mode::Confirm(Deed::Unban { target: entry.source });
            } else {
                view.message = Some(Message::Refused(format!("{} is not banned", entry.source)));
            }
        }
        _ => {}
    }
    None
}

fn filter(view: &mut View, key: KeyCode) {
    match key {
        KeyCode::Enter => return,
        KeyCode::Esc => {
            view.filter.clear();
            return;
        }
        key => write(&mut view.filter, key),
    }
    view.mode = Mode::Filter;
}

fn length(view: &mut View, target: String, mut text: String, key: KeyCode) {
    match key {
        KeyCode::Esc => return,
        KeyCode::Enter => match read_length(&text) {
            Ok(length) => {
                view.mode = Mode::Confirm(Deed::Ban { target, length, written: text });
                return;
            }
            Err(error) => view.message = Some(Message::Refused(error)),
        },
        key => write(&mut text, key),
    }
    view.mode = Mode::Length { target, text };
}

fn read_length(text: &str) -> Result<Length, String> {
    match text.trim() {
        "permanent" => Ok(Length::Permanent),
        "ladder" => Ok(Length::Ladder),
        text => match duration::parse(text) {
            Ok(length) if !length.is_zero() => Ok(Length::Seconds(length.as_secs())),
            Ok(_) | Err(_) => Err(format!("{text:?}: allowed are 30s, 10m, 1h, 1d, 1w, ladder and permanent")),
        },
    }
}

fn write(text: &mut String, key: KeyCode) {
    match key {
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Char(c) if !c.is_control() && text.chars().count() < TEXT_CHARS_MAX => text.push(c),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Sort;
    use super::super::picture::News;
    use super::super::samples;
    use super::*;

    /// Presses keys as they are written; `⏎` is Enter, `⎋` Escape, `⇥` Tab, `↓` and `↑` the arrows, `⌫` Backspace.
    fn play(view: &mut View, keys: &str) -> Option<Wish> {
        let live = samples::picture();
        let mut wish = None;
        for key in keys.chars() {
            let code = match key {
                '⏎' => KeyCode::Enter,
                '⎋' => KeyCode::Esc,
                '⇥' => KeyCode::Tab,
                '↓' => KeyCode::Down,
                '↑' => KeyCode::Up,
                '⌫' => KeyCode::Backspace,
                key => KeyCode::Char(key),
            };
            wish = press(view, &live, KeyEvent::new(code, KeyModifiers::NONE));
        }
        wish
    }

    #[test]
    fn unban_asks_first() {
        let unban = || Deed::Unban { target: "203.0.113.9".to_owned() };
        let mut view = View::default();
        assert_eq!(play(&mut view, "u"), None);
        assert!(matches!(&view.mode, Mode::Confirm(deed) if deed.question() == "let 203.0.113.9 in again? (y/n)"));
        assert_eq!(play(&mut view, "n"), None);
        assert_eq!(view.message, Some(Message::Done("nothing was done".to_owned())));
        assert_eq!(play(&mut view, "ux?y"), Some(Wish::Do(unban())), "other keys are no answer");
        assert_eq!(play(&mut view, "↓↓u"), None);
        assert_eq!(view.message, Some(Message::Refused("198.51.100.7 is not banned".to_owned())));
    }

    #[test]
    fn ban_asks_how_long_and_then_whether() {
        let mut view = View::default();
        assert_eq!(play(&mut view, "b⌫⌫90⏎"), None);
        assert!(matches!(&view.message, Some(Message::Refused(why)) if why.starts_with("\"90\": allowed are 30s")));
        play(&mut view, "s⏎");
        assert!(matches!(&view.mode, Mode::Confirm(deed) if deed.question() == "ban 203.0.113.9 for 90s? (y/n)"));
        let Some(Wish::Do(deed)) = play(&mut view, "y") else { panic!("{view:?}") };
        let request = deed.request();
        assert!(matches!(&request, crate::control::protocol::Request::Ban { length: Length::Seconds(90), .. }));
        play(&mut view, "b⌫⌫permanent⏎");
        assert!(matches!(&view.mode, Mode::Confirm(deed) if deed.question().contains("until it is lifted")));
        assert_eq!(play(&mut view, "⎋b⎋q"), Some(Wish::End));
        assert_eq!(play(&mut view, "b⌫⌫0s⏎y"), None, "no ban of no length");
    }

    #[test]
    fn looking_around() {
        let mut view = View::default();
        let live = samples::picture();
        assert_eq!(play(&mut view, "⏎"), Some(Wish::Explain("203.0.113.9".to_owned())));
        assert!(matches!(view.mode, Mode::Detail { .. }));
        play(&mut view, "qssr/2001⏎");
        assert_eq!((view.sort, view.reversed, view.filter.as_str()), (Sort::Dropped, true, "2001"));
        assert_eq!(view.entry(&live).unwrap().source, "2001:db8:7:1::/64");
        assert_eq!(play(&mut view, "⎋⇥"), Some(Wish::Watch(Table::Bans)));
        assert_eq!(view.filter, "");
        play(&mut view, "?");
        assert!(matches!(view.mode, Mode::Help));
        assert_eq!(play(&mut view, "q"), None, "closes the help");
        assert_eq!(play(&mut view, "/q"), None, "a letter of the filter");
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(press(&mut view, &live, interrupt), Some(Wish::End));
    }

    #[test]
    fn what_cannot_be_explained_is_said_over_the_table() {
        let mut view = View::default();
        play(&mut view, "⏎");
        view.hear(News::Refused("explain takes one address".to_owned()));
        assert!(matches!(view.mode, Mode::Browse));
        assert_eq!(view.message, Some(Message::Refused("explain takes one address".to_owned())));
    }

    #[test]
    fn a_pause_holds_the_picture() {
        let mut view = View::default();
        play(&mut view, "p");
        let empty = Picture::default();
        assert_eq!(view.entries(&empty).0.len(), 3);
        play(&mut view, "p");
        assert_eq!(view.entries(&empty).0.len(), 0);
    }

    #[test]
    fn the_cursor_stays_at_its_source() {
        let mut view = View::default();
        play(&mut view, "↓↓");
        assert_eq!(view.selected.as_deref(), Some("198.51.100.7"));
        play(&mut view, "r");
        assert_eq!(view.entries(&samples::picture()).1, Some(0));
        play(&mut view, "↑↑");
        assert_eq!(view.selected.as_deref(), Some("198.51.100.7"));
    }
}

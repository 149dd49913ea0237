//! How things look: with colour or without (`NO_COLOR`), and with the characters that the terminal has.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::bar;

/// What this terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours may be used.
    pub colour: bool,
    /// More than ASCII may be used.
    pub unicode: bool,
}

const ASCII_BARS: bar::Set<'static> = bar::Set {
    full: "#",
    seven_eighths: "#",
    three_quarters: "+",
    five_eighths: "+",
    half: "=",
    three_eighths: "-",
    one_quarter: "-",
    one_eighth: ".",
    empty: " ",
};

impl Theme {
    /// As the environment says: `NO_COLOR` (<https://no-color.org>) and the locale. `variable` reads a variable.
    #[must_use]
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_lowercase();
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        Self {
            colour: set("NO_COLOR").is_none() && !dumb,
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// Attacks, and what went wrong.
    #[must_use]
    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What is kept away.
    #[must_use]
    pub fn held(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// What is well.
    #[must_use]
    pub fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Titles.
    #[must_use]
    pub fn title(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What is under the cursor, and the first and the last line.
    #[must_use]
    pub fn marked(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The heights of a bar.
    #[must_use]
    pub const fn bars(self) -> bar::Set<'static> {
        if self.unicode { bar::NINE_LEVELS } else { ASCII_BARS }
    }

    /// Between two things on a line.
    #[must_use]
    pub const fn dot(self) -> &'static str {
        if self.unicode { " · " } else { " | " }
    }

    /// The rule beside a title.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        if self.unicode { "─" } else { "-" }
    }

    /// Text with no more than the terminal's characters.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        if self.unicode {
            return text.to_owned();
        }
        text.replace('…', "...").chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(variables: &[(&str, &str)]) -> (bool, bool) {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let Theme { colour, unicode } = Theme::from_environment(find);
        (colour, unicode)
    }

    #[test]
    fn the_environment_decides() {
        let term = ("TERM", "xterm");
        assert_eq!(theme(&[term, ("LANG", "de_DE.UTF-8")]), (true, true));
        assert_eq!(
            theme(&[term, ("LANG", "C.utf8"), ("NO_COLOR", "")]),
            (true, true),
            "an empty NO_COLOR says nothing"
        );
        assert_eq!(theme(&[term, ("LANG", "C.UTF-8"), ("LC_ALL", "C"), ("NO_COLOR", "1")]), (false, false));
        assert_eq!(theme(&[("TERM", "dumb")]), (false, false));
    }

    #[test]
    fn without_more_than_ascii() {
        let theme = Theme { colour: false, unicode: false };
        assert_eq!(theme.text("1000, … é"), "1000, ... ?");
        assert_eq!(theme.bad(), Style::new().add_modifier(Modifier::BOLD));
    }
}

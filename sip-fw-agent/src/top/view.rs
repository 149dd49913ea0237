//! What the operator looks at: table, order, filter, selection, and the question that waits for an answer.

use super::entry::{Entry, Sort, Table};
use super::picture::{News, Picture};
use crate::control::protocol::{Length, Request};
use crate::control::view::ExplainView;

/// What the keys are for at the moment.
#[derive(Clone, Debug, Default)]
pub enum Mode {
    /// Looking around.
    #[default]
    Browse,
    /// The list of keys.
    Help,
    /// Writing the filter.
    Filter,
    /// Writing how long to ban.
    Length {
        /// Whom.
        target: String,
        /// What was written until now.
        text: String,
    },
    /// Yes or no.
    Confirm(Deed),
    /// Everything about one source.
    Detail {
        /// Whom.
        target: String,
        /// What the agent said.
        view: Option<Box<ExplainView>>,
        /// Lines scrolled away.
        scroll: u16,
    },
}

/// What an operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Ban.
    Ban {
        /// Whom.
        target: String,
        /// For how long.
        length: Length,
        /// The same as it was written.
        written: String,
    },
    /// Lift a ban or a shun.
    Unban {
        /// Whose.
        target: String,
    },
}

impl Deed {
    /// The question.
    #[must_use]
    pub fn question(&self) -> String {
        match self {
            Self::Ban { target, length: Length::Permanent, .. } => format!("ban {target} until it is lifted? (y/n)"),
            Self::Ban { target, length: Length::Ladder, .. } => {
                format!("ban {target} for the next step of its ladder? (y/n)")
            }
            Self::Ban { target, written, .. } => format!("ban {target} for {written}? (y/n)"),
            Self::Unban { target } => format!("let {target} in again? (y/n)"),
        }
    }

    /// What the agent is asked.
    #[must_use]
    pub fn request(&self) -> Request {
        match self {
            Self::Ban { target, length, .. } => Request::Ban { target: target.clone(), length: *length, reason: None },
            Self::Unban { target } => Request::Unban { target: target.clone() },
        }
    }

    /// What is said when it is done.
    #[must_use]
    pub fn done(&self) -> String {
        match self {
            Self::Ban { target, .. } => format!("{target} is banned"),
            Self::Unban { target } => format!("{target} is free"),
        }
    }
}

/// What is to be done outside of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// End.
    End,
    /// Keep this table up to date.
    Watch(Table),
    /// Tell everything about this source.
    Explain(String),
    /// Do what was confirmed.
    Do(Deed),
}

/// What was said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It was done.
    Done(String),
    /// It was not done.
    Refused(String),
}

/// What the operator looks at.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The table.
    pub table: Table,
    /// Its order.
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
    /// What lines must contain.
    pub filter: String,
    /// The line under the cursor, by its source: lines move.
    pub selected: Option<String>,
    /// What the keys are for.
    pub mode: Mode,
    /// What was said last, until the next key.
    pub message: Option<Message>,
    /// The picture as it was when it was paused.
    pub paused: Option<Box<Picture>>,
}

impl View {
    /// The picture that is shown.
    #[must_use]
    pub fn picture<'a>(&'a self, live: &'a Picture) -> &'a Picture {
        self.paused.as_deref().unwrap_or(live)
    }

    /// The lines that are shown, and which of them is under the cursor.
    #[must_use]
    pub fn entries(&self, live: &Picture) -> (Vec<Entry>, Option<usize>) {
        let entries = Entry::list(self.picture(live), self.table, self.sort, self.reversed, &self.filter);
        let wanted = self.selected.as_ref();
        let found = wanted.and_then(|wanted| entries.iter().position(|entry| entry.source == *wanted));
        let first = (!entries.is_empty()).then_some(0);
        (entries, found.or(first))
    }

    /// The line under the cursor.
    #[must_use]
    pub fn entry(&self, live: &Picture) -> Option<Entry> {
        let (mut entries, at) = self.entries(live);
        Some(entries.swap_remove(at?))
    }

    /// Moves the cursor.
    pub fn step(&mut self, live: &Picture, by: isize) {
        let (entries, Some(at)) = self.entries(live) else { return };
        let at = at.saturating_add_signed(by).min(entries.len() - 1);
        self.selected = entries.into_iter().nth(at).map(|entry| entry.source);
    }

    /// Hears what the picture does not show.
    pub fn hear(&mut self, news: News) {
        match (news, &mut self.mode) {
            (News::Done(done), _) => self.message = Some(Message::Done(done)),
            (News::Refused(why), mode) => {
                // Of a prefix there is nothing to explain: back to the table.
                if matches!(mode, Mode::Detail { view: None, .. }) {
                    *mode = Mode::Browse;
                }
                self.message = Some(Message::Refused(why));
            }
            (News::Explained(explained), Mode::Detail { target, view, .. }) if explained.source == *target => {
                *view = Some(explained);
            }
            // The answer to a question that nobody waits for any more.
            _ => {}
        }
    }
}

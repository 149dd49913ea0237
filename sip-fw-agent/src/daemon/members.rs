//! Lets in whom the configuration in force lets in: the group of the control socket, and what its members may do.

use std::thread;

use sip_fw_core::record::{EventName, Record};
use tokio::sync::oneshot;

use super::agent::Agent;
use crate::clock;
use crate::control::admission::Admission;
use crate::control::group;

/// Whom the control socket is for.
#[derive(Debug)]
pub struct Members {
    admission: Admission,
    /// The configuration that was followed last.
    configuration: Option<u64>,
    /// The socket is being given to a group, on a thread of its own.
    giving: Option<oneshot::Receiver<Result<(), String>>>,
}

impl Members {
    /// Root alone for now.
    pub const fn new(admission: Admission) -> Self {
        Self { admission, configuration: None, giving: None }
    }
}

impl Agent {
    /// Follows the configuration, and tells what keeps the members of its group out.
    pub(super) fn follow_members(&mut self) {
        if let Some(giving) = &mut self.members.giving {
            match giving.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return,
                Ok(Err(trouble)) => self.keeps_members_out(trouble),
                Ok(Ok(())) | Err(oneshot::error::TryRecvError::Closed) => {}
            }
            self.members.giving = None;
        }
        if self.members.configuration == Some(self.configuration) {
            return;
        }
        self.members.configuration = Some(self.configuration);
        self.members.admission.let_guests_change(self.config.control.group_may_change);
        let (done, giving) = oneshot::channel();
        let (socket, rules) = (self.config.paths.socket.clone(), self.config.control.clone());
        // It is not sent when the agent is gone.
        let give = move || drop(done.send(group::give(&socket, &rules)));
        match thread::Builder::new().name("group".to_owned()).spawn(give) {
            Ok(_) => self.members.giving = Some(giving),
            Err(error) => self.keeps_members_out(format!("the control socket keeps its group: no thread: {error}")),
        }
    }

    fn keeps_members_out(&mut self, trouble: String) {
        self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(trouble));
    }
}

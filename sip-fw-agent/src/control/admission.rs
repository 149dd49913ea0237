//! Who may connect to the control socket, and what for. The file system lets in root and the members of one group; places are kept
//! for root, so that nobody else can lock it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::protocol::{CONNECTIONS_MAX, Failure, GUESTS_MAX, LISTINGS_MAX, Request};
use crate::exit_code::ExitCode;
use crate::host::effective_uid;

/// What every connection is measured by.
#[derive(Clone, Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    of_guests: Arc<Semaphore>,
    listings: Arc<Semaphore>,
    guests_may_change: Arc<AtomicBool>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Admission,
    is_root: bool,
    _permits: [Option<OwnedSemaphorePermit>; 2],
}

impl Default for Admission {
    fn default() -> Self {
        let of = |count| Arc::new(Semaphore::new(count));
        Self {
            places: of(CONNECTIONS_MAX),
            of_guests: of(GUESTS_MAX),
            listings: of(LISTINGS_MAX),
            guests_may_change: Arc::default(),
        }
    }
}

impl Admission {
    /// Whether others than root may change what is enforced.
    pub fn let_guests_change(&self, may: bool) {
        self.guests_may_change.store(may, Ordering::Relaxed);
    }

    /// A place for a connection; None when none is free.
    #[must_use]
    pub fn admit(&self, stream: &UnixStream) -> Option<Place> {
        let is_root = stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == effective_uid());
        self.place(is_root)
    }

    fn place(&self, is_root: bool) -> Option<Place> {
        let take = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let as_guest = if is_root { None } else { Some(take(&self.of_guests)?) };
        let permits = [Some(take(&self.places)?), as_guest];
        Some(Place { admission: self.clone(), is_root, _permits: permits })
    }

    /// Waits until nobody is connected any more, but no longer than that.
    pub async fn closing_time(&self, limit: Duration) {
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        // Whoever does not go is left alone.
        drop(timeout(limit, self.places.acquire_many(all)).await);
    }
}

impl Place {
    /// Refuses what whoever sits there must not do.
    ///
    /// # Errors
    ///
    /// What it was, and who may.
    pub fn allows(&self, request: &Request) -> Result<(), Failure> {
        let refused = |message: &str| Err(Failure::new(ExitCode::Failed, message));
        if self.is_root || !request.changes() {
            return Ok(());
        }
        if !self.admission.guests_may_change.load(Ordering::Relaxed) {
            return refused("only root may change anything; [control] group_may_change = true lets the group, too");
        }
        // The faults of a file tell what is in it.
        if matches!(request, Request::Apply { file: Some(_), .. }) {
            return refused("only root may apply another file; without one, `sip-fw apply` takes the agent's own");
        }
        Ok(())
    }

    /// Waits for its turn with a request whose reply may be as large as a table; held until the reply is taken.
    pub async fn turn(&self, request: &Request) -> Option<OwnedSemaphorePermit> {
        if self.is_root || !request.lists() {
            return None;
        }
        Arc::clone(&self.admission.listings).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_leave_places_for_root() {
        let admission = Admission::default();
        let guests: Vec<_> = (0..CONNECTIONS_MAX).map_while(|_| admission.place(false)).collect();
        assert_eq!(guests.len(), GUESTS_MAX);
        let root: Vec<_> = (0..CONNECTIONS_MAX).map_while(|_| admission.place(true)).collect();
        assert_eq!(root.len(), CONNECTIONS_MAX - GUESTS_MAX);
        drop(guests);
        assert!(admission.place(true).is_some() && admission.place(false).is_some());
    }

    #[test]
    fn only_root_changes_unless_it_says_otherwise() {
        let admission = Admission::default();
        let (root, guest) = (admission.place(true).unwrap(), admission.place(false).unwrap());
        let apply = |file: Option<&str>| Request::Apply {
            file: file.map(Into::into),
            force: false,
            confirm_within_seconds: None,
        };
        assert!(guest.allows(&Request::Status).is_ok());
        assert!(guest.allows(&Request::UnbanAll).unwrap_err().message.contains("group_may_change = true"));
        admission.let_guests_change(true);
        assert!(guest.allows(&Request::UnbanAll).is_ok() && guest.allows(&apply(None)).is_ok());
        assert!(guest.allows(&apply(Some("/etc/shadow"))).unwrap_err().message.contains("another file"));
        assert!(root.allows(&apply(Some("/etc/shadow"))).is_ok());
        admission.let_guests_change(false);
        assert!(guest.allows(&Request::Detach).is_err() && root.allows(&Request::Detach).is_ok());
    }

    #[tokio::test]
    async fn guests_take_turns_with_listings() {
        let admission = Admission::default();
        let (root, guest) = (admission.place(true).unwrap(), admission.place(false).unwrap());
        let mut turns = Vec::new();
        for _ in 0..LISTINGS_MAX {
            turns.push(guest.turn(&Request::Peers).await.unwrap());
        }
        let moment = Duration::from_millis(10);
        assert!(timeout(moment, guest.turn(&Request::Peers)).await.is_err());
        assert!(guest.turn(&Request::Status).await.is_none() && root.turn(&Request::Peers).await.is_none());
        turns.pop();
        assert!(guest.turn(&Request::Peers).await.is_some());
    }
}

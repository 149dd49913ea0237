//! The open connections: so many and no more. Whoever comes when all are taken takes the place of the oldest, so that idle
//! clients lock nobody out.

use std::collections::VecDeque;

use tokio::task::{AbortHandle, JoinHandle};

/// Open connections. A scrape takes milliseconds; two monitoring systems need two.
const CONNECTIONS_MAX: usize = 16;

/// Connections, the oldest first. Those that are open when it is dropped are let go.
#[derive(Debug, Default)]
pub struct Connections {
    open: VecDeque<AbortHandle>,
}

impl Connections {
    /// One more.
    pub fn add(&mut self, connection: &JoinHandle<()>) {
        self.open.retain(|other| !other.is_finished());
        if self.open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            oldest.abort();
        }
        self.open.push_back(connection.abort_handle());
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.open.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_first_and_all_go_at_the_end() {
        let idle: Vec<_> = (0..=CONNECTIONS_MAX).map(|_| tokio::spawn(pending::<()>())).collect();
        let mut connections = Connections::default();
        idle.iter().for_each(|connection| connections.add(connection));
        assert_eq!(connections.open.len(), CONNECTIONS_MAX);
        let mut idle = idle.into_iter();
        assert!(idle.next().unwrap().await.unwrap_err().is_cancelled());
        assert!(idle.as_slice().iter().all(|connection| !connection.is_finished()));
        drop(connections);
        for connection in idle {
            assert!(connection.await.unwrap_err().is_cancelled());
        }
    }

    #[tokio::test]
    async fn what_ended_takes_no_place() {
        let mut connections = Connections::default();
        let first = tokio::spawn(pending::<()>());
        connections.add(&first);
        for _ in 0..CONNECTIONS_MAX {
            let mut served = tokio::spawn(async {});
            connections.add(&served);
            (&mut served).await.unwrap();
        }
        assert!(!first.is_finished());
    }
}

//! SIGINT and SIGTERM: a run is told once, and every part of it can ask.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::RunError;

/// Whether the run was told to stop.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Catches both signals from now on, and remembers one that comes while nobody waits for it.
    pub(super) fn listen() -> Self {
        let (tell, told) = watch::channel(false);
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::spawn(async move {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    // Nobody listens any more when the run is over.
                    let _ = tell.send(true);
                    tell.closed().await;
                });
            }
            // Without handlers the signals end the process at once, which every run must survive anyway.
            (interrupt, terminate) => {
                tracing::debug!(?interrupt, ?terminate, "signals cannot be caught");
            }
        }
        Self(told)
    }

    /// Waits until the run is told to stop.
    pub(super) async fn told(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What the work gives, or that the run was told to stop before it was done. Only for work that may be dropped at
    /// any moment: it writes nothing.
    pub(super) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, RunError>>,
    ) -> Result<T, RunError> {
        tokio::select! {
            result = work => result,
            () = self.told() => Err(Self::error()),
        }
    }

    /// Why a run that was told to stop ends, where it has written nothing.
    pub(super) fn error() -> RunError {
        RunError::Unavailable("The run was told to stop; nothing was written.".to_owned())
    }
}

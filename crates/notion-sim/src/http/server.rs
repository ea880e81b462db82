//! The server: a thread of its own, stopped when dropped.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::DerefMut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::http::connection::{Breakable, Fate};
use crate::http::handle::handle;
use crate::options::{Options, Rate};
use crate::workspace::Workspace;

/// A request that was received.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Number, from 0 since the last reset.
    pub index: usize,
    /// HTTP method.
    pub method: String,
    /// Path as requested.
    pub path: String,
    /// Query string as requested.
    pub query: String,
    /// Method and path with ids replaced, e.g. `PATCH /v1/pages/{id}/markdown`.
    pub endpoint: String,
    /// Status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// Whether its endpoint changes something.
    pub is_write: bool,
    /// Its body, if that is JSON.
    pub body: Option<Value>,
    /// Simulated time of its arrival.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// A moment in the handling of a request.
#[derive(Clone, Debug)]
pub struct Event {
    /// Number of the request, as in [`Request::index`].
    pub index: usize,
    /// HTTP method.
    pub method: String,
    /// Path as requested.
    pub path: String,
    /// As in [`Request::endpoint`].
    pub endpoint: String,
    /// Which moment.
    pub phase: Phase,
}

/// Which moment in the handling of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is done yet.
    Before,
    /// Everything is done, and the answer not yet sent.
    After,
}

/// Called at every [`Event`].
pub type Hook = Box<dyn FnMut(&mut Workspace, &Event) + Send>;

#[derive(Default)]
pub(super) struct Log {
    pub(super) requests: Vec<Request>,
    pub(super) faults: Vec<Fault>,
}

/// What the handlers share. Locks are taken in the order of the fields.
pub(super) struct Shared {
    pub(super) workspace: Mutex<Workspace>,
    hook: Mutex<Option<Hook>>,
    pub(super) log: Mutex<Log>,
    window: Mutex<VecDeque<Duration>>,
    rate: Option<Rate>,
    pub(super) token: String,
    pub(super) latency: Duration,
}

/// A panic in a hook or test must not hide behind poisoned locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn fire(&self, workspace: &mut Workspace, event: &Event) {
        if let Some(hook) = lock(&self.hook).as_mut() {
            hook(workspace, event);
        }
    }

    pub(super) fn answered(&self, index: usize, status: u16) {
        if let Some(request) = lock(&self.log).requests.get_mut(index) {
            request.status = Some(status);
        }
    }

    /// Counts a request. If the window is full it is not counted, and the seconds to wait are given.
    pub(super) fn over_rate(&self, workspace: &Workspace) -> Option<u64> {
        let rate = self.rate?;
        let now = workspace.clock.passed();
        let mut window = lock(&self.window);
        while window.front().is_some_and(|at| *at + rate.window <= now) {
            window.pop_front();
        }
        if window.len() < rate.requests {
            window.push_back(now);
            return None;
        }
        let free = window.front().map_or(rate.window, |at| (*at + rate.window).saturating_sub(now));
        Some(free.as_secs() + u64::from(free.subsec_nanos() > 0))
    }
}

/// A running simulator on the loopback interface. Dropping it stops it.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a simulator.
    ///
    /// # Errors
    /// If the port is taken or no thread can be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            workspace: Mutex::new(Workspace::new(&options)),
            hook: Mutex::new(None),
            log: Mutex::new(Log::default()),
            window: Mutex::new(VecDeque::new()),
            rate: options.rate,
            token: options.token,
            latency: options.latency,
        });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<Fate>();
        let thread =
            std::thread::Builder::new().name("notion-sim".to_owned()).spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = TcpListener::from_std(listener) else { return };
                    let serve =
                        std::future::IntoFuture::into_future(axum::serve(Breakable(listener), app));
                    tokio::select! {
                        _ = serve => {}
                        _ = stopped => {}
                    }
                });
                // Requests that stall must not delay the end.
                runtime.shutdown_background();
            })?;
        Ok(Self { shared, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, e.g. `http://127.0.0.1:4321`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The workspace, to act as a person and to look inside. No request is handled while it is held. A hook must
    /// use the workspace that it is given instead.
    pub fn workspace(&self) -> impl DerefMut<Target = Workspace> {
        lock(&self.shared.workspace)
    }

    /// Id of a page that is shared with the connection, made at the start.
    pub fn parent_page(&self) -> String {
        lock(&self.shared.workspace).parent_page.clone()
    }

    /// Moves the simulated clock.
    pub fn advance(&self, by: Duration) {
        lock(&self.shared.workspace).advance(by);
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.log).faults.push(fault);
    }

    /// Removes all faults that have not hit yet.
    pub fn clear_faults(&self) {
        lock(&self.shared.log).faults.clear();
    }

    /// Requests since the last reset, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).requests.clone()
    }

    /// Forgets the requests; the next one has index 0.
    pub fn reset_requests(&self) {
        lock(&self.shared.log).requests.clear();
    }

    /// Sets what is called before and after every request, with the workspace locked.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *lock(&self.shared.hook) = hook;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

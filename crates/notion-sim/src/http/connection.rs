//! Connections that can be broken on demand.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const OPEN: u8 = 0;
const RESET: u8 = 1;
const CLOSE: u8 = 2;
const TRUNCATE: u8 = 3;

/// Tells a connection how the answer that is about to be written ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate(Arc<AtomicU8>);

impl Fate {
    /// No answer: the connection is reset.
    pub(super) fn reset(&self) {
        self.0.store(RESET, Ordering::SeqCst);
    }

    /// No answer: the connection is closed.
    pub(super) fn close(&self) {
        self.0.store(CLOSE, Ordering::SeqCst);
    }

    /// The answer ends in the middle of its body.
    pub(super) fn truncate(&self) {
        self.0.store(TRUNCATE, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Fate {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.io().fate.clone()
    }
}

/// A listener whose connections can be broken.
pub(super) struct Breakable(pub(super) TcpListener);

impl Listener for Breakable {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Answers are small; waiting to fill packets costs 40 ms each.
        let _ = stream.set_nodelay(true);
        (Connection { stream, fate: Fate::default(), left: None }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that can be broken.
pub(super) struct Connection {
    stream: TcpStream,
    fate: Fate,
    /// Bytes still to be written of a truncated answer.
    left: Option<usize>,
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let broken = || Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        match me.fate.0.load(Ordering::SeqCst) {
            OPEN => Pin::new(&mut me.stream).poll_write(cx, buf),
            RESET => {
                let _ = me.stream.set_zero_linger();
                broken()
            }
            TRUNCATE => {
                let left = *me.left.get_or_insert_with(|| half_of_body(buf));
                if left == 0 {
                    return broken();
                }
                let piece = buf.get(..left.min(buf.len())).unwrap_or(buf);
                let written = ready!(Pin::new(&mut me.stream).poll_write(cx, piece))?;
                me.left = Some(left.saturating_sub(written));
                Poll::Ready(Ok(written))
            }
            _ => broken(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Length of an answer's head and half of its body.
fn half_of_body(answer: &[u8]) -> usize {
    let head =
        answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    head + (answer.len() - head) / 2
}

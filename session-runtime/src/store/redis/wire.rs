//! The stream to a server, which knows what was written to it and read from it.

use std::io;
use std::mem;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::future::select_ok;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpStream, lookup_host};

use super::tls::Tls;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// The bytes so far. Where none was written since a call was handed over, nothing of it has left.
#[derive(Debug, Default)]
pub(super) struct Counts {
    written: AtomicU64,
    heard: AtomicU64,
}

impl Counts {
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Grows as long as the server's machine is there: by what comes from it, and as it takes what had to wait until it had taken more.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

pub(super) struct Wire {
    stream: Pin<Box<dyn Stream>>,
    is_tls: bool,
    /// Whether what is to be written had to wait. Else it may have gone no further than this machine.
    is_full: bool,
    counts: Arc<Counts>,
}

impl Wire {
    pub(super) async fn to(address: &Address, tls: Option<&Tls>) -> io::Result<Self> {
        let stream: Pin<Box<dyn Stream>> = match address {
            Address::Tcp(host, port) => {
                let stream = connect(host, *port).await?;
                stream.set_nodelay(true)?;
                match tls {
                    Some(tls) => Box::pin(tls.over(stream, host).await?),
                    None => Box::pin(stream),
                }
            }
            #[cfg(unix)]
            Address::Unix(path) => Box::pin(UnixStream::connect(path).await?),
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(io::Error::other("there are no Unix sockets on this system")),
        };
        Ok(Self { stream, is_tls: tls.is_some(), is_full: false, counts: Arc::default() })
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

/// To whichever address of the host answers first: one may be of a server that is gone.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let attempts: Vec<_> = lookup_host((host, port)).await?.map(|address| Box::pin(TcpStream::connect(address))).collect();
    if attempts.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    }
    select_ok(attempts).await.map(|(stream, _)| stream)
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.stream.as_mut().poll_read(cx, buffer))?;
        self.counts.heard.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = self.stream.as_mut().poll_write(cx, bytes) else {
            self.is_full = true;
            return Poll::Pending;
        };
        // TCP has taken nothing where it fails; TLS may have sent a part.
        let at_most = written.as_ref().map_or(u64::from(self.is_tls), |written| *written as u64);
        self.counts.written.fetch_add(at_most, Ordering::Relaxed);
        if mem::take(&mut self.is_full) && written.is_ok() {
            self.counts.heard.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}

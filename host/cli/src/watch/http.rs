//! Answers `GET /metrics` and `GET /healthz`, and nothing else. It is so little of HTTP that no library is needed: a
//! request is read to its empty line, answered, and the connection closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::metrics::Metrics;
use crate::error::WatchError;

/// How long a client may take for its request, and for our answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request.
const MAX_REQUEST_BYTES: usize = 8 * 1024;
/// Connections at a time; further ones wait until the system gives up on them.
const MAX_CONNECTIONS: usize = 8;
/// How long to wait if the system refuses another connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// Listens; returns the address, which is another one than was asked for if that had port 0.
///
/// # Errors
/// [`WatchError::Listen`].
pub async fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> Result<SocketAddr, WatchError> {
    let failed = |source| WatchError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tokio::spawn(accept(listener, metrics));
    Ok(bound)
}

async fn accept(listener: TcpListener, metrics: Arc<Metrics>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    // A client that does not behave gets no answer.
                    let _ = timeout(PATIENCE, answer(stream, &metrics)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!("could not accept a connection: {error}");
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let request = read(&stream).await?;
    write(&stream, response(&request, metrics, Instant::now()).as_bytes()).await
}

/// Reads up to the empty line that ends a request.
async fn read(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > MAX_REQUEST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stream.readable().await?;
        let mut piece = [0; 1024];
        match stream.try_read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => request.extend(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(request)
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn response(request: &[u8], metrics: &Metrics, now: Instant) -> String {
    let first = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = first.split(|byte| *byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => ("200 OK", metrics.text()),
        (b"GET" | b"HEAD", b"/healthz") => match metrics.health(now) {
            Ok(()) => ("200 OK", "ok\n".into()),
            Err(reasons) => ("503 Service Unavailable", format!("{reasons}\n")),
        },
        (b"GET" | b"HEAD", _) => ("404 Not Found", "there are /metrics and /healthz\n".into()),
        _ => ("405 Method Not Allowed", "only GET is answered\n".into()),
    };
    let kind = if path == b"/metrics" { "text/plain; version=0.0.4" } else { "text/plain" };
    let length = body.len();
    let body = if method == b"HEAD" { String::new() } else { body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Trouble;
    use super::*;

    #[test]
    fn two_paths_are_answered() {
        let (metrics, start) = (Metrics::default(), Instant::now());
        let status = |request: &str| {
            let response = response(request.as_bytes(), &metrics, start + Duration::from_secs(90));
            response.split("\r\n").next().unwrap().to_owned()
        };
        assert_eq!(status("GET /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(status("GET /healthz?x=1 HTTP/1.0\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(status("HEAD /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(status("\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
        metrics.is_wrong(Trouble::Folder, "gone".into(), start);
        assert_eq!(status("GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 503 Service Unavailable");
    }
}

//! A TCP proxy in front of a PostgreSQL that knows where the protocol's messages end, and does
//! harm after a given number of them (PostgreSQL documentation, "Frontend/Backend Protocol").

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both ends see the connection closed.
    Cut,
    /// The client sees it reset.
    Reset,
    /// Nothing goes through any more, either way; the connection stays.
    Stall,
    /// SIGKILL to the client's process.
    KillHost,
    /// SIGKILL to the server.
    KillServer,
}

/// When it happens: after so many messages of the first connection have gone through.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub direction: Direction,
    pub messages: usize,
}

/// A plan for one run of the client.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub moment: Moment,
    pub fault: Fault,
    /// Whether further connections are let through, so that the client can ask what became of it.
    pub later_connections: bool,
}

/// The proxy; its connections end with it.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    plan: Option<Plan>,
    connections: AtomicUsize,
    /// Messages of the first connection so far.
    to_server: AtomicUsize,
    to_client: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The client's process, once it is started.
    host: Option<u32>,
    /// The server's first process.
    server: Option<u32>,
    has_struck: bool,
    /// The client has ended; there is nothing left to carry.
    is_over: bool,
    open: Vec<(TcpStream, UnixStream)>,
}

impl Proxy {
    /// In front of the server that listens on this socket.
    pub fn start(socket: &Path, plan: Option<Plan>, server: Option<u32>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            socket: socket.to_owned(),
            plan,
            connections: AtomicUsize::new(0),
            to_server: AtomicUsize::new(0),
            to_client: AtomicUsize::new(0),
            state: Mutex::new(State { server, ..State::default() }),
            changed: Condvar::new(),
        });
        thread::spawn({
            let shared = shared.clone();
            move || {
                for client in listener.incoming().map_while(Result::ok) {
                    if shared.state.lock().unwrap().is_over {
                        return;
                    }
                    shared.accept(client);
                }
            }
        });
        Proxy { port, shared }
    }

    /// Says which process is to be killed.
    pub fn host_is(&self, process: u32) {
        self.shared.state.lock().unwrap().host = Some(process);
        self.shared.changed.notify_all();
    }

    /// Messages of the first connection: to the server, to the client.
    pub fn messages(&self) -> (usize, usize) {
        (self.shared.to_server.load(Ordering::SeqCst), self.shared.to_client.load(Ordering::SeqCst))
    }

    /// Whether the fault has happened.
    pub fn has_struck(&self) -> bool {
        self.shared.state.lock().unwrap().has_struck
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_over = true;
        state.open.iter().for_each(close);
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn accept(self: &Arc<Shared>, client: TcpStream) {
        let is_first = self.connections.fetch_add(1, Ordering::SeqCst) == 0;
        if !is_first && self.plan.is_some_and(|plan| !plan.later_connections) {
            return;
        }
        // A server that is down refuses.
        let Ok(server) = UnixStream::connect(&self.socket) else { return };
        client.set_nodelay(true).unwrap();
        self.state.lock().unwrap().open.push((client.try_clone().unwrap(), server.try_clone().unwrap()));
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (shared, client, server) =
                (self.clone(), client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let carried = match direction {
                    Direction::ToServer => shared.carry(direction, is_first, client, server, &ends),
                    Direction::ToClient => shared.carry(direction, is_first, server, client, &ends),
                };
                // An end that is gone ends the other, unless nothing goes through.
                if carried.is_err() {
                    close(&ends);
                }
            });
        }
    }

    /// Carries messages one by one; ends with the connection.
    fn carry(
        &self,
        direction: Direction,
        is_first: bool,
        mut from: impl Read,
        mut to: impl Write,
        ends: &(TcpStream, UnixStream),
    ) -> io::Result<()> {
        // The client's very first message has no type.
        let mut has_type = direction == Direction::ToClient;
        loop {
            if is_first {
                self.strike_if_due(direction, ends)?;
            }
            let mut message = vec![0; if has_type { 5 } else { 4 }];
            from.read_exact(&mut message)?;
            let length = &message[message.len() - 4..];
            let rest = u32::from_be_bytes(length.try_into().unwrap()) as usize - 4;
            let head = message.len();
            message.resize(head + rest, 0);
            from.read_exact(&mut message[head..])?;
            if is_first && self.is_stalled() {
                self.wait_until_over();
            }
            to.write_all(&message)?;
            to.flush()?;
            has_type = true;
            if is_first {
                self.counter(direction).fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn counter(&self, direction: Direction) -> &AtomicUsize {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    fn is_stalled(&self) -> bool {
        self.plan.is_some_and(|plan| plan.fault == Fault::Stall) && self.state.lock().unwrap().has_struck
    }

    fn strike_if_due(&self, direction: Direction, ends: &(TcpStream, UnixStream)) -> io::Result<()> {
        let Some(Plan { moment, fault, .. }) = self.plan else { return Ok(()) };
        if moment.direction != direction || moment.messages != self.counter(direction).load(Ordering::SeqCst)
        {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap();
        state.has_struck = true;
        self.changed.notify_all();
        match fault {
            Fault::Cut => close(ends),
            Fault::Reset => {
                let socket = socket2::SockRef::from(&ends.0);
                socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
                ends.1.shutdown(std::net::Shutdown::Both).ok();
                // The reset is sent when the last handle is closed.
                state.open.clear();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Fault::Stall => {
                drop(state);
                self.wait_until_over();
            }
            Fault::KillHost => {
                let state = self.changed.wait_while(state, |state| state.host.is_none()).unwrap();
                kill(state.host.unwrap());
            }
            Fault::KillServer => kill(state.server.expect("the plan says which server")),
        }
        Ok(())
    }

    fn wait_until_over(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| !state.is_over).unwrap());
    }
}

fn close((client, server): &(TcpStream, UnixStream)) {
    // Either may be gone already.
    client.shutdown(std::net::Shutdown::Both).ok();
    server.shutdown(std::net::Shutdown::Both).ok();
}

fn kill(process: u32) {
    let process = nix::unistd::Pid::from_raw(process.try_into().unwrap());
    // It may have ended by itself.
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).ok();
}

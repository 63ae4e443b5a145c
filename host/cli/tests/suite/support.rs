//! What the tests stand on: a database of their own, the program, files.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use host_detector::{Cache, DetectorError, Limits, Requirements, Sandbox, compiler};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// A database of this test's own, on the server that `cargo xtask test` starts.
pub struct Database {
    name: String,
    server: String,
}

impl Database {
    pub fn new() -> Database {
        Database::on(server_url())
    }

    /// On another server, whose superuser's URL this is.
    pub fn on(server: String) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{count}", std::process::id());
        let database = Database { name, server };
        execute(&database.server, &format!("CREATE DATABASE {}", database.name));
        database
    }

    /// A database of this test's own, with the host's tables.
    pub fn migrated() -> Database {
        let database = Database::new();
        succeed(host().args(["migrate", "--database-url", &database.url()]));
        database
    }

    /// The test server's URL with this database's name.
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("the server's URL names a database");
        format!("{server}/{}", self.name)
    }

    /// Takes this database's random name out of a text.
    pub fn anonymous(&self, text: &str) -> String {
        text.replace(&self.url(), "URL")
    }

    pub fn execute(&self, sql: &str) {
        execute(&self.url(), sql);
    }

    /// The first column of the first row, over a connection of its own.
    pub fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().expect("the query gives a whole number")
    }

    /// The same as text.
    pub fn text(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        rows.first().unwrap_or_else(|| panic!("no rows: {sql}"))[0].clone()
    }

    /// All rows as text; NULL is `null`.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows(&self.url(), sql)
    }

    /// Waits until a query gives this number.
    pub fn wait_for(&self, sql: &str, number: i64) {
        wait_until(&format!("{number} as the result of {sql}"), || self.number(sql) == number);
    }

    /// Does something while another session holds the lock on `transactions` that runs want.
    pub fn while_locked(&self, act: impl FnOnce() + Send) {
        with_client(&self.url(), async |client| {
            let lock = "BEGIN; LOCK TABLE transactions IN SHARE ROW EXCLUSIVE MODE";
            client.batch_execute(lock).await.unwrap();
            // It may want connections of its own.
            std::thread::scope(|scope| scope.spawn(act).join()).unwrap();
            client.batch_execute("ROLLBACK").await.unwrap();
        });
    }

    /// Rows of both tables and of the ledger; none of a table that is not there.
    pub fn counts(&self) -> (i64, i64, i64) {
        let count = |table: &str| {
            let exists = self.text(&format!("SELECT to_regclass('{table}') IS NOT NULL")) == "t";
            if exists { self.number(&format!("SELECT count(*) FROM {table}")) } else { 0 }
        };
        (count("transactions"), count("anomalies"), count("ingest_runs"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// How long a condition may take to come about on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks. Whoever looks without a pause takes from the others what they need to get there.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for a condition, never for a time; if it does not come about, the test fails and says
/// what it waited for.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited {} s in vain for {what}", PATIENCE.as_secs());
        std::thread::sleep(PAUSE);
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// Says that a test cannot be done here, and why. `cargo xtask test` names all of them at its end,
/// so that none is left out unseen.
#[allow(clippy::print_stdout, reason = "people who run a single test see it here")]
pub fn leave_out(why: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    print!("left out: {line}");
    if let Some(list) = std::env::var_os("HOST_TEST_LEFT_OUT") {
        let list = std::fs::File::options().create(true).append(true).open(list);
        list.and_then(|mut list| list.write_all(line.as_bytes())).expect("the list can be written");
    }
}

/// The server's superuser URL.
pub fn server_url() -> String {
    std::env::var("HOST_TEST_DATABASE_URL").expect(
        "run the tests with `cargo xtask test`: it builds the plugins and starts a PostgreSQL for them",
    )
}

pub fn execute(url: &str, sql: &str) {
    with_client(url, async |client| {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    });
}

/// All rows as text; NULL is `null`.
pub fn rows(url: &str, sql: &str) -> Vec<Vec<String>> {
    with_client(url, async |client| {
        let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let mut rows = Vec::new();
        for message in messages {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|i| row.get(i).unwrap_or("null").to_owned()).collect());
            }
        }
        rows
    })
}

/// Runs `act` on a new connection, which is closed afterwards.
pub fn with_client<T>(url: &str, act: impl AsyncFnOnce(&Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        let task = tokio::spawn(connection);
        let result = act(&client).await;
        drop(client);
        task.await.unwrap().unwrap();
        result
    })
}

/// The program, with an environment in which nothing names a database, and a cache of compiled
/// plugins that all tests share.
pub fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PG") || text.starts_with("HOST_") || text == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.env("XDG_CACHE_HOME", cache_folder());
    command.env("HOST_PLUGIN_PATH", test_plugins());
    command
}

/// The folder of the plugins that only tests need; the host looks there where it is told to.
pub fn test_plugins() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_host")).with_file_name("test-plugins")
}

/// The built plugin of this name, whether it is for users or for tests.
pub fn plugin(name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.trim_end_matches(".wasm"));
    let for_users = Path::new(env!("CARGO_BIN_EXE_host")).with_file_name("plugins").join(&file);
    let found = [test_plugins().join(&file), for_users].into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("run `cargo xtask plugins` first: there is no {file}"))
}

/// A sandbox of the library's, for which the program compiles.
pub fn sandbox(limits: Limits, requirements: Requirements, cache: Cache) -> Result<Sandbox, DetectorError> {
    compiler::compile_with(PathBuf::from(env!("CARGO_BIN_EXE_host")));
    Sandbox::new(limits, requirements, cache)
}

/// Where all tests keep compiled plugins: in the target folder, unless that belongs to another user.
pub fn cache_folder() -> PathBuf {
    let folder = std::env::var_os("HOST_TEST_CACHE").map(PathBuf::from);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
}

/// `host run` with this plugin and file on this database; add further arguments before running.
pub fn host_run(database: &Database, plugin: &str, file: &Path) -> Command {
    let mut command = host();
    command.args(["run", "--database-url", &database.url(), "--plugin", plugin]).arg(file);
    command
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn of(Output { status, stdout, stderr }: Output) -> Finished {
        Finished {
            code: status.code().unwrap_or(KILLED),
            stdout: String::from_utf8(stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(stderr).expect("stderr is UTF-8"),
        }
    }
}

/// In place of the exit code of a program that a signal ended.
pub const KILLED: i32 = -1;

/// Types a line into a shell in which `host` is this command, and whose folder and environment are the command's.
pub fn type_line(host: &Command, line: &str) -> Finished {
    let mut shell = Command::new("bash");
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = host.get_current_dir() {
        shell.current_dir(folder);
    }
    let line = format!("host() {{ \"$HOST\" \"$@\"; }}; {line}");
    finish(shell.env("HOST", host.get_program()).args(["-c", &line]))
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Finished {
    let finished = Finished::of(command.output().expect("the program starts"));
    assert_ne!(finished.code, KILLED, "{finished:?}");
    finished
}

/// Runs a program that must succeed; returns what it printed on stdout.
pub fn succeed(command: &mut Command) -> String {
    let finished = finish(command);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout
}

/// A program that runs while the test goes on.
pub struct Running(Child);

/// Starts a program whose output is read when it has ended.
pub fn start(command: &mut Command) -> Running {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("the program starts"))
}

impl Running {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("the program can be asked").is_some()
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        succeed(Command::new("kill").args(["-s", name, &self.0.id().to_string()]));
    }

    /// Waits for the end.
    pub fn finish(self) -> Finished {
        Finished::of(self.0.wait_with_output().expect("the program can be waited for"))
    }
}

/// The JSON summary of a run that must succeed.
pub fn summary(command: &mut Command) -> serde_json::Value {
    serde_json::from_str(&succeed(command.args(["--format", "json"]))).expect("the summary is JSON")
}

/// The project's sample file.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/consumed_transactions.csv")
}

/// A folder of this test's own, with files in it.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A named pipe: a file that a run waits for until it is opened for writing, and that ends when
    /// the writer is dropped.
    pub fn pipe(&self) -> PathBuf {
        let path = self.path().join("pipe");
        succeed(Command::new("mkfifo").arg(&path));
        path
    }

    /// A file of so many rows, of which every hundredth is above 500.
    pub fn many_rows(&self, name: &str, ids: std::ops::Range<i64>) -> PathBuf {
        let mut text = String::from("transaction_id,user_id,amount,timestamp\n");
        for id in ids {
            let amount = if id % 100 == 0 { "900.00" } else { "1.00" };
            text.push_str(&format!("{id},7,{amount},2024-01-01 00:00:00\n"));
        }
        self.write(name, text)
    }

    /// A file of this content, compressed.
    pub fn gzip(&self, name: &str, content: &[u8]) -> PathBuf {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, content).unwrap();
        self.write(name, gzip.finish().unwrap())
    }

    /// A CSV file with the usual header and these lines.
    pub fn csv(&self, lines: &[&str]) -> PathBuf {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.write("file.csv", format!("transaction_id,user_id,amount,timestamp\n{lines}"))
    }

    /// Takes this folder's random name out of a text.
    pub fn anonymous(&self, text: &str) -> String {
        text.replace(self.path().to_str().expect("temporary paths are UTF-8"), "/files")
    }
}

/// A server of this test's own, which it may stop and kill.
pub struct OwnServer {
    pub files: Files,
}

impl OwnServer {
    pub fn new() -> OwnServer {
        let files = Files::new();
        std::fs::set_permissions(files.path(), PermissionsExt::from_mode(0o755)).unwrap();
        OwnServer { files }
    }

    /// Starts it, also after it was killed; returns its superuser's URL.
    pub fn start(&self) -> String {
        succeed(&mut self.db("start")).trim().to_owned()
    }

    fn db(&self, what: &str) -> Command {
        let mut command = host();
        command.env("HOST_DATA_DIR", self.files.path()).args(["db", what]);
        command
    }

    pub fn socket(&self) -> PathBuf {
        self.files.path().join("postgresql/socket")
    }

    /// The process that is the parent of all others of it.
    pub fn process(&self) -> u32 {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("postgresql/data")
    }

    /// One of PostgreSQL's programs, as the user that the server runs as.
    pub fn command(&self, program: &str) -> Command {
        let folder = succeed(&mut self.db("programs"));
        let owner = std::fs::metadata(self.data()).unwrap();
        // Where the standby goes.
        self.hand_over(self.files.path());
        let mut command = Command::new(Path::new(folder.trim()).join(program));
        command.uid(owner.uid()).gid(owner.gid()).current_dir("/");
        command
    }

    /// Gives a folder to the user that the server runs as.
    pub fn hand_over(&self, folder: &Path) {
        let owner = std::fs::metadata(self.data()).unwrap();
        std::os::unix::fs::chown(folder, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    pub fn pg_ctl(&self, arguments: &[&str]) {
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.args(arguments).args(["--silent", "--wait", "--pgdata"]).arg(self.data());
        assert!(pg_ctl.status().unwrap().success(), "{arguments:?}");
    }
}

/// A standby of a server, in the same folder of sockets, for as long as this lives.
pub struct Standby<'a> {
    primary: &'a OwnServer,
    folder: PathBuf,
}

/// The port of every [`Standby`].
pub const STANDBY_PORT: u16 = 5433;

impl OwnServer {
    /// Makes a standby by pg_basebackup; it is kept up to date.
    pub fn standby(&self) -> Standby<'_> {
        let folder = self.files.path().join("standby");
        let socket = self.socket();
        let mut backup = self.command("pg_basebackup");
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--username=postgres", "--host"]);
        succeed(backup.arg(&socket).arg("--pgdata").arg(&folder));
        let standby = Standby { primary: self, folder };
        let options = format!(
            "-c port={STANDBY_PORT} -c listen_addresses='' -c unix_socket_directories='{}'",
            socket.display()
        );
        standby.pg_ctl(&["start", "--wait", "--silent", "--log", "/dev/null", "--options", &options]);
        standby
    }
}

impl Standby<'_> {
    fn pg_ctl(&self, arguments: &[&str]) {
        let mut pg_ctl = self.primary.command("pg_ctl");
        pg_ctl.args(arguments).arg("--pgdata").arg(&self.folder);
        assert!(pg_ctl.status().unwrap().success(), "{arguments:?}");
    }
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        self.pg_ctl(&["stop", "--silent", "--mode=immediate"]);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        succeed(&mut self.db("stop"));
    }
}

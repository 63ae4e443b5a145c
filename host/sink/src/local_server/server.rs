//! Creating a cluster, starting and stopping its server, with PostgreSQL's own programs.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::local_server::cluster::{Cluster, DATA, DATABASE, SUPERUSER};
use crate::local_server::error::{EmbeddedError, at};
use crate::local_server::paths;
use crate::local_server::paths::PORT;
use crate::local_server::programs::{Programs, held, run, text};

/// How long the remains of an earlier server may be in the way.
const LEFTOVERS_PATIENCE: Duration = Duration::from_secs(10);
/// Clusters are created in folders with this prefix, and renamed when they are complete.
const HALF_MADE: &str = "data.new.";
/// How long a start may take: recovery after a crash included.
const START_SECONDS: &str = "60";

impl Cluster {
    /// Runs initdb in a folder of another name first, so that half a cluster is never taken for a whole one.
    pub(crate) fn create(&self, programs: &Programs, control: &File) -> Result<(), EmbeddedError> {
        let data = self.data();
        if let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) {
            return programs.check_version(&data, version.trim());
        }
        self.remove_half_made();
        let name = format!("{HALF_MADE}{}", std::process::id());
        let fresh = self.folder.join(&name);
        paths::own_folder(&fresh)?;
        let mut initdb = programs.command("initdb")?;
        initdb.current_dir(&self.folder).arg("--pgdata").arg(&name).args([
            "--username",
            SUPERUSER,
            "--auth-local",
            "trust",
            "--auth-host",
            "reject",
            "--encoding",
            "UTF8",
            "--no-locale",
        ]);
        run("initdb", &mut initdb, held(control)?)?;
        let mut single = programs.command("postgres")?;
        single.current_dir(&self.folder).args(["--single", "-D", &name, "postgres"]);
        run("postgres", &mut single, text(&format!("CREATE DATABASE {DATABASE}\n"))?)?;
        fs::rename(&fresh, &data).map_err(at("rename", &fresh))
    }

    /// Removes what is left of clusters whose creation was interrupted. If one of PostgreSQL's programs
    /// has not noticed that yet, something may remain until next time.
    fn remove_half_made(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(HALF_MADE)) {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!("remove `{}`: {error}", entry.path().display());
            }
        }
    }

    pub(crate) fn start_now(&self, programs: &Programs, control: &File) -> Result<(), EmbeddedError> {
        let socket_folder = paths::socket_folder(&self.folder, self.runtime.as_deref());
        paths::own_folder(&socket_folder)?;
        let log = self.data().join("server.log");
        // pg_ctl goes through a shell, and the server splits lists: so neither gets to see the folder's name,
        // which may contain anything. A socket folder elsewhere has a plain name.
        let socket_folder = match socket_folder.strip_prefix(&self.folder) {
            Ok(inside) => Path::new("..").join(inside),
            Err(_) => socket_folder,
        };
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c unix_socket_permissions=0700 -c port={PORT}",
            socket_folder.display()
        );
        let mut pg_ctl = programs.command("pg_ctl")?;
        pg_ctl.current_dir(&self.folder);
        pg_ctl.args(["start", "--wait", "--silent", "--timeout", START_SECONDS, "--pgdata", DATA]);
        pg_ctl.args(["--log", "data/server.log", "--options", &options]);
        // The remains of a killed server take a moment to go away, and are in the way until then.
        let give_up = Instant::now() + LEFTOVERS_PATIENCE;
        let had_predecessor = self.data().join("postmaster.pid").exists();
        loop {
            match run("pg_ctl", &mut pg_ctl, held(control)?) {
                Err(EmbeddedError::Program { .. }) if had_predecessor && Instant::now() < give_up => {
                    thread::sleep(Duration::from_millis(100));
                }
                // pg_ctl itself only says to look at the log.
                Err(EmbeddedError::Program { program, .. }) => {
                    return Err(EmbeddedError::Program { program, output: last_complaint(&log) });
                }
                other => return other,
            }
        }
    }

    /// Any other process that wants to start or stop it waits until this has ended, even if we are killed.
    pub(crate) fn stop_now(&self, programs: &Programs, control: &File) -> Result<(), EmbeddedError> {
        let mut pg_ctl = programs.command("pg_ctl")?;
        pg_ctl.current_dir(&self.folder);
        pg_ctl.args(["stop", "--wait", "--silent", "--mode", "fast", "--pgdata", DATA]);
        run("pg_ctl", &mut pg_ctl, held(control)?)
    }
}

/// The last error in a server's log, else its last line.
fn last_complaint(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let complaint = text.lines().rev().find(|line| line.contains("FATAL") || line.contains("ERROR"));
    complaint.or(text.lines().last()).unwrap_or_default().to_owned()
}

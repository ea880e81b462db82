//! A real PostgreSQL on loopback, from the packages of the system, with a database for each test; and pgbouncer in
//! transaction mode before it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test fails where it cannot go on, and each binary uses its own part"
)]

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The password of every database here; no output may hold it.
pub const PASSWORD: &str = "pg_4711_secret";

/// A server with a folder of its own. It ends with this process, however that ends.
pub struct Server {
    /// Its port on loopback.
    pub port: u16,
    folder: TempDir,
    process: Child,
}

/// Whom the server runs as: it refuses root.
fn user() -> Option<(u32, u32)> {
    let id = |args: &[&str]| -> u32 {
        let output = Command::new("id").args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(u32::MAX)
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

/// A program of PostgreSQL: Debian keeps those of the server out of the path.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
    // Certificates of the person who runs this are nobody's business, and may not be readable.
    command.env_remove("PGHOST").env("LC_ALL", "C.UTF-8").env("HOME", "/").current_dir("/");
    command
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Runs something in the background that ends when `process`'s standard input does.
fn guarded(script: &str, args: &[&std::ffi::OsStr]) -> Child {
    let script =
        format!("{script} & pid=$!; cat >/dev/null; kill -QUIT $pid 2>/dev/null; wait $pid");
    command("sh")
        .args(["-c", &script, "sh"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Server {
    /// Starts one in a folder below `parent`, or in the usual place.
    pub fn start_in(parent: Option<&Path>) -> Self {
        Self::start(parent, None)
    }

    /// Starts one that takes connections by TLS alone, with `server.crt` and `server.key` of this folder.
    pub fn with_tls(keys: &Path) -> Self {
        Self::start(None, Some(keys))
    }

    fn start(parent: Option<&Path>, keys: Option<&Path>) -> Self {
        let folder = match parent {
            Some(parent) => TempDir::new_in(parent),
            None => TempDir::new(),
        };
        let folder = folder.unwrap();
        if let Some((uid, gid)) = user() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = folder.path().join("data");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, PASSWORD).unwrap();
        let made = command(program("initdb"))
            .args(["-U", "postgres", "-E", "UTF8", "--no-sync", "-A", "scram-sha-256", "--pwfile"])
            .arg(&secret)
            .arg("-D")
            .arg(&data)
            .output()
            .expect("PostgreSQL is needed: apt-get install postgresql pgbouncer");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        if let Some(keys) = keys {
            for name in ["server.crt", "server.key"] {
                let to = data.join(name);
                std::fs::copy(keys.join(name), &to).unwrap();
                std::fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
                if let Some((uid, gid)) = user() {
                    chown(&to, Some(uid), Some(gid)).unwrap();
                }
            }
            std::fs::write(
                data.join("pg_hba.conf"),
                "hostssl all all 127.0.0.1/32 scram-sha-256\n",
            )
            .unwrap();
            let config = data.join("postgresql.auto.conf");
            std::fs::write(config, "ssl = on\n").unwrap();
        }
        let port = free_port();
        let process = Self::run(&data, port);
        let server = Self { port, folder, process };
        server.wait();
        server
    }

    fn run(data: &Path, port: u16) -> Child {
        let port = port.to_string();
        let script = "\"$1\" -D \"$2\" -p \"$3\" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
            -c fsync=off -c max_connections=60 -c shared_buffers=16MB";
        let postgres = program("postgres");
        guarded(script, &[postgres.as_os_str(), data.as_os_str(), port.as_ref()])
    }

    /// The one that the tests of this process share.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start_in(None))
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if self.try_sql("postgres", "SELECT 1").is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL did not start: {:?}", self.try_sql("postgres", "SELECT 1"));
    }

    /// Kills the server as a crash would: every process at once, nothing is tidied up.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // The children end when their parent is gone.
        Command::new("kill").args(["-KILL", &pid]).status().unwrap();
        self.process.stdin.take();
        self.process.wait().unwrap();
    }

    /// Starts it again after [`Self::kill`].
    pub fn restart(&mut self) {
        self.process = Self::run(&self.folder.path().join("data"), self.port);
        self.wait();
    }

    /// Makes a database of a name that no other test has.
    pub fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.try_sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        name
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Runs SQL by psql; gives the rows, a line each, columns parted by `|`.
    ///
    /// # Errors
    /// What psql says.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = command("psql")
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-c", sql])
            .output()
            .expect("psql is needed: apt-get install postgresql");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// pgbouncer in transaction mode: a session of a client has another connection for each transaction.
pub struct Pooler {
    port: u16,
    _folder: TempDir,
    _process: Child,
}

impl Pooler {
    /// Starts one before a server.
    pub fn start(server: &Server) -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let config = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users.txt");
        std::fs::write(&users, format!("\"postgres\" \"{PASSWORD}\"\n")).unwrap();
        std::fs::write(
            &config,
            format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
                 default_pool_size = 3\nunix_socket_dir =\n",
                server.port,
                users.display()
            ),
        )
        .unwrap();
        if let Some((uid, gid)) = user() {
            for path in [folder.path(), &config, &users] {
                chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let bouncer = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let bouncer = bouncer.into_iter().find(|path| Path::new(path).exists());
        let bouncer = bouncer.expect("pgbouncer is needed: apt-get install pgbouncer");
        let process = guarded("\"$1\" -q \"$2\"", &[bouncer.as_ref(), config.as_os_str()]);
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "pgbouncer did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, _folder: folder, _process: process }
    }

    /// The URL of a database through it.
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }
}

//! A PostgreSQL server of the test run's own: made in a temporary folder, reached through a Unix
//! socket, gone when the test program ends, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running server.
pub(crate) struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    databases: AtomicU32,
    /// The shell that runs the server. It waits for the end of its standard input, which comes when
    /// this program ends, then stops the server and removes the folder.
    _keeper: Child,
}

/// The script of the keeper: `$1` is the folder of the programs, `$2` that of the data.
const KEEPER: &str = r#"
trap : INT TERM HUP # a signal to the whole test run ends the wait, not the cleaning up
cd "$2" || exit 1
"$1/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync >initdb.log 2>&1 || exit 1
"$1/postgres" -D data -k "$2" -c listen_addresses= -c max_connections=300 >server.log 2>&1 &
server=$!
read -r _
kill -QUIT $server
wait $server
cd /
rm -rf "$2"
"#;

impl Cluster {
    /// The server of this test program, started when it is first asked for.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let bin = programs().unwrap_or_else(|| {
            panic!(
                "PostgreSQL is missing: there is no initdb in /usr/lib/postgresql/*/bin or on the \
                 PATH. Install it with: apt-get install postgresql"
            )
        });
        let folder = tempfile::Builder::new()
            .prefix("hallway-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        let mut keeper = as_postgres(&folder);
        let keeper = keeper
            .args(["sh", "-c", KEEPER, "keeper"])
            .args([&bin, &folder])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let cluster = Self {
            bin,
            folder,
            databases: AtomicU32::new(0),
            _keeper: keeper,
        };
        cluster.await_ready();
        cluster
    }

    fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.client("pg_isready").output().unwrap().status.success() {
            if Instant::now() > deadline {
                let log =
                    |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
                let (initdb, server) = (log("initdb.log"), log("server.log"));
                panic!("PostgreSQL did not start within a minute.\n{initdb}\n{server}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn client(&self, program: &str) -> Command {
        let mut client = Command::new(self.bin.join(program));
        client.arg("-h").arg(&self.folder).args(["-U", "postgres"]);
        client
    }

    /// Makes a database that is empty, and gives its address.
    pub(crate) fn new_database(&self) -> String {
        let name = format!("hallway_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let created = self.client("createdb").arg(&name).output().unwrap();
        assert!(created.status.success(), "{created:?}");
        let socket = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{socket}/{name}")
    }
}

/// Where the newest PostgreSQL is.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let newest = versions
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest
        .map(|(_, bin)| bin)
        .or_else(|| std::env::split_paths(&path).find(|folder| folder.join("initdb").exists()))
}

/// A command that runs as somebody who may start PostgreSQL, which root may not, and who owns
/// `folder`.
fn as_postgres(folder: &Path) -> Command {
    let me = Command::new("id").arg("-u").output().unwrap();
    if me.stdout.trim_ascii() != b"0" {
        return Command::new("env");
    }
    let given = Command::new("chown")
        .arg("postgres")
        .arg(folder)
        .output()
        .unwrap();
    assert!(given.status.success(), "{given:?}");
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]);
    command
}

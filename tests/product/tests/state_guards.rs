//! The state guards with real databases: what was there is there again, whoever writes meanwhile, and what is not whole is not gone
//! back to. Without the databases' own programs on this machine nothing can be shown; the tests say so, and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use autodevops_commands::{Commands, Operators};
use autodevops_model::ErrorKind;
use autodevops_policy::{Access, Grant, Preopen, effective};
use autodevops_product_tests::{memory::Memory, plugin_folder, sandbox, skip};
use autodevops_sandbox::{CallContext, CallFailure, Plugin, PluginSource};
use rusqlite::Connection;
use tempfile::TempDir;

/// A guard with its commands, granted as an operator does.
fn guard(name: &str, folder: &Path, env: &[(&str, &str)], commands: &[(&str, &[&str])]) -> Plugin {
    let plugin = plugin_folder(name);
    let operators = |argv: &[&str]| Operators {
        argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
        folder: folder.to_owned(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        pass_env: Vec::new(),
        timeout: Duration::from_secs(60),
    };
    let commands: BTreeMap<String, Operators> =
        commands.iter().map(|(name, argv)| ((*name).to_owned(), operators(argv))).collect();
    let preopen = Preopen { host: Some(folder.join("snapshots")), access: Access::ReadWrite };
    let grant = Grant {
        files: [("/snapshots".to_owned(), preopen)].into(),
        commands: commands.keys().cloned().collect(),
        keyvalue: true,
        clocks: true,
        ..Grant::default()
    };
    let source = PluginSource {
        manifest: &plugin.manifest,
        component: &plugin.component,
        grant: effective(&plugin.manifest, &grant),
        config: Vec::new(),
        keyvalue: Some(Arc::new(Memory::default())),
        local: None,
        mail: None,
        commands: Some(Arc::new(Commands::new(commands))),
        credentials: None,
    };
    Plugin::load(&sandbox(), source).unwrap()
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip(&format!("`{program}` is not on this machine"));
    }
    found
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("snapshots")).unwrap();
    folder
}

const P: &str = "production";

/// What both databases must show, with `change` as what the new release did to the data, and `seen` as what is there.
async fn goes_back(guard: &Plugin, file_of: impl Fn(&str) -> PathBuf, change: impl Fn(), seen: impl Fn() -> String) {
    let context = CallContext::default();
    let before = seen();
    let taken = guard.snapshot(&context, P, "r1/snapshot").await.unwrap();
    assert_eq!(fs::metadata(file_of(&taken.id)).unwrap().len(), taken.bytes);
    assert_eq!(guard.verify(&context, P, &taken.id).await.unwrap(), None);
    let files = || fs::read_dir(file_of(&taken.id).parent().unwrap()).unwrap().count();
    assert_eq!(files(), 1, "beside the snapshot lies nothing, whoever looked at it");
    assert_eq!(guard.changed(&context, P, &taken.id).await.unwrap(), None, "nothing was written since");
    change();
    assert_ne!(seen(), before);
    let differs = guard.changed(&context, P, &taken.id).await.unwrap().expect("something was written since");
    assert!(differs.contains("one that is taken now"), "{differs}");
    assert_eq!(files(), 1, "looking keeps nothing");
    assert_eq!(guard.snapshot(&context, P, "r1/snapshot").await.unwrap(), taken, "the same key takes one");
    guard.restore(&context, P, "r1/restore", 5, &taken.id).await.unwrap();
    assert_eq!(seen(), before);
    change();
    guard.restore(&context, P, "r1/restore", 5, &taken.id).await.unwrap();
    assert_ne!(seen(), before, "the same key goes back once");
    let stale = guard.restore(&context, P, "r0/restore", 4, &taken.id).await.unwrap_err();
    assert!(matches!(&stale.failure, CallFailure::Refused(error) if error.kind == ErrorKind::Denied), "{stale}");
    // What lies on the disk is not what was written there.
    let file = file_of(&taken.id);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 3..bytes.len();
    bytes[middle].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let changed = seen();
    let fault = guard.verify(&context, P, &taken.id).await.unwrap().expect("it is not whole");
    let refused = guard.restore(&context, P, "r2/restore", 6, &taken.id).await.unwrap_err().to_string();
    assert!(refused.contains("is not gone back to"), "{refused} ({fault})");
    assert_eq!(seen(), changed);
    assert_eq!(guard.snapshots(&context, P).await.unwrap(), std::slice::from_ref(&taken));
    guard.forget(&context, P, &taken.id).await.unwrap();
    assert!(!file.exists() && guard.snapshots(&context, P).await.unwrap().is_empty());
}

fn sqlite(folder: &Path) -> (Plugin, PathBuf) {
    let database = folder.join("shop.db");
    let guard = guard(
        "state-sqlite",
        folder,
        &[],
        &[
            (
                "sqlite-snapshot",
                &["sqlite3", "-readonly", "shop.db", ".timeout 5000", ".backup 'snapshots/{snapshot}.db'"],
            ),
            (
                "sqlite-check",
                &["sqlite3", "-readonly", "file:snapshots/{snapshot}.db?immutable=1", "PRAGMA integrity_check"],
            ),
            ("sqlite-restore", &["sqlite3", "shop.db", ".timeout 5000", ".restore 'snapshots/{snapshot}.db'"]),
        ],
    );
    (guard, database)
}

fn open(database: &Path, mode: &str) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection.pragma_update(None, "journal_mode", mode).unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_database_goes_back_to_its_snapshot() {
    if !is_there("sqlite3") {
        return;
    }
    for mode in ["delete", "wal"] {
        let folder = folder();
        let (guard, database) = sqlite(folder.path());
        let shop = open(&database, mode);
        shop.execute_batch("CREATE TABLE orders (name TEXT); INSERT INTO orders VALUES ('a'), ('b')").unwrap();
        for number in 0..2000 {
            shop.execute("INSERT INTO orders VALUES (?1)", [format!("order {number}")]).unwrap();
        }
        let file_of = |id: &str| folder.path().join(format!("snapshots/{id}.db"));
        let change = || shop.execute_batch("DELETE FROM orders; INSERT INTO orders VALUES ('wrong')").unwrap();
        let seen = || {
            let count = "SELECT count(*) || ' ' || min(name) || ' ' || max(name) FROM orders";
            shop.query_row(count, [], |row| row.get::<_, String>(0)).unwrap()
        };
        goes_back(&guard, file_of, change, seen).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_database_that_went_back_is_as_it_was_and_one_row_is_a_change() {
    if !is_there("sqlite3") {
        return;
    }
    let folder = folder();
    let (guard, database) = sqlite(folder.path());
    let shop = open(&database, "wal");
    shop.execute_batch("CREATE TABLE orders (name TEXT); INSERT INTO orders VALUES ('a')").unwrap();
    let context = CallContext::default();
    let taken = guard.snapshot(&context, P, "r1/snapshot").await.unwrap();
    let changed = async || guard.changed(&context, P, &taken.id).await.unwrap();
    shop.execute_batch("INSERT INTO orders VALUES ('b')").unwrap();
    let differs = changed().await.unwrap();
    assert!(differs.starts_with("one that is taken now has as many bytes, and others from byte "), "{differs}");
    guard.restore(&context, P, "r1/restore", 1, &taken.id).await.unwrap();
    assert_eq!(changed().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_database_that_is_not_there_has_no_snapshot_to_go_back_to() {
    if !is_there("sqlite3") {
        return;
    }
    let folder = folder();
    let context = CallContext::default();
    let (guard, database) = sqlite(folder.path());
    let error = guard.snapshot(&context, P, "r1/snapshot").await.unwrap_err().to_string();
    assert!(error.contains("`sqlite-snapshot` ended with 1: Error: unable to open database"), "{error}");
    assert!(!database.exists());
    // An operator's command may make it all the same.
    let argv: &[&str] = &["sqlite3", "shop.db", ".backup 'snapshots/{snapshot}.db'"];
    let guard = self::guard("state-sqlite", folder.path(), &[], &[("sqlite-snapshot", argv)]);
    let taken = guard.snapshot(&context, P, "r2/snapshot").await.unwrap();
    let fault = guard.verify(&context, P, &taken.id).await.unwrap().expect("it is not to be gone back to");
    assert!(fault.starts_with("no table is in it; ") && fault.contains("`-readonly`"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sqlite_snapshot_is_of_one_moment_whoever_writes_meanwhile() {
    if !is_there("sqlite3") {
        return;
    }
    let folder = folder();
    let (guard, database) = sqlite(folder.path());
    open(&database, "wal").execute_batch("CREATE TABLE one (n INTEGER); CREATE TABLE other (n INTEGER)").unwrap();
    let (over, path) = (Arc::new(AtomicBool::new(false)), database.clone());
    let writer = {
        let over = Arc::clone(&over);
        // What belongs together is written together.
        thread::spawn(move || {
            let shop = open(&path, "wal");
            let mut written = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let insert = format!(
                    "BEGIN IMMEDIATE; INSERT INTO one VALUES ({written}); INSERT INTO other VALUES ({written}); COMMIT"
                );
                shop.execute_batch(&insert).unwrap();
                written += 1;
            }
            written
        })
    };
    let context = CallContext::default();
    let mut last = 0;
    for number in 0..5 {
        let taken = guard.snapshot(&context, P, &format!("key {number}")).await.unwrap();
        assert_eq!(guard.verify(&context, P, &taken.id).await.unwrap(), None);
        let snapshot = Connection::open(folder.path().join(format!("snapshots/{}.db", taken.id))).unwrap();
        let count = |table: &str| -> u32 {
            snapshot.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count("one"), count("other"), "half of a write is in the snapshot");
        assert!(count("one") >= last, "a snapshot that was taken later is older");
        last = count("one");
    }
    over.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    assert!(written > 0 && last <= written, "{written}");
}

/// A PostgreSQL server of its own, behind a socket in a folder; stopped with this.
struct Server {
    folder: TempDir,
    programs: PathBuf,
    user: Option<u32>,
}

impl Server {
    /// Where this machine has what it takes.
    fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip("`initdb` is not on this machine");
            return None;
        };
        if !["psql", "pg_dump", "pg_restore"].into_iter().all(is_there) {
            return None;
        }
        // It refuses to be root's.
        let user = rustix::process::geteuid().is_root().then_some(65534);
        if user.is_some() && !is_there("setpriv") {
            return None;
        }
        let server = Self { folder: folder(), programs, user };
        let data = server.folder.path().join("data");
        fs::create_dir(&data).unwrap();
        for path in [server.folder.path(), &data] {
            chown(path, user, user).unwrap();
        }
        let place = server.folder.path().to_str().unwrap().to_owned();
        server.run("initdb", &["-D", data.to_str().unwrap(), "-U", "shop", "-A", "trust", "--no-sync"]);
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{place}' -c fsync=off");
        let log = format!("{place}/log");
        server.run("pg_ctl", &["-D", data.to_str().unwrap(), "-l", &log, "-o", &options, "-w", "-t", "60", "start"]);
        Some(server)
    }

    fn tried(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
                command.args([&user, &group, "--clear-groups", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).current_dir(self.folder.path()).env("HOME", self.folder.path()).output().unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.tried(program, arguments);
        let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "{program}: {said:?}");
    }

    /// What a query gives, a line a row.
    fn query(&self, sql: &str) -> String {
        let host = format!("--host={}", self.folder.path().display());
        let arguments = [&host, "--username=shop", "--dbname=postgres", "--no-psqlrc", "--tuples-only", "--no-align"];
        let output =
            Command::new("psql").args(arguments).args(["--set=ON_ERROR_STOP=1", "--command", sql]).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        drop(self.tried("pg_ctl", &["-D", data.to_str().unwrap(), "-m", "immediate", "-w", "stop"]));
    }
}

/// Where the server's own programs are: on the path, or where Debian and Fedora have them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut folders = std::env::split_paths(&path).chain(versions).chain(["/usr/bin".into()]);
    let found = folders.find(|folder| folder.join("initdb").is_file())?;
    // A link to it lies where the others may not.
    Some(fs::canonicalize(found.join("initdb")).ok()?.parent()?.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_database_goes_back_to_its_snapshot() {
    let Some(server) = Server::start() else { return };
    let place = server.folder.path().to_owned();
    let place_text = place.to_str().unwrap();
    let dump: &[&str] =
        &["pg_dump", "--no-password", "--format=custom", "--file=snapshots/{snapshot}.dump", "postgres"];
    let check: &[&str] = &["pg_restore", "--file=/dev/null", "snapshots/{snapshot}.dump"];
    let restore: &[&str] = &[
        "pg_restore",
        "--no-password",
        "--clean",
        "--if-exists",
        "--single-transaction",
        "--dbname=postgres",
        "snapshots/{snapshot}.dump",
    ];
    let guard = guard(
        "state-postgres",
        &place,
        &[("PGHOST", place_text), ("PGUSER", "shop")],
        &[("postgres-snapshot", dump), ("postgres-check", check), ("postgres-restore", restore)],
    );
    server.query("CREATE TABLE orders (id SERIAL PRIMARY KEY, name TEXT); INSERT INTO orders (name) SELECT md5(n::text) FROM generate_series(1, 5000) n");
    let file_of = |id: &str| place.join(format!("snapshots/{id}.dump"));
    let change = || {
        server.query("ALTER TABLE orders ADD COLUMN IF NOT EXISTS wrong INTEGER; DELETE FROM orders WHERE id > 7");
    };
    let seen = || {
        let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'";
        server.query(&format!("SELECT count(*), max(name), ({columns}) FROM orders"))
    };
    goes_back(&guard, file_of, change, seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_is_the_guards_error_with_what_it_said() {
    let folder = folder();
    let argv: &[&str] = &["sh", "-c", "echo 'Error: file is not a database' >&2; exit 26"];
    let guard = guard("state-sqlite", folder.path(), &[], &[("sqlite-snapshot", argv)]);
    let context = CallContext::default();
    let error = guard.snapshot(&context, P, "a").await.unwrap_err().to_string();
    assert!(error.contains("the command `sqlite-snapshot` ended with 26: Error: file is not a database"), "{error}");
    assert_eq!(guard.snapshots(&context, P).await.unwrap(), []);
    // The others are not granted.
    let error = guard.verify(&context, P, "none").await.unwrap();
    assert_eq!(error, Some("no snapshot none of production is kept".to_owned()));
}

use std::net::TcpListener;

use super::*;

/// A builder, and folders for it; none where bubblewrap is not permitted, which is told.
struct Bench {
    folder: tempfile::TempDir,
    builder: Builder,
    store: Store,
}

impl Bench {
    fn new() -> Option<Self> {
        match outside() {
            Ok(_) => {}
            Err(Refused::Absent) => {
                println!("skipped: bubblewrap is not installed");
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        let folder = tempfile::tempdir().unwrap();
        let builder = Builder::new(&folder.path().join("prepared")).unwrap();
        let store = Store::open(&folder.path().join("artifacts")).unwrap();
        let bench = Self { folder, builder, store };
        for tree in ["base", "tree"] {
            fs::create_dir(bench.at(tree)).unwrap();
            fs::write(bench.at(tree).join("source.txt"), "source\n").unwrap();
            fs::write(bench.at(tree).join("lock"), "1\n").unwrap();
        }
        Some(bench)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, options: &BuildOptions) -> Result<Built, BuildError> {
        self.builder.build(options, &self.at("base"), &self.at("tree"), &self.store)
    }

    /// The artifact's file.
    fn made(&self, built: &Built, path: &str) -> String {
        fs::read_to_string(self.store.get(&built.artifact).unwrap().join(path)).unwrap()
    }
}

const LIMITS: Limits = Limits { memory: 512 << 20, processes: 256 };

fn options(command: &str) -> BuildOptions {
    BuildOptions {
        command: command.into(),
        prepare: None,
        outputs: Vec::new(),
        read_only: Vec::new(),
        env: BTreeMap::new(),
        timeout: Duration::from_secs(60),
        limits: LIMITS,
    }
}

#[test]
fn a_build_makes_one_artifact_of_its_outputs() {
    let Some(bench) = Bench::new() else { return };
    let command = "mkdir -p dist/a && tr a-z A-Z < source.txt > dist/a/out.txt && echo built";
    let built = bench.build(&BuildOptions { outputs: vec!["dist/a".into()], ..options(command) }).unwrap();
    assert_eq!(built.log, "built");
    assert_eq!(bench.made(&built, "dist/a/out.txt"), "SOURCE\n");
    assert!(!bench.store.get(&built.artifact).unwrap().join("source.txt").exists());
}

#[test]
fn without_outputs_the_whole_tree_is_the_artifact() {
    let Some(bench) = Bench::new() else { return };
    let built = bench.build(&options("echo more > more.txt")).unwrap();
    assert_eq!(
        (bench.made(&built, "source.txt"), bench.made(&built, "more.txt")),
        ("source\n".into(), "more\n".into())
    );
}

#[test]
fn a_build_sees_nothing_of_this_machine_but_its_system() {
    let Some(bench) = Bench::new() else { return };
    let secret = bench.at("secret");
    fs::write(&secret, "key").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let command = format!(
        "set -u; id -u; env | sort | cut -d= -f1 | tr '\\n' ' '; echo
         for path in {} /root/. /home /var /run /sys /boot /etc/shadow; do test -e $path && echo saw $path; done
         (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo network
         touch /usr/x /etc/x 2>/dev/null && echo wrote; ls /proc | grep -c '^[0-9]'; ls /tmp | wc -l; true",
        secret.display()
    );
    let command = format!("bash -c '{}'", command.replace('\'', "'\\''"));
    let built = bench.build(&options(&command)).unwrap();
    let lines: Vec<&str> = built.log.lines().collect();
    assert_eq!(lines[0], "65534", "{}", built.log);
    assert_eq!(lines[1].trim(), "HOME LC_ALL PATH PWD SHLVL TMPDIR _", "{}", built.log);
    assert!(
        !built.log.contains("saw") && !built.log.contains("network") && !built.log.contains("wrote"),
        "{}",
        built.log
    );
    let processes: u32 = lines[2].parse().unwrap();
    assert!(processes < 10, "{}", built.log);
    assert_eq!(lines[3], "0");
}

#[test]
fn the_operators_variables_and_folders_are_there() {
    let Some(bench) = Bench::new() else { return };
    let tools = bench.at("tools");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("tool"), "tool").unwrap();
    let command = format!("echo $MODE; cat {0}/tool; touch {0}/x 2>/dev/null || echo read-only", tools.display());
    let env = [("MODE".to_owned(), "a b".to_owned())].into();
    let built = bench.build(&BuildOptions { env, read_only: vec![tools], ..options(&command) }).unwrap();
    assert_eq!(built.log, "a b\ntoolread-only");
}

#[test]
fn a_build_that_fails_is_told_with_the_end_of_its_output() {
    let Some(bench) = Bench::new() else { return };
    let error = bench.build(&options("echo out; echo err >&2; exit 3")).unwrap_err().to_string();
    assert_eq!(error, "`echo out; echo err >&2; exit 3` ended with exit code 3; its last output:\nout\nerr");
    let Err(BuildError::Failed { log, .. }) = bench.build(&options("yes | head -c 300000; echo end; exit 1")) else {
        panic!("it ends with 1");
    };
    assert!(log.len() <= 64 << 10 && log.ends_with("end"), "{}", log.len());
    let error = bench.build(&options("kill -9 $$")).unwrap_err().to_string();
    assert!(error.contains("ended with signal 9"), "{error}");
}

#[test]
fn a_build_that_takes_too_long_is_ended_with_all_that_it_started() {
    let Some(bench) = Bench::new() else { return };
    let marker = format!("{}", 100_000 + std::process::id());
    let command = format!("sleep {marker} & echo started; sleep {marker}");
    let limit = Duration::from_millis(500);
    let error = bench.build(&BuildOptions { timeout: limit, ..options(&command) }).unwrap_err();
    assert!(matches!(&error, BuildError::OutOfTime { log, .. } if log == "started"), "{error}");
    assert!(error.to_string().contains("took longer than 0.5 s; give it more with [build] `timeout`"), "{error}");
    let running = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == format!("sleep\0{marker}\0").into_bytes())
    });
    assert!(!running);
}

#[test]
fn a_build_that_takes_too_much_memory_fails() {
    let Some(bench) = Bench::new() else { return };
    let hungry = "head -c 200000000 /dev/zero | tail -c 200000000 | wc -c";
    let error = bench.build(&BuildOptions {
        limits: Limits { memory: 64 << 20, ..LIMITS },
        ..options(&format!("bash -o pipefail -c '{hungry}'"))
    });
    assert!(matches!(error, Err(BuildError::Failed { .. })), "{error:?}");
    assert!(bench.build(&options(&format!("bash -o pipefail -c '{hungry}'"))).unwrap().log.ends_with("200000000"));
}

#[test]
fn an_output_that_is_not_there_or_reached_by_a_link_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let outputs = || vec!["dist".to_owned()];
    let error = bench.build(&BuildOptions { outputs: outputs(), ..options("true") }).unwrap_err().to_string();
    assert_eq!(error, "the build made no `dist`; correct [build] `outputs` or `prepared`");
    for (command, output) in [("ln -s /etc dist", "dist/passwd"), ("rm -f dist; ln -s /etc/passwd dist", "dist")] {
        let result = bench.build(&BuildOptions { outputs: vec![output.into()], ..options(command) });
        assert!(
            matches!(result, Err(BuildError::NoOutput(_) | BuildError::Artifact(ArtifactError::LinkOut { .. }))),
            "{result:?}"
        );
    }
}

#[test]
fn what_prepare_makes_of_the_base_is_kept_for_as_long_as_the_lockfiles_stay() {
    let Some(bench) = Bench::new() else { return };
    let prepare = |command: &str| Prepare {
        command: command.into(),
        makes: vec!["modules/a".into()],
        lockfiles: vec!["lock".into(), "absent".into()],
    };
    let make =
        "mkdir -p modules/a && cp lock modules/a/lock && head -c 8 /dev/urandom | od -An -tx1 > modules/a/random";
    let with =
        |command: &str| BuildOptions { prepare: Some(prepare(command)), ..options("rm modules/a/lock; mkdir x") };
    let again = || {
        fs::remove_dir_all(bench.at("tree")).unwrap();
        fs::create_dir(bench.at("tree")).unwrap();
    };
    let first = bench.build(&with(make)).unwrap();
    let random = bench.made(&first, "modules/a/random");
    again();
    let second = bench.build(&with(make)).unwrap();
    assert_eq!(bench.made(&second, "modules/a/random"), random, "prepared once; a build cannot change what is kept");
    assert!(!bench.at("base/modules").exists());
    fs::write(bench.at("base/lock"), "2\n").unwrap();
    again();
    let third = bench.build(&with(make)).unwrap();
    assert_ne!(bench.made(&third, "modules/a/random"), random);
    again();
    let error = bench.build(&with("true")).unwrap_err().to_string();
    assert_eq!(error, "the build made no `modules/a`; correct [build] `outputs` or `prepared`");
}

#[test]
fn only_prepare_has_the_network() {
    let Some(bench) = Bench::new() else { return };
    let names = |text: &str| text.lines().filter(|line| line.contains(':')).count();
    let prepare = Prepare { command: "cp /proc/net/dev net".into(), makes: vec!["net".into()], lockfiles: Vec::new() };
    let built = bench.build(&BuildOptions { prepare: Some(prepare), ..options("cat /proc/net/dev") }).unwrap();
    let ours = fs::read_to_string("/proc/net/dev").unwrap();
    assert_eq!(names(&bench.made(&built, "net")), names(&ours));
    assert!(built.log.lines().filter(|line| line.contains(':')).all(|line| line.trim_start().starts_with("lo:")));
}

#[test]
fn a_build_that_starts_too_many_processes_fails() {
    let Some(bench) = Bench::new() else { return };
    let many = "for i in $(seq 40); do sleep 5 & done; echo all";
    let few = Limits { processes: 20, ..LIMITS };
    let Err(BuildError::Failed { log, .. }) = bench.build(&BuildOptions { limits: few, ..options(many) }) else {
        panic!("it starts 40 of 20 processes");
    };
    assert!(log.to_lowercase().contains("fork") && !log.contains("all"), "{log}");
    assert!(bench.build(&options(many)).unwrap().log.ends_with("all"));
}

#[test]
fn root_builds_as_nobody_wherever_the_project_is() {
    let Some(bench) = Bench::new() else { return };
    if !rustix::process::geteuid().is_root() {
        println!("skipped: not root");
        return;
    }
    let made = bench.build(&options("echo x > made; id -u")).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(bench.at("tree/made")).unwrap());
    assert_eq!((made.log.as_str(), owner), ("65534", 65534));
}

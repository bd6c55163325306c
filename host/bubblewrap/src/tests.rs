//! Each limit bites, and bites no more once it is raised.

use std::{
    fs,
    io::Read,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use super::*;

/// Runs a shell command; none where there is no bubblewrap, which is told.
fn run(mounts: Vec<Mount<'_>>, limits: Limits, script: &str) -> Option<Output> {
    let outside = match outside() {
        Ok(outside) => outside,
        Err(Refused::Absent) => {
            println!("skipped: bubblewrap is not installed");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    for mount in mounts.iter().filter(|mount| mount.writable) {
        give(mount.from, outside).unwrap();
    }
    Some(shell(outside, mounts, limits, script).output().unwrap())
}

/// A shell command in a sandbox.
fn shell(outside: Outside, mounts: Vec<Mount<'_>>, limits: Limits, script: &str) -> Command {
    let env = BTreeMap::new();
    let folder = Path::new("/");
    let sandbox = Sandbox { hostname: "test", network: false, public: &[], mounts, folder, env: &env, limits };
    sandbox.command(outside, &["/bin/sh", "-c", script])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const LIMITS: Limits = Limits { memory: 512 << 20, processes: 64 };

#[test]
fn memory_beyond_the_limit_is_not_had() {
    // tail keeps its input, which has no line's end, in memory.
    let hungry = "head -c 100000000 /dev/zero | tail -n 1 | wc -c";
    let Some(little) = run(Vec::new(), Limits { memory: 32 << 20, ..LIMITS }, hungry) else { return };
    assert_ne!(text(&little.stdout).trim(), "100000000");
    assert!(text(&little.stderr).contains("memory exhausted"), "{little:?}");
    assert_eq!(text(&run(Vec::new(), LIMITS, hungry).unwrap().stdout).trim(), "100000000");
}

#[test]
fn processes_beyond_the_limit_are_not_had() {
    let many =
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 60 & done; echo all; kill $(jobs -p)";
    let Some(few) = run(Vec::new(), Limits { processes: 10, ..LIMITS }, many) else { return };
    assert!(!few.status.success() && !text(&few.stdout).contains("all"), "{few:?}");
    assert!(text(&few.stderr).to_lowercase().contains("fork"), "{few:?}");
    assert_eq!(text(&run(Vec::new(), LIMITS, many).unwrap().stdout).trim(), "all");
}

#[test]
fn one_sandboxs_processes_are_not_counted_for_another() {
    let script = "for i in 1 2 3 4 5 6; do sleep 1 & done; echo all; wait";
    let limits = Limits { processes: 10, ..LIMITS };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| run(Vec::new(), limits, script))).collect();
        for one in all {
            let Some(output) = one.join().unwrap() else { return };
            assert_eq!(text(&output.stdout).trim(), "all", "{output:?}");
        }
    });
}

#[test]
fn memory_that_looks_like_files_is_bounded_or_cannot_be_written() {
    let script = "for path in /x /etc/x /dev/x /run/x /usr/x; do (echo > $path) 2>/dev/null && echo wrote $path; done
        for path in /tmp /dev/shm; do echo > $path/x || echo no $path; df -k --output=size $path | tail -1; done";
    let Some(output) = run(Vec::new(), LIMITS, script) else { return };
    assert_eq!(text(&output.stdout).split_whitespace().collect::<Vec<_>>(), ["1048576", "262144"], "{output:?}");
}

#[test]
fn what_is_given_is_reached_whoever_may_enter_the_folders_above_it() {
    // A folder that only its owner enters, as a state folder is.
    let private = tempfile::tempdir().unwrap();
    let (tree, tools) = (private.path().join("tree"), private.path().join("tools"));
    for path in [&tree, &tools] {
        fs::create_dir(path).unwrap();
    }
    fs::write(tools.join("tool"), "tool").unwrap();
    let tool = tools.join("tool");
    let mounts = vec![
        Mount { from: &tree, to: "/work".into(), writable: true },
        Mount::read_only(&tools),
        Mount { from: &tool, to: "/given".into(), writable: false },
    ];
    let script = format!(
        "id -u; echo x > /work/made && cat {0}/tool /given; echo; (echo > {0}/x) 2>/dev/null || echo read-only",
        tools.display()
    );
    let Some(output) = run(mounts, LIMITS, &script) else { return };
    assert_eq!(
        text(&output.stdout).split_whitespace().collect::<Vec<_>>(),
        ["65534", "tooltool", "read-only"],
        "{output:?}"
    );
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(tree.join("made")).unwrap());
    let me = rustix::process::geteuid();
    assert_eq!(owner, if outside().unwrap() == Outside::Nobody { NOBODY } else { me.as_raw() });
    assert!(!me.is_root() || owner == NOBODY, "root's limit on processes is none");
}

#[test]
fn all_ends_with_the_process_that_was_started() {
    let Ok(outside) = outside() else { return println!("skipped: bubblewrap makes no sandbox here") };
    let mut command = shell(outside, Vec::new(), LIMITS, "setsid sleep 600 & echo started; wait");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; "started\n".len()]).unwrap();
    let killed = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    // Everything in the sandbox holds its output open: it ends when all have ended.
    output.read_to_end(&mut Vec::new()).unwrap();
    assert!(killed.elapsed() < Duration::from_secs(60), "{:?}", killed.elapsed());
}

#[test]
fn a_command_that_is_asked_to_end_may_end_in_its_own_time() {
    let Ok(outside) = outside() else { return println!("skipped: bubblewrap makes no sandbox here") };
    // It says when it is asked, and ends a little later with a code of its own.
    let script = "trap 'echo asked; sleep 0.2; echo done; exit 7' TERM; echo started; while :; do sleep 0.05; done";
    let mut command = shell(outside, Vec::new(), LIMITS, script);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; "started\n".len()]).unwrap();
    assert!(terminate(child.id()));
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), child.wait().unwrap().code()), ("asked\ndone\n", Some(7)));
    assert!(!terminate(u32::MAX >> 1), "there is no such process");
    assert!(!terminate(std::process::id()), "it is no sandbox");
}

#[test]
fn a_sandbox_that_cannot_be_made_is_told_with_the_remedy() {
    let absent = Refused::Absent.to_string();
    assert_eq!(
        absent,
        "bubblewrap is not installed, and commands run in nothing less; install the package `bubblewrap`"
    );
    let denied = Refused::NotPermitted("No permissions".into()).to_string();
    assert!(denied.contains("not permitted to make a sandbox here: No permissions; allow unprivileged"), "{denied}");
}

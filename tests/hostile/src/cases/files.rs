//! Files: ways out of a granted folder, writes where only reads were granted, and disks that fill.

use std::fs;

use autodevops_policy::{Access, Bytes, Limit};

use crate::{
    case::{Attempt, Case, Ending, Terms},
    run::SECRET,
};

/// How a file system says no, by the contract's names: in quotes, since the intruder says each with its name and its text.
const NOT_PERMITTED: &str = "\"not-permitted\"";
const NO_ENTRY: &str = "\"no-entry\"";
const INVALID: &str = "\"invalid\"";
const NOT_DIRECTORY: &str = "\"not-directory\"";
const TOO_LONG: &str = "\"name-too-long\"";

/// All of them.
pub fn cases() -> Vec<Case> {
    escapes().into_iter().chain(made_escapes()).chain(read_only()).chain(floods()).chain(devices()).collect()
}

/// A guest that does this with files.
fn intruder(name: &str, promise: &'static str, act: &str, argument: &str, fails: Ending) -> Case {
    let act = format!("files {act}");
    let argument = argument.to_owned();
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
    })
}

fn writable(terms: &mut Terms) {
    terms.grant_folder("/data", Access::ReadWrite);
}

/// Nothing of the secret was seen, changed or joined by other files.
fn secret_is_safe(attempt: &Attempt) -> Result<(), String> {
    if attempt.ended.to_string().contains(SECRET) {
        return Err("it read the secret".to_owned());
    }
    let folder = &attempt.terms.folder;
    let secret =
        fs::read_to_string(folder.join("secret/key")).map_err(|error| format!("the secret is gone: {error}"))?;
    let names = |path: &str| -> Vec<String> {
        let entries = fs::read_dir(folder.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    match (secret == SECRET, names(""), names("secret")) {
        (false, ..) => Err("it changed the secret".to_owned()),
        (true, top, kept) if top == ["data", "other", "secret"] && kept == ["key"] => Ok(()),
        (true, top, kept) => Err(format!("it left something outside: {top:?} {kept:?}")),
    }
}

/// Paths that would lead out, for what each of the functions does with a path.
fn escapes() -> Vec<Case> {
    let paths = [
        ("`..`", "../secret/key", NOT_PERMITTED),
        ("`..` after a dot", "./../secret/key", NOT_PERMITTED),
        ("`..` after a folder", "folder/../../secret/key", NOT_PERMITTED),
        ("`..` after a folder that is not there", "nowhere/../../secret/key", NO_ENTRY),
        ("many `..`", "../../../../../../../../etc/hostname", NOT_PERMITTED),
        ("an absolute path", "/etc/hostname", NOT_PERMITTED),
        ("an absolute path to the granted folder's own name", "/data/a.txt", NOT_PERMITTED),
        ("the process's own files", "/proc/self/environ", NOT_PERMITTED),
        ("the process's own files by `..`", "../../../../proc/self/environ", NOT_PERMITTED),
        ("a relative symbolic link", "relative-link", NOT_PERMITTED),
        ("an absolute symbolic link", "absolute-link", NOT_PERMITTED),
        ("a symbolic link to a folder", "folder-link/key", NOT_PERMITTED),
        ("a symbolic link to a folder, and back", "folder-link/../secret/key", NOT_PERMITTED),
        ("a zero byte", "a.txt%00.png", INVALID),
        ("a zero byte before `..`", "a.txt%00/../../secret/key", INVALID),
        ("another case", "A.TXT", NO_ENTRY),
        ("a backslash", "..\\secret\\key", NO_ENTRY),
        ("a path through a file", "a.txt/../../secret/key", NOT_DIRECTORY),
        ("no path", "", NO_ENTRY),
        ("a name beyond all lengths", "long", TOO_LONG),
    ];
    let reads = paths.into_iter().map(|(name, path, error)| {
        let path = if path == "long" { "n".repeat(300) } else { path.to_owned() };
        intruder(&format!("a read by {name}"), "files/no-escape", "read", &path, Ending::Refuses(error))
            .given(|terms| fs::create_dir(terms.folder.join("data/folder")).expect("a folder is made"))
    });
    let acts = [
        ("a file written by `..`", "write", "../secret/key", NOT_PERMITTED),
        ("a file written by a symbolic link", "write", "absolute-link", NOT_PERMITTED),
        ("a file made by `..`", "create", "../planted", NOT_PERMITTED),
        ("a file made by a symbolic link to a folder", "create", "folder-link/planted", NOT_PERMITTED),
        ("a file cut by a symbolic link", "truncate", "relative-link", NOT_PERMITTED),
        ("a folder made by `..`", "folder", "../planted", NOT_PERMITTED),
        ("a file removed by `..`", "remove", "../secret/key", NOT_PERMITTED),
        ("a folder removed by `..`", "remove-folder", "../other", NOT_PERMITTED),
        ("a file's times by `..`", "times", "../secret/key", NOT_PERMITTED),
        ("a file's kind by `..`", "stat", "../secret/key", NOT_PERMITTED),
        ("a file's kind by a symbolic link", "stat", "absolute-link", NOT_PERMITTED),
        ("a file's fingerprint by `..`", "hash", "../secret/key", NOT_PERMITTED),
        ("a link's target by `..`", "read-link", "../data/absolute-link", NOT_PERMITTED),
        ("a folder's names by `..`", "list", "../secret", NOT_PERMITTED),
        ("a folder's names by a symbolic link", "list", "folder-link", NOT_PERMITTED),
        ("a hard link from outside", "link", "../secret/key|inside", NOT_PERMITTED),
        ("a hard link from outside, by a symbolic one", "link-following", "absolute-link|inside", INVALID),
        ("a hard link to outside", "link", "a.txt|../planted", NOT_PERMITTED),
        ("a file moved from outside", "rename", "../secret/key|inside", NOT_PERMITTED),
        ("a file moved to outside", "rename", "a.txt|../planted", NOT_PERMITTED),
        ("a symbolic link made outside", "symlink", "a.txt|../planted", NOT_PERMITTED),
        ("a read by `..` from a file", "through-file", "../secret/key", NOT_DIRECTORY),
        ("a read by `..` from a folder below", "through-folder", "folder|../../secret/key", NOT_PERMITTED),
        ("a read by a path of 100,000 folders", "long-path", "|100000", TOO_LONG),
    ];
    let others = acts.into_iter().map(|(name, act, argument, error)| {
        intruder(name, "files/no-escape", act, argument, Ending::Refuses(error))
            .given(|terms| fs::create_dir(terms.folder.join("data/folder")).expect("a folder is made"))
    });
    reads
        .chain(others)
        .map(|case| {
            // What is inside is what was granted.
            case.given(writable).and(secret_is_safe).raised(
                |terms| {
                    terms.config.insert("act".into(), "files read".into());
                    terms.config.insert("argument".into(), "a.txt".into());
                },
                Ending::Says("a file".into()),
            )
        })
        .collect()
}

/// Ways out that the guest makes itself, and from one folder into another.
fn made_escapes() -> Vec<Case> {
    let inside = |terms: &mut Terms| {
        terms.config.insert("argument".into(), "a.txt|made".into());
    };
    let both = |one: Access, other: Access| {
        move |terms: &mut Terms| {
            terms.grant_folder("/data", one);
            terms.grant_folder("/other", other);
        }
    };
    let other_is_empty = |attempt: &Attempt| {
        let mut found = fs::read_dir(attempt.terms.folder.join("other")).into_iter().flatten();
        match (found.next(), attempt.terms.folder.join("data/a.txt").is_file()) {
            (None, true) => Ok(()),
            (Some(_), _) => Err("a file went over".to_owned()),
            (None, false) => Err("a file is gone".to_owned()),
        }
    };
    let across = |name: &str, act: &str, argument: &str, one: Access, other: Access| {
        intruder(name, "files/read-only", act, argument, Ending::Refuses(NOT_PERMITTED))
            .held(both(one, other))
            .and(other_is_empty)
            .raised(both(Access::ReadWrite, Access::ReadWrite), Ending::Says("done".into()))
    };
    use Access::{ReadOnly, ReadWrite};
    vec![
        intruder(
            "a symbolic link to `..`, made and followed",
            "files/no-escape",
            "symlink-and-read",
            "../secret/key|made",
            Ending::Refuses(NOT_PERMITTED),
        )
        .given(writable)
        .and(secret_is_safe)
        .raised(inside, Ending::Says("a file".into())),
        intruder(
            "an absolute symbolic link, made",
            "files/no-escape",
            "symlink-and-read",
            "/etc/hostname|made",
            Ending::Refuses(NOT_PERMITTED),
        )
        .given(writable)
        .and(secret_is_safe)
        .raised(inside, Ending::Says("a file".into())),
        across("a hard link out of a folder that is only read", "link-across", "a.txt|b.txt", ReadOnly, ReadWrite),
        across("a hard link into a folder that is only read", "link-across", "a.txt|b.txt", ReadWrite, ReadOnly),
        across("a file moved out of a folder that is only read", "rename-across", "a.txt|b.txt", ReadOnly, ReadWrite),
        across("a file moved into a folder that is only read", "rename-across", "a.txt|b.txt", ReadWrite, ReadOnly),
        intruder(
            "a folder that was not granted",
            "nothing-by-default/files",
            "read",
            "a.txt",
            Ending::Refuses("no /data"),
        )
        .raised(writable, Ending::Says("a file".into())),
        intruder(
            "another folder than the granted one",
            "nothing-by-default/files",
            "create-other",
            "b.txt",
            Ending::Refuses("no /other"),
        )
        .given(writable)
        .raised(|terms| terms.grant_folder("/other", Access::ReadWrite), Ending::Says("written".into())),
    ]
}

/// A folder that was granted for reading stays as it is.
fn read_only() -> Vec<Case> {
    [
        ("a file written", "write", "a.txt", "written"),
        ("a file made", "create", "b.txt", "written"),
        ("a file cut", "truncate", "a.txt", "done"),
        ("a file grown", "grow", "a.txt|100", "grown"),
        ("a file appended to", "fill-by-append", "a.txt|10", "4096 bytes"),
        ("a file removed", "remove", "a.txt", "done"),
        ("a file renamed", "rename", "a.txt|b.txt", "done"),
        ("a file's times set", "times", "a.txt", "done"),
        ("a folder made", "folder", "b", "done"),
        ("a folder removed", "remove-folder", "folder", "done"),
        ("a symbolic link made", "symlink", "a.txt|b.txt", "done"),
        ("a hard link made", "link", "a.txt|b.txt", "done"),
    ]
    .into_iter()
    .map(|(name, act, argument, said)| {
        intruder(
            &format!("{name}, where only reading was granted"),
            "files/read-only",
            act,
            argument,
            Ending::Refuses(NOT_PERMITTED),
        )
        .given(|terms| fs::create_dir(terms.folder.join("data/folder")).expect("a folder is made"))
        .held(|terms| terms.grant_folder("/data", Access::ReadOnly))
        .and(|attempt| {
            let data = attempt.terms.folder.join("data");
            let text = fs::read_to_string(data.join("a.txt")).map_err(|error| format!("a.txt: {error}"))?;
            let count = fs::read_dir(&data).into_iter().flatten().count();
            match (text.as_str(), count) {
                ("a file", 5) => Ok(()),
                _ => Err(format!("the folder was changed: {text:?}, {count} entries")),
            }
        })
        .raised(writable, Ending::Says(said.into()))
    })
    .collect()
}

/// More files and more bytes than one call may write, and more open at once.
fn floods() -> Vec<Case> {
    let full = |name: &str, act: &str, argument: &str, said: &str| {
        intruder(name, "limits/file-bytes", act, argument, Ending::Over(Limit::FileBytes))
            .given(writable)
            .held(|terms| terms.limits().file_bytes = Bytes(64 << 10))
            .and(|attempt| {
                let size =
                    |name: &str| fs::metadata(attempt.terms.folder.join("data").join(name)).map_or(0, |it| it.len());
                match size("b.txt") {
                    0..=65536 => Ok(()),
                    size => Err(format!("{size} bytes were written")),
                }
            })
            .raised(|_| {}, Ending::Says(said.into()))
    };
    let many = |name: &str, act: &str| {
        intruder(name, "limits/files", act, "|30", Ending::Over(Limit::Files))
            .given(writable)
            .held(|terms| terms.limits().files = 10)
            .and(|attempt| match fs::read_dir(attempt.terms.folder.join("data")).into_iter().flatten().count() {
                0..=14 => Ok(()),
                count => Err(format!("{count} entries are there")),
            })
            .raised(|_| {}, Ending::Says("all made".into()))
    };
    vec![
        full("a disk filled by a stream", "fill", "b.txt|200000", "200704 bytes"),
        full("a disk filled by single writes", "fill-directly", "b.txt|200000", "200704 bytes"),
        full("a disk filled by appending", "fill-by-append", "b.txt|200000", "200704 bytes"),
        full("a disk filled with zeroes", "fill-with-zeroes", "b.txt|200000", "200704 bytes"),
        full("a file grown without being written to", "grow", "b.txt|200000", "grown"),
        intruder(
            "a file copied over and over by splicing",
            "limits/file-bytes",
            "fill-by-splice",
            "a.txt|b.txt|20",
            Ending::Over(Limit::FileBytes),
        )
        .given(writable)
        .held(|terms| terms.limits().file_bytes = Bytes(50))
        .raised(|_| {}, Ending::Says("120 bytes".into())),
        many("a flood of files", "many-files"),
        many("a flood of folders", "many-folders"),
        many("a flood of symbolic links", "many-symlinks"),
        many("a flood of hard links", "many-links"),
        many("a flood of renames", "many-renames"),
        intruder("a flood of open files", "limits/resources", "many-open", "a.txt|500", Ending::Over(Limit::Resources))
            .given(writable)
            .held(|terms| terms.limits().resources = 100)
            .raised(|terms| terms.limits().open_files = 1000, Ending::Says("500 open".into())),
        intruder("files left open", "limits/open-files", "many-open", "a.txt|500", Ending::Over(Limit::OpenFiles))
            .given(writable)
            .held(|terms| terms.limits().open_files = 50)
            .raised(|terms| terms.limits().open_files = 1000, Ending::Says("500 open".into())),
        intruder(
            "a flood of looks at a file",
            "limits/host-calls",
            "many-stats",
            "|500",
            Ending::Over(Limit::HostCalls),
        )
        .given(writable)
        .held(|terms| terms.limits().host_calls = 100)
        .raised(|_| {}, Ending::Says("all made".into())),
    ]
}

/// What is in a folder and is no file: opening it could block, or do something.
fn devices() -> Vec<Case> {
    let case = |name: &str, act: &str, make: fn(&Terms)| {
        intruder(name, "files/no-devices", act, "odd", Ending::Refuses(NOT_PERMITTED))
            .given(writable)
            .given(move |terms| make(terms))
            .raised(
                |terms| {
                    terms.config.insert("argument".into(), "a.txt".into());
                },
                Ending::Ends,
            )
    };
    let pipe = |terms: &Terms| {
        let made = std::process::Command::new("mkfifo").arg(terms.folder.join("data/odd")).status();
        assert!(made.is_ok_and(|status| status.success()), "a pipe is made");
    };
    let socket = |terms: &Terms| {
        drop(std::os::unix::net::UnixListener::bind(terms.folder.join("data/odd")).expect("a socket is made"));
    };
    let device = |terms: &Terms| {
        std::os::unix::fs::symlink("/dev/zero", terms.folder.join("data/odd")).expect("a link is made");
    };
    vec![
        case("a pipe that nobody writes to", "read", pipe),
        case("a pipe that nobody reads from", "write", pipe),
        case("a socket of the host", "read", socket),
        case("a link to a device", "read", device),
    ]
}

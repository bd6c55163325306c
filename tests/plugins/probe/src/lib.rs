//! Does what its configuration tells it to: behaves, or misbehaves in one way.

use std::{fs, hint::black_box};

use autodevops_sdk::{
    Check, Error, Result,
    types::{CheckInput, Outcome, Report},
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    act: String,
    argument: String,
}

struct Probe;

impl Check for Probe {
    fn run(input: CheckInput) -> Result<Report> {
        let Settings { act, argument } = autodevops_sdk::config()?;
        let summary = match act.as_str() {
            "answer" => {
                log::info!("checking {} files", input.changed.len());
                format!("{} files", input.changed.len())
            }
            "say" => {
                log::warn!("{argument}");
                String::new()
            }
            "panic" => panic!("the probe was told to panic: {argument}"),
            "refuse" => return Err(Error::wrong_input("the probe refuses").with("argument", argument)),
            "loop" => loop {
                black_box(());
            },
            "recurse" => format!("{}", recurse(1)),
            "allocate" => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                loop {
                    kept.push(black_box(vec![1; 1 << 20]));
                }
            }
            "exit" => std::process::exit(3),
            "abort" => std::process::abort(),
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                String::new()
            }
            "output" => "x".repeat(100 << 20),
            "log" => {
                for index in 0..1000 {
                    log::warn!("line {index}\nERROR forged");
                }
                String::new()
            }
            "stderr" => {
                eprintln!("first words");
                panic!("\x1b[2Jlast words");
            }
            "environment" => format!("{} {}", std::env::vars().count(), std::env::args().count()),
            "clock" => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                since.map(|since| since.as_secs().to_string()).unwrap_or_default()
            }
            "random" => {
                use std::hash::{BuildHasher, RandomState};
                RandomState::new().hash_one(1).to_string()
            }
            "read" => fs::read_to_string(&argument)?,
            "write" => {
                fs::write(&argument, "written")?;
                "written".to_owned()
            }
            "open-often" => {
                for _ in 0..10_000 {
                    drop(fs::metadata(&argument));
                }
                String::new()
            }
            "open-each" => {
                for index in 0..1000 {
                    drop(fs::metadata(format!("{argument}/{index}")));
                }
                String::new()
            }
            "fetch" => {
                let answer = autodevops_sdk::http::Request::get(argument).send()?;
                format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
            }
            "fetch-with-header" => {
                let (url, header) = argument.split_once(' ').unwrap_or_default();
                let (name, value) = header.split_once(' ').unwrap_or_default();
                let answer = autodevops_sdk::http::Request::get(url).header(name, value).send()?;
                format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
            }
            "keep" | "keep-and-refuse" => {
                let kept = autodevops_sdk::keyvalue::Bucket::open("probe")?;
                let before = kept.get("key")?.map(|value| String::from_utf8_lossy(&value).into_owned());
                kept.set("key", argument.as_bytes())?;
                if act != "keep" {
                    return Err(Error::failure("the probe kept something and refuses"));
                }
                before.unwrap_or_default()
            }
            "world" | "world-and-once-more" => world(&argument, act != "world")?,
            "forever" => loop {
                black_box(fs::read_to_string(&argument)?);
            },
            "link" => {
                let (from, to) = argument.split_once(' ').unwrap_or_default();
                fs::hard_link(from, to)?;
                "linked".to_owned()
            }
            "trace" => {
                autodevops_sdk::tracing::start();
                tracing::info_span!("order", id = 7).in_scope(|| tracing::warn!(attempt = 2, "slow bank"));
                String::new()
            }
            "evidence" => {
                let issue = input.issue.map(|issue| format!("{} / {}", issue.title, issue.message)).unwrap_or_default();
                let fix = input.fix.map(|fix| format!("{} / {} / {:?}", fix.title, fix.root_cause, fix.edits));
                format!("{issue} / {}", fix.unwrap_or_default())
            }
            "use-tokens" => {
                for count in argument.split(' ').filter_map(|count| count.parse().ok()) {
                    autodevops_sdk::usage::tokens(count);
                }
                String::new()
            }
            "connect" => match std::net::TcpStream::connect(&argument) {
                Ok(_) => "connected".to_owned(),
                Err(error) => error.to_string(),
            },
            other => return Err(Error::wrong_input(format!("the probe cannot {other}"))),
        };
        Ok(Report::new(Outcome::Passed, summary))
    }
}

/// Asks for whatever there is: clocks, chance, files, keys and values, a request. The argument names a folder and a URL.
fn world(argument: &str, once_more: bool) -> Result<String> {
    use std::hash::{BuildHasher, RandomState};
    let (folder, url) = argument.split_once(' ').unwrap_or_default();
    let begun = std::time::Instant::now();
    let now = std::time::SystemTime::now();
    let chance = RandomState::new().hash_one(1);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let length = entry.metadata()?.len();
        names.push(format!("{}:{length}", entry.file_name().to_string_lossy()));
    }
    let text = fs::read_to_string(format!("{folder}/a"))?;
    let absent = fs::read(format!("{folder}/absent")).map_err(|error| error.to_string()).unwrap_err();
    fs::write(format!("{folder}/written"), &text)?;
    let kept = autodevops_sdk::keyvalue::Bucket::open("probe")?;
    let before = kept.get("key")?;
    kept.set("key", chance.to_string().as_bytes())?;
    let answer = autodevops_sdk::http::Request::get(url).send()?;
    if once_more {
        black_box(std::time::SystemTime::now());
    }
    std::thread::sleep(std::time::Duration::from_millis(1));
    let body = String::from_utf8_lossy(&answer.body);
    Ok(format!("{now:?} {:?} {chance} {names:?} {text} {absent} {before:?} {} {body}", begun.elapsed(), answer.status))
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == 0 { 0 } else { recurse(depth + 1) + frame[0] }
}

autodevops_sdk::export!(check: Probe);

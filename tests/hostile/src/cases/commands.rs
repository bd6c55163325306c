//! The operator's commands: one that was not granted, one that writes or runs without end, and values that are no names.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use autodevops_commands::{Commands, Operators};
use autodevops_policy::{Bytes, Limit};

use crate::case::{Attempt, Case, Ending, Terms, ms};

/// All of them.
pub fn cases() -> Vec<Case> {
    floods().into_iter().chain(endless()).chain(others()).collect()
}

/// A guest that has the command `dump` run, or another, with a value for `{snapshot}`. The command is a script.
fn intruder(name: &str, promise: &'static str, act: &str, argument: &str, script: &'static str, fails: Ending) -> Case {
    let (act, argument) = (format!("command {act}"), argument.to_owned());
    Case::new(name, promise, "intruder", fails).given(move |terms| {
        terms.config.insert("act".into(), act.clone());
        terms.config.insert("argument".into(), argument.clone());
        offer(terms, script, Duration::from_secs(60));
    })
}

/// What the operator has: `dump`, of which each run leaves a line in the file `ran`, and `drop`.
fn offer(terms: &mut Terms, script: &str, timeout: Duration) {
    let script = format!("echo \"$1\" >> data/ran; {script}");
    let argv = ["sh", "-c", &script, "sh", "{snapshot}"].map(str::to_owned).to_vec();
    let (folder, env, pass_env) = (terms.folder.clone(), BTreeMap::new(), Vec::new());
    let operators = Operators { argv, folder, env, pass_env, timeout };
    let commands = ["dump", "drop"].map(|name| (name.to_owned(), operators.clone()));
    terms.commands = Some(Arc::new(Commands::new(commands.into())));
}

fn granted(terms: &mut Terms) {
    terms.grant.commands.insert("dump".into());
}

/// With which values the command was run.
fn ran(attempt: &Attempt) -> Vec<String> {
    let text = std::fs::read_to_string(attempt.terms.folder.join("data/ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The command was not run, and that it was asked for is on record as refused.
fn not_run(attempt: &Attempt) -> Result<(), String> {
    let refused = attempt.reports.iter().flat_map(|report| &report.records);
    let refused = refused.filter(|record| record.operation == "command" && !record.allowed).count();
    match (ran(attempt).as_slice(), refused) {
        ([], 1) => Ok(()),
        (ran, refused) => Err(format!("it was run with {ran:?}, and refused {refused} times")),
    }
}

/// The process that the script noted is gone.
fn is_over(attempt: &Attempt) -> Result<(), String> {
    let noted = std::fs::read_to_string(attempt.terms.folder.join("data/pid")).map_err(|error| error.to_string())?;
    let there = |_: &u32| std::path::Path::new("/proc").join(noted.trim()).join("cwd").read_link().is_ok();
    // It is killed, and the system takes it away in its own time.
    let tries = (0..200).take_while(there).inspect(|_| std::thread::sleep(Duration::from_millis(10)));
    if tries.count() < 200 { Ok(()) } else { Err(format!("process {noted} goes on")) }
}

fn floods() -> Vec<Case> {
    vec![
        intruder("a flood of commands", "limits/commands", "often", "dump|a|20", "", Ending::Over(Limit::Commands))
            .given(granted)
            .held(|terms| terms.limits().commands = 5)
            .and(|attempt| match ran(attempt).len() {
                5 => Ok(()),
                times => Err(format!("it was run {times} times")),
            })
            .raised(|terms| terms.limits().commands = 20, Ending::Says("all done".into())),
        intruder(
            "a command that writes too much",
            "limits/command-output",
            "run",
            "dump|a",
            "head -c 20000 /dev/zero | tr '\\\\0' x",
            Ending::Over(Limit::CommandOutput),
        )
        .given(granted)
        .held(|terms| terms.limits().command_output = Bytes(10_000))
        .raised(|_| {}, Ending::Says("0 with 20000 bytes".into())),
        intruder(
            "a command that writes without end",
            "limits/command-output",
            "run",
            "dump|a",
            "[ -e data/short ] || { echo $$ > data/pid; yes; }",
            Ending::Over(Limit::CommandOutput),
        )
        .given(granted)
        .and(is_over)
        .raised(
            |terms| std::fs::write(terms.folder.join("data/short"), "").unwrap_or_else(|error| panic!("{error}")),
            Ending::Says("0 with 0 bytes".into()),
        ),
    ]
}

fn endless() -> Vec<Case> {
    const SLOW: &str = "echo $$ > data/pid; sleep 2";
    vec![
        intruder(
            "a command that goes on beyond the call",
            "limits/wall-time",
            "run",
            "dump|a",
            SLOW,
            Ending::Over(Limit::WallTime),
        )
        .given(granted)
        .held(|terms| terms.limits().wall_time = ms(700))
        .and(is_over)
        .raised(|_| {}, Ending::Says("0 with 0 bytes".into())),
        intruder(
            "a command that goes on beyond its own time",
            "commands/bounded",
            "run",
            "dump|a",
            SLOW,
            Ending::Refuses("give it more with [commands.dump] `timeout`"),
        )
        .given(granted)
        .held(|terms| offer(terms, SLOW, Duration::from_millis(700)))
        .and(is_over)
        .raised(|_| {}, Ending::Says("0 with 0 bytes".into())),
    ]
}

fn others() -> Vec<Case> {
    let mut cases = vec![
        intruder(
            "a command that was not granted",
            "nothing-by-default/commands",
            "run",
            "drop|a",
            "",
            Ending::Refuses("asked for the command `drop`"),
        )
        .given(granted)
        .and(not_run)
        .raised(
            |terms| {
                terms.grant.commands.insert("drop".into());
            },
            Ending::Says("0 with 0 bytes".into()),
        ),
        intruder(
            "a placeholder that the operator did not leave open",
            "commands/names-alone",
            "fill",
            "dump|argv|a",
            "",
            Ending::Refuses("which the plugin does not fill; it fills {argv}"),
        )
        .given(granted)
        .and(not_run)
        .raised(
            |terms| {
                terms.config.insert("argument".into(), "dump|snapshot|a".into());
            },
            Ending::Says("0 with 0 bytes".into()),
        ),
    ];
    for (what, value) in [
        ("a path upwards", ".."),
        ("a path", "a/b"),
        ("an option", "--help"),
        ("a zero byte", "a%00b"),
        ("a line of its own", "a%0Ab"),
        ("a quote", "a'b"),
        ("a double quote", "a\"b"),
        ("a script", "$(id)"),
        ("another placeholder", "{snapshot}"),
        ("nothing", ""),
    ] {
        let case = intruder(
            &format!("a value of a command that is {what}"),
            "commands/names-alone",
            "run",
            &format!("dump|{value}"),
            "",
            Ending::Refuses("the value of {snapshot} is not taken"),
        );
        cases.push(case.given(granted).and(not_run).raised(
            |terms| {
                terms.config.insert("argument".into(), "dump|r1-snapshot_2".into());
            },
            Ending::Says("0 with 0 bytes".into()),
        ));
    }
    cases
}

//! `autodevops analyze --watch`: the same list, again and again, of logs that grow.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use autodevops_orchestrator::{
    analysis::{Account, STDIN},
    follow::Follower,
    input::Input,
};
use autodevops_sandbox::{MountedFolder, Plugin};
use tokio::signal::unix::{SignalKind, signal};

use super::Show;
use crate::output::{self, AnyFormat, Usage};

/// How often the logs are looked at while something is written to them, and how many times as rarely while nothing is.
const LOOK: Duration = Duration::from_millis(250);
const QUIET: u32 = 4;
/// How often the list is made anew at most: that costs more than to read on.
const SHOW: Duration = Duration::from_secs(1);
/// Bytes that are read of the logs before it is seen whether it is time to show something, or to end.
const TURN_BYTES: usize = 4 << 20;
/// Moves a terminal's cursor to its upper left, and clears what is below.
const HOME: &str = "\x1b[H\x1b[J";

/// Follows the files until it is interrupted. Archives grow no more: they are read first, and once.
pub async fn run(plugin: Plugin, mounts: Vec<MountedFolder>, show: &Show<'_>) -> Result<()> {
    let (packed, followed) = sorted(&show.options.files)?;
    let mut follower = Follower::new(&followed).map_err(|error| Usage(error.to_string()))?;
    let mut account = Account::open(plugin, mounts).await?;
    for file in packed {
        account.read(&file.display().to_string(), Input::open(file)?, |_| ()).await?;
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut screen = Screen { shown: None, last: String::new() };
    let mut changed = true;
    let mut quiet = 0;
    loop {
        let read = turn(&mut follower, &mut account).await?;
        changed |= read;
        quiet = if read { 0 } else { QUIET.min(quiet + 1) };
        if changed && screen.is_due() {
            screen.draw(&follower, &mut account, show).await?;
            changed = false;
        }
        // Even where there is more to read, an interrupt is seen.
        let pause = LOOK * quiet;
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    turn(&mut follower, &mut account).await?;
    screen.draw(&follower, &mut account, show).await
}

/// The files that are archives, and the paths and patterns to follow.
fn sorted(files: &[PathBuf]) -> Result<(Vec<&Path>, Vec<&Path>), Usage> {
    let (mut packed, mut followed) = (Vec::new(), Vec::new());
    for file in files.iter().map(PathBuf::as_path) {
        if file == Path::new(STDIN) {
            return Err(Usage("standard input has an end, and no need of --watch; name files".to_owned()));
        }
        if file.is_dir() {
            return Err(Usage(format!("{0} is a folder; name its files, such as '{0}/*.log'", file.display())));
        }
        if Input::is_packed(file)? { packed.push(file) } else { followed.push(file) }
    }
    Ok((packed, followed))
}

/// Reads what is new; whether there was anything.
async fn turn(follower: &mut Follower, account: &mut Account) -> Result<bool> {
    let chunks = follower.poll(TURN_BYTES)?;
    let any = !chunks.is_empty();
    for chunk in chunks {
        account.push(&chunk.source, &chunk.bytes).await?;
    }
    Ok(any)
}

/// What was shown, and when.
struct Screen {
    shown: Option<Instant>,
    last: String,
}

impl Screen {
    fn is_due(&self) -> bool {
        self.shown.is_none_or(|shown| shown.elapsed() >= SHOW)
    }

    /// Shows the list, where it is another than before: over the last one on a terminal, else below it; a line each as JSON.
    async fn draw(&mut self, follower: &Follower, account: &mut Account, show: &Show<'_>) -> Result<()> {
        for status in follower.status() {
            let absent = status.waiting && !account.has_read(&status.source);
            let trouble = status.trouble.or_else(|| absent.then(|| "there is no such file yet".to_owned()));
            account.trouble(&status.source, trouble);
        }
        let text = render(account, show).await?;
        self.shown = Some(Instant::now());
        if text == self.last {
            return Ok(());
        }
        let home = if show.format == AnyFormat::Text && io::stdout().is_terminal() { HOME } else { "" };
        output::text(&format!("{home}{text}"))?;
        self.last = text;
        Ok(())
    }
}

async fn render(account: &mut Account, show: &Show<'_>) -> Result<String> {
    let mut analysis = account.analysis().await?;
    show.choose(&mut analysis)?;
    match show.format {
        AnyFormat::Json => Ok(format!("{}\n", serde_json::to_string(&analysis)?)),
        _ => show.whole(&analysis),
    }
}

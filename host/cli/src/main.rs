//! The `autodevops` command: arguments in, text or JSON out.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod analyze;
mod arguments;
mod asked;
mod audit;
mod compile;
mod deploy;
mod doctor;
mod draw;
mod ears;
mod edge;
mod exit;
mod gc;
mod grant;
mod groups;
mod init;
mod metrics;
mod moment;
mod output;
mod pause;
mod people;
mod plugin;
mod progress;
mod project;
mod replay;
mod rollout;
mod run;
mod runs;
mod show;
mod state;
mod story;
#[cfg(test)]
mod testing;
mod token;
mod trace;
mod verdict;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use arguments::{Answer, Approve, Arguments, Extend, Feedback, Reject, Rollback, RolloutVerb, Sequence, Verb};
use autodevops_orchestrator::feedback::Complaint;
use autodevops_policy::Span;
use autodevops_server::{Request, Sequel, Word};
use clap::{CommandFactory, Parser};
use output::Format;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Before anything is set up: this process is to have nothing but the component.
    if let Verb::CompileComponent = arguments.verb {
        return autodevops_sandbox::compile_child();
    }
    // One that was started as `/proc/self/exe` would be called `exe`.
    let _ = rustix::thread::set_name(c"autodevops");
    trace::to_stderr(arguments.verbose);
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            exit::code(&error)
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Verb::Completions { shell } = arguments.verb {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), "autodevops", &mut script);
        return output::text(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let Arguments { config, format, verb, .. } = arguments;
        let config = config.as_deref();
        let asked = format;
        // What `analyze` alone can write is refused elsewhere.
        let format = match (Format::try_from(asked), &verb) {
            (Ok(format), _) => format,
            (Err(_), Verb::Analyze(_)) => Format::Text,
            (Err(error), _) => return Err(error.into()),
        };
        match verb {
            Verb::Init(options) => init::run(&options, format),
            Verb::Deploy(options) => deploy::run(&options, config, format).await,
            Verb::Run(options) => run::once(&options, config, format).await,
            Verb::Serve => run::watch(config, format).await,
            Verb::Runs(options) => runs::list(&options, config, format),
            Verb::Replay(options) => replay::run(&options, config, format).await,
            Verb::Show { run, at } => show::run(&run, at.as_deref(), config, format),
            Verb::Metrics(options) => metrics::run(&options, config, format),
            Verb::Audit(options) => audit::run(&options, config, format),
            Verb::Approve(Approve { run, reason, bypass, question }) => {
                let word = Word::Approve { bypass };
                people::say(Request::Say { run, word, reason, question }, config, format).await
            }
            Verb::Reject(Reject { run, reason, question }) => {
                people::say(Request::Say { run, word: Word::Reject, reason, question }, config, format).await
            }
            Verb::Hold(Answer { run, reason }) => people::tell(run, Word::Hold, reason, config, format).await,
            Verb::Resume { run: Some(run), reason } => people::tell(run, Word::Resume, reason, config, format).await,
            Verb::Resume { run: None, .. } => pause::resume(config, format),
            Verb::Skip(Answer { run, reason }) => people::tell(run, Word::Skip, reason, config, format).await,
            Verb::Extend(Extend { run, by, reason }) => {
                let seconds = by.map(Span::whole_seconds);
                people::tell(run, Word::Extend { seconds }, reason, config, format).await
            }
            Verb::RollForward(Sequence { run, reason }) => {
                people::tell(run, Word::RollForward, reason, config, format).await
            }
            Verb::Abort(Answer { run, reason }) => people::tell(run, Word::Abort, reason, config, format).await,
            Verb::Ack(Answer { run, reason }) => people::tell(run, Word::Ack, reason, config, format).await,
            Verb::Token { name, may } => token::run(&name, &may, format),
            Verb::Feedback(Feedback { text, service, from, release, client }) => {
                let complaint = Complaint { text, service, from, release, client };
                people::say(Request::Feedback(complaint), config, format).await
            }
            Verb::Retry(Sequence { run, reason }) => {
                people::say(Request::After { run, sequel: Sequel::Retry, reason }, config, format).await
            }
            Verb::Revert(Sequence { run, reason }) => {
                people::say(Request::After { run, sequel: Sequel::Revert, reason }, config, format).await
            }
            Verb::Rollback(Rollback { environment, to, now, reason }) => {
                people::say(Request::Rollback { environment, to, now, reason }, config, format).await
            }
            Verb::Pause { reason } => pause::pause(&reason, config, format),
            Verb::Verdict(options) => verdict::run(&options, config, format),
            Verb::Rollout { verb: RolloutVerb::Plan(options) } => rollout::plan(&options, config, format),
            Verb::Edge { verb } => edge::run(verb, config, format).await,
            Verb::Schema => output::json(&autodevops_config::schema()).map(|()| ExitCode::SUCCESS),
            Verb::Analyze(options) => analyze::run(&options, config, asked).await,
            Verb::Plugin { verb } => plugin::run(verb, config, format).await,
            Verb::Worker(options) => worker::run(options).await,
            Verb::State { verb } => state::run(verb, config, format).await,
            Verb::Gc { dry_run } => gc::run(dry_run, config, format).await,
            Verb::Doctor => doctor::run(config, format).await,
            Verb::Completions { .. } | Verb::CompileComponent => Ok(ExitCode::SUCCESS),
        }
    });
    // A build that was interrupted ends with this process; it is not waited for.
    runtime.shutdown_background();
    done
}

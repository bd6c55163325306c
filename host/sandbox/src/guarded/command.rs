//! The operator's commands.

use autodevops_model::{ErrorInfo, ErrorKind, StageError};
use autodevops_policy::{Denial, Limit, Operation};

use super::{Guarded, host::Answered};
use crate::{
    bindings::base::autodevops::host::command,
    command::{Completed, NotCompleted},
    refusal::Refusal,
    replay::{Shown, noted, through},
};

/// The values, in words: `snapshot=r1-1, environment=production`.
fn in_words(fills: &[(String, String)]) -> String {
    let each: Vec<String> = fills.iter().map(|(name, value)| format!("{name}={value}")).collect();
    each.join(", ")
}

impl Guarded<'_> {
    async fn run_command(&mut self, name: &str, fills: &[(String, String)]) -> Answered<command::Completed> {
        let error = |kind, message| StageError { kind, info: ErrorInfo { message, details: Vec::new() } };
        let Some(commands) = self.guest().commands.clone() else {
            return Ok(Err(error(ErrorKind::Denied, "there are no commands here".to_owned()).into()));
        };
        let most = self.guest().authority().quota().limits().command_output.0;
        match commands.run(name, fills, most).await {
            Ok(Completed { status, stdout, stderr }) => {
                self.passes(stdout.len());
                let stdout = String::from_utf8_lossy(&stdout).into_owned();
                Ok(Ok(command::Completed { status, stdout, stderr }))
            }
            Err(NotCompleted::Unfit(why)) => {
                self.refuses(&Refusal::Fill);
                Ok(Err(error(ErrorKind::InvalidInput, why).into()))
            }
            Err(NotCompleted::TooMuch) => {
                let over = self.guest().authority().quota().exceed(Limit::CommandOutput);
                Err(Denial::from(over).into())
            }
            Err(NotCompleted::Failed(error)) => Ok(Err(error.into())),
        }
    }
}

impl command::Host for Guarded<'_> {
    async fn run(&mut self, name: String, fills: Vec<(String, String)>) -> Answered<command::Completed> {
        let operation = Operation::Command { name: name.clone(), with: in_words(&fills) };
        if let Err(refused) = self.asks(operation)? {
            return noted!(self, "autodevops:host/command run", (name, Shown(&fills)), Ok(Err(refused)));
        }
        self.charge(Limit::Commands, 1)?;
        through!(self, "autodevops:host/command run", (name, Shown(&fills)), self.run_command(&name, &fills).await)
    }
}

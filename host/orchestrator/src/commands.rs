//! The operator's commands, as `[commands]` has them.

use anyhow::{Result, bail};
use autodevops_commands::{Commands, Operators};
use autodevops_config::{Config, OperatorCommand};

use crate::project::Project;

/// All of them.
pub fn of(config: &Config) -> Commands {
    let operators = |command: &OperatorCommand| Operators {
        argv: command.argv.clone(),
        folder: command.folder.clone(),
        env: command.env.clone(),
        pass_env: command.pass_env.clone(),
        timeout: command.timeout.0,
    };
    Commands::new(config.commands.iter().map(|(name, command)| (name.clone(), operators(command))).collect())
}

impl Project {
    /// Refuses a project in which a plugin that a stage names is granted a command that there is not: better now than when a
    /// snapshot is to be gone back to.
    ///
    /// # Errors
    /// The first such command, with what to write; or when a plugin is not there.
    pub fn check_commands(&self) -> Result<()> {
        let catalog = self.plugins.catalog();
        for (_, name) in self.config.plugins_of_stages() {
            let folder = catalog.open(name)?;
            let effective = catalog.standing(&folder)?.effective;
            if let Some(command) =
                effective.commands.iter().find(|command| !self.config.commands.contains_key(*command))
            {
                bail!(
                    "plugin `{}` is granted the command `{command}`, and there is none; write [commands.{command}] with its `argv`",
                    folder.manifest.name
                );
            }
        }
        Ok(())
    }
}

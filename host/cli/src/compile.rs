//! Where this program has components compiled: in a process of its own, which is this program with a hidden verb.

use anyhow::Result;
use autodevops_config::Config;
use autodevops_orchestrator::{mail::Post, plugins::Services, program::PROGRAM, sandbox};
use autodevops_sandbox::{Compiler, SandboxOptions};

/// The hidden verb.
pub const VERB: &str = "compile-component";

/// The compiler of all verbs.
pub fn compiler() -> Compiler {
    Compiler::Child { program: PROGRAM.into(), arguments: vec![VERB.into()] }
}

/// What plugins are given where there is no project.
pub fn services() -> Services {
    Services { sandbox: SandboxOptions { compiler: compiler(), ..SandboxOptions::default() }, ..Services::default() }
}

/// What plugins are given that are looked at, or called, by hand.
///
/// # Errors
/// When a file that `[sandbox]` names cannot be read, or `[mail]` cannot be used.
pub fn services_of(config: &Config) -> Result<Services> {
    let mail = Post::of(config)?.map(|mail| mail as _);
    Ok(Services { sandbox: sandbox::options(&config.sandbox, compiler())?, mail, ..Services::default() })
}

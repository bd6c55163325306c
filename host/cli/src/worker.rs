//! `autodevops worker`: serves one release.

use std::process::ExitCode;

use anyhow::Result;
use autodevops_orchestrator::plugins::{cache_folder, engine_component};
use autodevops_policy::Limits;
use autodevops_worker::{WorkerOptions, serve};

use crate::{arguments::Worker, compile};

pub async fn run(worker: Worker) -> Result<ExitCode> {
    let limits = Limits { wall_time: worker.wall_time, memory: worker.memory, ..Limits::default() };
    let options = WorkerOptions {
        root: worker.root,
        public: worker.public,
        functions: worker.functions,
        socket: worker.socket,
        engine: engine_component(),
        cache: cache_folder(),
        compiler: compile::compiler(),
        limits,
    };
    serve(options).await?;
    Ok(ExitCode::SUCCESS)
}

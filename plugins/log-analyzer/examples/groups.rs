//! Groups the lines of a file natively, without a sandbox: prints `line,group,template` as CSV.
//!
//! ```sh
//! cargo run --release -p log-analyzer --example groups -- FILE
//! ```

use std::{collections::HashMap, env, error::Error, fs, io::Write};

use log_analyzer::{Engine, GroupId};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args().nth(1).ok_or("name a file")?;
    let mut bytes = fs::read(&file)?;
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    let mut lines = Vec::new();
    let mut engine = Engine::default();
    engine.push_and_tell(&file, &bytes, |group| lines.push(group));
    let former: HashMap<GroupId, GroupId> = engine.take_former().into_iter().map(|of| (of.id, of.into)).collect();
    let groups = engine.groups();
    let of: HashMap<GroupId, usize> =
        groups.iter().enumerate().flat_map(|(at, group)| group.patterns.iter().map(move |id| (*id, at))).collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "line,group,template")?;
    for (number, id) in (1..).zip(lines) {
        let mut id = id;
        while let Some(into) = former.get(&id).filter(|into| **into != id) {
            id = *into;
        }
        let Some(group) = of.get(&id).and_then(|at| groups.get(*at)) else { continue };
        writeln!(out, "{number},{},\"{}\"", group.id.0, group.template.replace('"', "\"\""))?;
    }
    Ok(())
}

//! Which group each line of a log is of, when all of it was read.

use std::{collections::HashMap, path::Path};

use anyhow::{Context as _, Result};
use autodevops_model::LineGroup;
use autodevops_sandbox::{CallContext, Plugin};

use crate::{
    analysis::{PART_BYTES, Reader},
    input::Input,
};

/// The lines of a log, each with its group.
#[derive(Clone, Debug, Default)]
pub struct GroupedLog {
    /// The number that each line was given, in order.
    lines: Vec<u32>,
    /// What the numbers stand for.
    groups: HashMap<u32, (u32, String)>,
}

impl GroupedLog {
    /// Takes in what became of groups; what was said last holds.
    fn learn(&mut self, groups: Vec<LineGroup>) {
        for LineGroup { id, into, template } in groups {
            self.groups.insert(id, (into, template));
        }
    }

    /// For each line in order the number of its group, and what the group's lines have in common.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        self.lines.iter().map(|given| {
            let mut id = *given;
            // A group may have become one that became another; never one that came later, so that this ends.
            while let Some((into, _)) = self.groups.get(&id).filter(|(into, _)| *into < id) {
                id = *into;
            }
            (id, self.groups.get(&id).map_or("", |(_, template)| template.as_str()))
        })
    }
}

/// Reads a whole file (or standard input, `-`), also a compressed one. `progress` is told how many bytes of it were read.
///
/// # Errors
/// When the file cannot be read, or the analyzer fails or tells no groups.
pub async fn group_file(plugin: Plugin, file: &Path, mut progress: impl FnMut(u64)) -> Result<GroupedLog> {
    let source = file.display().to_string();
    let mut input = Input::open(file)?;
    let context = CallContext { run: "analyze".to_owned(), ..CallContext::default() };
    let mut reader = Reader::open(plugin, context, None).await?;
    let mut log = GroupedLog::default();
    let mut part = vec![0; PART_BYTES];
    let mut ended = true;
    loop {
        let before = input.taken();
        let length = input.read(&mut part).with_context(|| format!("{source} was not read to its end"))?;
        if length == 0 {
            break;
        }
        let bytes = part.get(..length).unwrap_or_default();
        ended = bytes.ends_with(b"\n");
        let grouped = reader.push_grouped(&source, bytes).await?;
        log.lines.extend(grouped.lines);
        log.learn(grouped.former);
        progress(input.taken() - before);
    }
    if !ended {
        // A last line without its end is a line.
        let grouped = reader.push_grouped(&source, b"\n").await?;
        log.lines.extend(grouped.lines);
        log.learn(grouped.former);
    }
    log.learn(reader.groups().await?);
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_what_its_group_became_in_the_end() {
        let group = |id, into, template: &str| LineGroup { id, into, template: template.to_owned() };
        let mut log = GroupedLog { lines: vec![0, 1, 2, 3], ..GroupedLog::default() };
        log.learn(vec![group(2, 1, ""), group(3, 3, "left <*>")]);
        log.learn(vec![group(0, 0, "one <*>"), group(1, 0, "")]);
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines, [(0, "one <*>"), (0, "one <*>"), (0, "one <*>"), (3, "left <*>")]);
    }
}

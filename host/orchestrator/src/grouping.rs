//! Which group each line of a log is of, when all of it was read: in bounded memory, however long the log is and however many groups it
//! had.

mod given;

use std::{collections::HashMap, io, path::Path};

use anyhow::{Context as _, Result};
use autodevops_model::LineGroup;
use autodevops_sandbox::{CallContext, Plugin};

use self::given::Given;
use crate::{
    analysis::{PART_BYTES, Reader},
    input::Input,
};

/// Groups that became others; then what lines were given is made anew with them, and they are forgotten.
const MAX_MERGED: usize = 1 << 20;
/// Bytes of templates of groups that the analyzer no longer keeps.
const MAX_LEFT_BYTES: usize = 32 << 20;
/// What an entry of a map takes beside its text, about.
const ENTRY_BYTES: usize = 64;

/// The lines of a log, each with its group.
#[derive(Debug)]
pub struct GroupedLog {
    /// The number that each line was given, in order.
    lines: Given,
    /// Numbers that became others.
    merged: HashMap<u32, u32>,
    /// What the others stand for.
    templates: HashMap<u32, String>,
    /// Bytes of the templates of groups that left.
    left_bytes: usize,
    untold: u64,
    cut: Option<String>,
    most_merged: usize,
    most_left_bytes: usize,
}

impl GroupedLog {
    fn new(most_merged: usize, most_left_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            lines: Given::new()?,
            merged: HashMap::new(),
            templates: HashMap::new(),
            left_bytes: 0,
            untold: 0,
            cut: None,
            most_merged,
            most_left_bytes,
        })
    }

    /// How often a group left whose template there was no room for: its lines are shown with an empty one.
    pub const fn untold(&self) -> u64 {
        self.untold
    }

    /// Why the lines end before the log does; none where all was read.
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// Takes in lines, and what became of groups since.
    fn add(&mut self, lines: &[u32], former: Vec<LineGroup>) -> io::Result<()> {
        self.lines.add(lines)?;
        for LineGroup { id, into, template } in former {
            if id != into {
                self.forget(id);
                self.merged.insert(id, into);
                continue;
            }
            // It may have left before, and come back.
            self.forget(id);
            let bytes = template.len() + ENTRY_BYTES;
            if self.left_bytes + bytes > self.most_left_bytes {
                self.untold += 1;
                continue;
            }
            self.left_bytes += bytes;
            self.templates.insert(id, template);
        }
        if self.merged.len() >= self.most_merged {
            let merged = std::mem::take(&mut self.merged);
            self.lines.change(|id| resolved(&merged, id))?;
        }
        Ok(())
    }

    fn forget(&mut self, id: u32) {
        if let Some(template) = self.templates.remove(&id) {
            self.left_bytes = self.left_bytes.saturating_sub(template.len() + ENTRY_BYTES);
        }
    }

    /// Takes in the groups that there are in the end.
    fn end(&mut self, groups: Vec<LineGroup>) {
        for LineGroup { id, into, template } in groups {
            if id == into {
                self.templates.insert(id, template);
            } else {
                self.merged.insert(id, into);
            }
        }
    }

    /// Tells for each line in order its number from 1, the number of its group, and what the group's lines have in common.
    ///
    /// # Errors
    /// Those of `tell`, and where what was put aside on disk cannot be read back.
    pub fn each(&mut self, mut tell: impl FnMut(u64, u32, &str) -> io::Result<()>) -> io::Result<()> {
        let Self { lines, merged, templates, .. } = self;
        let mut number = 0;
        lines.each(|given| {
            number += 1;
            let id = resolved(merged, given);
            tell(number, id, templates.get(&id).map_or("", String::as_str))
        })
    }
}

/// What a number became in the end. An analyzer that has them become one another in a circle is not followed for ever.
fn resolved(merged: &HashMap<u32, u32>, given: u32) -> u32 {
    let mut id = given;
    for _ in 0..=merged.len() {
        match merged.get(&id) {
            Some(into) if *into != id => id = *into,
            _ => break,
        }
    }
    id
}

/// Reads a whole file (or standard input, `-`), also a compressed one; one that is damaged up to there. `progress` is told how many bytes of
/// it were read.
///
/// # Errors
/// When nothing of the file can be read, nothing can be put aside on disk, or the analyzer fails or tells no groups.
pub async fn group_file(plugin: Plugin, file: &Path, mut progress: impl FnMut(u64)) -> Result<GroupedLog> {
    const ASIDE: &str = "the groups of the lines cannot be put aside; make room in the folder for temporary files";
    let source = file.display().to_string();
    let mut input = Input::open(file)?;
    let context = CallContext { run: "analyze".to_owned(), ..CallContext::default() };
    let mut reader = Reader::open(plugin, context, None).await?;
    let mut log = GroupedLog::new(MAX_MERGED, MAX_LEFT_BYTES).context(ASIDE)?;
    let mut part = vec![0; PART_BYTES];
    let (mut ended, mut any) = (true, false);
    loop {
        let before = input.taken();
        let length = match input.read(&mut part).with_context(|| format!("{source} was not read to its end")) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if any => {
                log.cut = Some(format!("{error:#}"));
                break;
            }
            Err(error) => return Err(error),
        };
        any = true;
        let bytes = part.get(..length).unwrap_or_default();
        ended = bytes.ends_with(b"\n");
        let grouped = reader.push_grouped(&source, bytes).await?;
        log.add(&grouped.lines, grouped.former).context(ASIDE)?;
        progress(input.taken() - before);
    }
    if !ended {
        // A last line without its end is a line.
        let grouped = reader.push_grouped(&source, b"\n").await?;
        log.add(&grouped.lines, grouped.former).context(ASIDE)?;
    }
    log.end(reader.groups().await?);
    Ok(log)
}

#[cfg(test)]
mod tests {
    use autodevops_model::Stage;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::{Scene, answer, plugin, target};

    /// What an analyzer that finds one line in each part makes of a file with these bytes, and how many of them were read.
    async fn grouped(bytes: &[u8]) -> (Result<GroupedLog>, u64) {
        let answers = [
            answer("[method]session.push-grouped", json!({ "lines": [3], "former": [] })),
            answer("[method]session.groups", json!([{ "id": 3, "into": 3, "template": "a <*>" }])),
        ];
        let scene = Scene::open(&[target(&[]), plugin("analyzer", Stage::Analyzer, &answers)], "");
        let file = scene.shop().join("a.log");
        std::fs::write(&file, bytes).unwrap();
        let plugin = scene.project.plugins.for_stage("analyzer", Stage::Analyzer).unwrap();
        let mut read = 0;
        let log = group_file(plugin, &file, |bytes| read += bytes).await;
        (log, read)
    }

    #[tokio::test]
    async fn a_last_line_without_its_end_is_a_line_and_what_was_read_is_told_part_by_part() {
        let of = |bytes: Vec<u8>| async move {
            let (log, read) = grouped(&bytes).await;
            let mut log = log.unwrap();
            assert_eq!((log.cut(), read), (None, bytes.len() as u64));
            told(&mut log)
        };
        let line = |number| (number, 3, "a <*>".to_owned());
        assert_eq!(of(b"a 1\n".to_vec()).await, [line(1)]);
        assert_eq!(of(b"a\nb".to_vec()).await, [line(1), line(2)]);
        // Its beginning, by which it is known that it is no archive, is a part of its own.
        assert_eq!(of(b"a line\n".repeat(PART_BYTES / 7 + 99)).await, [line(1), line(2), line(3)]);
        assert_eq!(of(Vec::new()).await, []);
    }

    #[tokio::test]
    async fn a_damaged_log_is_read_up_to_there_and_one_of_which_nothing_can_be_read_is_refused() {
        let text: String = (0..20_000).map(|number| format!("{}\n", number * 7919 % 10_007)).collect();
        let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
        let archive = archive.finish().unwrap();
        let (log, _) = grouped(&archive[..archive.len() / 2]).await;
        let mut log = log.unwrap();
        let why = log.cut().unwrap();
        assert!(why.contains("a.log was not read to its end") && why.contains("ends in the middle"), "{why}");
        assert!(!told(&mut log).is_empty());
        let error = format!("{:#}", grouped(&archive[..12]).await.0.unwrap_err());
        assert!(error.contains("a.log was not read to its end"), "{error}");
    }

    fn group(id: u32, into: u32, template: &str) -> LineGroup {
        LineGroup { id, into, template: template.to_owned() }
    }

    fn told(log: &mut GroupedLog) -> Vec<(u64, u32, String)> {
        let mut told = Vec::new();
        log.each(|number, id, template| {
            told.push((number, id, template.to_owned()));
            Ok(())
        })
        .unwrap();
        told
    }

    #[test]
    fn a_line_is_of_what_its_group_became_in_the_end() {
        for most_merged in [1, 100] {
            let mut log = GroupedLog::new(most_merged, 1 << 20).unwrap();
            log.add(&[0, 1, 2, 3], vec![group(2, 1, ""), group(3, 3, "left <*>")]).unwrap();
            log.end(vec![group(0, 0, "one <*>"), group(1, 0, "")]);
            let one = "one <*>".to_owned();
            let expected = [(1, 0, one.clone()), (2, 0, one.clone()), (3, 0, one), (4, 3, "left <*>".to_owned())];
            assert_eq!(told(&mut log), expected);
        }
    }

    #[test]
    fn a_group_that_left_and_came_back_is_what_it_is_in_the_end() {
        let mut log = GroupedLog::new(100, 1 << 20).unwrap();
        log.add(&[4, 5], vec![group(4, 4, "four"), group(5, 5, "five")]).unwrap();
        log.add(&[4, 5], vec![group(5, 9, "")]).unwrap();
        log.end(vec![group(4, 4, "four <*>"), group(9, 9, "nine")]);
        let expected = [(4, "four <*>"), (9, "nine"), (4, "four <*>"), (9, "nine")];
        let found = told(&mut log);
        assert!(
            found.iter().zip(expected).all(|((_, id, text), expected)| (*id, text.as_str()) == expected),
            "{found:?}"
        );
    }

    #[test]
    fn templates_of_groups_that_left_are_bounded_and_what_is_not_kept_is_counted() {
        let mut log = GroupedLog::new(100, 10 * (ENTRY_BYTES + 4)).unwrap();
        let left: Vec<LineGroup> = (0..1000).map(|id| group(id, id, "left")).collect();
        log.add(&(0..1000).collect::<Vec<u32>>(), left).unwrap();
        assert_eq!((log.templates.len(), log.untold()), (10, 990));
        let found = told(&mut log);
        assert_eq!((found.len(), found[9].2.as_str(), found[10].2.as_str()), (1000, "left", ""));
    }

    #[test]
    fn what_became_of_groups_is_put_into_the_lines_and_forgotten_once_it_is_much() {
        let mut log = GroupedLog::new(3, 1 << 20).unwrap();
        for (id, merged) in [(1, 1), (2, 2), (3, 0), (4, 1)] {
            log.add(&[id], vec![group(id, 9, "")]).unwrap();
            assert_eq!(log.merged.len(), merged, "after {id}");
        }
        assert_eq!(told(&mut log).into_iter().map(|(_, id, _)| id).collect::<Vec<_>>(), [9; 4]);
    }

    #[test]
    fn a_template_that_is_not_needed_any_more_leaves_just_its_room() {
        let mut log = GroupedLog::new(100, 3 * (ENTRY_BYTES + 4)).unwrap();
        let left = |id: u32| vec![group(id, id, "left")];
        for id in [1, 2, 3, 1, 1] {
            log.add(&[id], left(id)).unwrap();
        }
        assert_eq!((log.templates.len(), log.untold()), (3, 0), "one that comes back is there once");
        log.add(&[2], vec![group(2, 1, "")]).unwrap();
        log.add(&[4], left(4)).unwrap();
        log.add(&[5], left(5)).unwrap();
        assert_eq!((log.templates.len(), log.untold()), (3, 1));
    }

    #[test]
    fn an_analyzer_that_turns_groups_in_a_circle_does_not_hold_this_up() {
        let mut log = GroupedLog::new(100, 1 << 20).unwrap();
        log.add(&[0, 7], vec![group(0, 1, ""), group(1, 2, ""), group(2, 0, "")]).unwrap();
        assert_eq!(told(&mut log).len(), 2);
    }

    proptest! {
        #[test]
        fn how_often_lines_are_made_anew_changes_nothing(
            steps in prop::collection::vec((0..40_u32, any::<prop::sample::Index>()), 1..60),
            most_merged in 1..20_usize,
        ) {
            let mut logs = [GroupedLog::new(most_merged, 1 << 20).unwrap(), GroupedLog::new(1000, 1 << 20).unwrap()];
            let mut gone: Vec<u32> = Vec::new();
            for (id, into) in steps {
                let left: Vec<u32> = (0..40).filter(|id| !gone.contains(id)).collect();
                let into = left[into.index(left.len())];
                // What became another is given to no line again.
                let merges = id != into && !gone.contains(&id);
                for log in &mut logs {
                    let lines = if gone.contains(&id) { vec![into] } else { vec![id, into] };
                    log.add(&lines, merges.then(|| group(id, into, "")).into_iter().collect()).unwrap();
                }
                gone.extend(merges.then_some(id));
            }
            let [few, many] = &mut logs;
            prop_assert_eq!(told(few), told(many));
        }
    }
}

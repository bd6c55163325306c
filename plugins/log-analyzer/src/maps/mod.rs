//! Source maps: what a frame of a bundled, minified or compiled script was written as.
//!
//! The host gives the folder in which the scripts and their maps lie, to be read only. A frame that is found in a map is told by the file,
//! line and function that somebody wrote, so that a fault has one fingerprint whatever a bundler made of it, and a place that can be
//! mended. A map that is absent, broken or too large leaves the frame as the log has it, and is told of.

mod bounded;
mod looked;
mod map;
mod mappings;
mod place;

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    rc::Rc,
};

use autodevops_sdk::types::StackFrame;
pub use looked::Looked;
use map::{Original, SourceMap};

use crate::{event::Event, identity::chosen, trace};

/// Most bytes of a map that is read.
const MAX_MAP_BYTES: u64 = 32 << 20;
/// Most bytes that all maps may take at once.
const MAX_BYTES: usize = 64 << 20;
/// Most scripts that are remembered at once, with a map or without.
const MAX_REMEMBERED: usize = 500;
/// Bytes at the end of a script in which its map is named, if it is not itself there.
const TAIL_BYTES: u64 = 4 << 10;
/// Most notes of what is amiss.
const MAX_NOTES: usize = 20;

/// The maps that the host gives.
#[derive(Default)]
pub struct Maps {
    /// Where scripts and maps lie; none where there are none.
    folder: Option<PathBuf>,
    /// Where that folder is in the project, with `/` between its parts.
    within: String,
    found: RefCell<Found>,
}

/// What was found, so that it need not be read again at once. It changes nothing of what a frame is told as.
struct Found {
    /// By the file as frames name it.
    scripts: HashMap<String, Option<Rc<Script>>>,
    /// Those files, in the order in which they were read.
    order: VecDeque<String>,
    bytes: usize,
    most_bytes: usize,
    notes: usize,
    /// Whether it was told that not all scripts are looked for.
    told_of_others: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            scripts: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            most_bytes: MAX_BYTES,
            notes: 0,
            told_of_others: false,
        }
    }
}

/// A script that has a map.
struct Script {
    map: SourceMap,
    /// The map's folder in the project.
    folder: String,
}

/// What a frame was written as.
struct Written {
    frame: StackFrame,
    /// What its function's caller calls the function.
    name: Option<String>,
}

impl Maps {
    /// The maps in a folder, which is `within` the project.
    pub fn new(folder: PathBuf, within: &str) -> Self {
        Self { folder: Some(folder), within: within.to_owned(), found: RefCell::default() }
    }

    /// Tells the frames of the record by what they were written as, and says so behind the lines that show them.
    pub fn apply(&self, event: &mut Event, looked: &mut Looked) {
        if self.folder.is_none() || event.stack.is_empty() {
            return;
        }
        looked.next_record();
        let written: Vec<Option<Written>> = event.stack.iter().map(|frame| self.written(frame, looked)).collect();
        if written.iter().all(Option::is_none) {
            return;
        }
        // The map names what is called at the caller's place: that is how Node itself finds a function's name.
        let callers = |index: usize| {
            let (frame, caller) = (event.stack.get(index)?, event.stack.get(index + 1)?);
            let direct = frame.file == caller.file && !event.gaps.contains(&index);
            written.get(index + 1)?.as_ref().filter(|_| direct)?.name.clone()
        };
        let names: Vec<Option<String>> = (0..event.stack.len()).map(callers).collect();
        for ((frame, written), name) in event.stack.iter_mut().zip(written).zip(names) {
            let Some(Written { frame: mut original, .. }) = written else { continue };
            original.function = name.or_else(|| frame.function.as_deref().and_then(kept).map(str::to_owned));
            let Some(column) = frame.column else { continue };
            let shown = format!("{}:{}:{column}", frame.file, frame.line);
            if let Some((_, text)) = event.lines.iter_mut().find(|(_, text)| text.contains(&shown)) {
                text.push_str(&told(&original));
            }
            *frame = original;
        }
    }

    fn written(&self, frame: &StackFrame, looked: &mut Looked) -> Option<Written> {
        let column = frame.column?;
        if !frame.own_code || !place::is_script(&frame.file) {
            return None;
        }
        if !looked.takes(&frame.file) {
            self.found.borrow_mut().tell_of_others();
            return None;
        }
        let script = self.script(&frame.file)?;
        let Original { source, line, column, name } = script.map.original(frame.line, column)?;
        let (file, foreign) = place::of_source(&source.name, &script.folder);
        if file.is_empty() {
            return None;
        }
        let own_code = !source.ignored && !foreign && trace::is_own(&file);
        let frame = StackFrame { function: None, file, line, column: Some(column), own_code };
        Some(Written { frame, name: name.map(str::to_owned) })
    }

    fn script(&self, file: &str) -> Option<Rc<Script>> {
        let mut found = self.found.borrow_mut();
        if let Some(known) = found.scripts.get(file) {
            return known.clone();
        }
        let script = match self.find(file) {
            Ok(Some(script)) => Some(Rc::new(script)),
            Ok(None) => {
                found.note(format_args!("no source map of {file} is there: its frames are told as the log has them"));
                None
            }
            Err(wrong) => {
                found.note(format_args!("{wrong}: the frames of {file} are told as the log has them"));
                None
            }
        };
        found.remember(file, script.clone());
        script
    }

    fn find(&self, file: &str) -> Result<Option<Script>, String> {
        let Some(folder) = &self.folder else { return Ok(None) };
        for path in place::candidates(file) {
            let code = last_bytes(&folder.join(&path)).map_err(|error| format!("{path} cannot be read: {error}"))?;
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            let usual = format!("{path}.map");
            let mut places = vec![usual.clone()];
            let mut names = None;
            if let Some(url) = code.as_deref().and_then(place::named_map) {
                if let Some(bytes) = place::inline(url) {
                    let map = bytes.and_then(|bytes| SourceMap::read(&bytes));
                    let map = map.map_err(|wrong| format!("the source map in {path} {wrong}"))?;
                    return Ok(Some(self.of(map, above)));
                }
                let named = place::beside(above, url);
                places.insert(0, named.clone());
                names = Some(named);
            }
            for place in places {
                let named = |wrong: String| format!("the source map {place} {wrong}");
                let Some(bytes) = whole(&folder.join(&place)).map_err(named)? else { continue };
                let map = SourceMap::read(&bytes).map_err(named)?;
                return Ok(Some(self.of(map, place.rsplit_once('/').map_or("", |(above, _)| above))));
            }
            if code.is_some() {
                let Some(named) = names else { return Ok(None) };
                return Err(format!("{path} names the source map {named}, which is not there"));
            }
        }
        Ok(None)
    }

    fn of(&self, map: SourceMap, folder: &str) -> Script {
        Script { map, folder: place::join(&self.within, folder) }
    }
}

impl Found {
    fn remember(&mut self, file: &str, script: Option<Rc<Script>>) {
        let bytes_of = |script: &Option<Rc<Script>>| script.as_ref().map_or(0, |script| script.map.bytes());
        self.bytes += bytes_of(&script);
        while self.bytes > self.most_bytes || self.order.len() >= MAX_REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.scripts.remove(&oldest).as_ref().map_or(0, bytes_of);
        }
        self.order.push_back(file.to_owned());
        self.scripts.insert(file.to_owned(), script);
    }

    fn tell_of_others(&mut self) {
        if !std::mem::replace(&mut self.told_of_others, true) {
            self.note(format_args!(
                "the source maps of {} scripts are looked for at once: frames of others are told as the log has them",
                looked::MAX_SCRIPTS
            ));
        }
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.notes += 1;
        if self.notes <= MAX_NOTES {
            log::warn!("{what}");
        }
    }
}

/// What an original frame adds to the line that shows what was made of it.
fn told(frame: &StackFrame) -> String {
    let StackFrame { function, file, line, column, .. } = frame;
    let column = column.map(|column| format!(":{column}")).unwrap_or_default();
    match function {
        Some(function) => format!(" → {function} ({file}:{line}{column})"),
        None => format!(" → {file}:{line}{column}"),
    }
}

/// As much of a function's name in the made code as somebody chose: `Order.total`, and of `e.total` what is not the minifier's.
fn kept(function: &str) -> Option<&str> {
    let function = function.split(" [as ").next().unwrap_or(function);
    let whole = function.split('.').all(|part| chosen(part) == Some(part));
    if whole { Some(function) } else { chosen(function) }
}

/// The last bytes of a script, in which its map is named or is itself; none where there is no such file.
fn last_bytes(path: &Path) -> Result<Option<Vec<u8>>, std::io::Error> {
    let Some(mut file) = opened(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    for most in [TAIL_BYTES, MAX_MAP_BYTES] {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        bytes.clear();
        (&mut file).take(most).read_to_end(&mut bytes)?;
        if length <= most || place::named_map(&bytes).is_some() {
            break;
        }
    }
    Ok(Some(bytes))
}

/// All of a map; none where there is no such file.
fn whole(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    let Some(file) = opened(path).map_err(unread)? else { return Ok(None) };
    // As much as it is, so that reading it takes no more.
    let length = file.metadata().map_err(unread)?.len().min(MAX_MAP_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(MAX_MAP_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > MAX_MAP_BYTES {
        return Err(format!(
            "is larger than {} MiB; have the bundler leave the sources' text out",
            MAX_MAP_BYTES >> 20
        ));
    }
    Ok(Some(bytes))
}

fn opened(path: &Path) -> Result<Option<File>, std::io::Error> {
    match File::open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Told;

    /// The path that a record's frame in a script is told by.
    fn path(maps: &Maps, looked: &mut Looked, file: &str) -> String {
        let frame = StackFrame { function: None, file: file.to_owned(), line: 1, column: Some(52), own_code: true };
        let mut event = Event {
            alone: None,
            time: None,
            level: None,
            content: String::new(),
            exception: None,
            stack: vec![frame],
            gaps: Vec::new(),
            lines: Vec::new(),
            status: None,
            told: Told::default(),
        };
        maps.apply(&mut event, looked);
        event.stack.remove(0).file
    }

    #[test]
    fn a_script_that_is_remembered_no_more_is_read_again_however_often() {
        let maps = Maps::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/maps").into(), "");
        maps.found.borrow_mut().most_bytes = 1;
        let mut looked = Looked::default();
        for number in 0..600 {
            let build = ["one", "two"][number % 2];
            let written = path(&maps, &mut looked, &format!("/srv/{build}/dist/main.min.js"));
            assert!(written.starts_with(&format!("{build}/src/")), "{number}: {written}");
            assert!(maps.found.borrow().scripts.len() == 1 && maps.found.borrow().order.len() == 1);
        }
    }

    #[test]
    fn scripts_that_are_named_no_more_make_room_for_others() {
        let maps = Maps::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/maps").into(), "");
        let mut looked = Looked::default();
        for number in 0..600 {
            path(&maps, &mut looked, &format!("/srv/{number}.js"));
        }
        assert_eq!(path(&maps, &mut looked, "/srv/one/dist/main.min.js"), "/srv/one/dist/main.min.js");
        for _ in 0..10_000 {
            path(&maps, &mut looked, "/srv/0.js");
        }
        assert_eq!(path(&maps, &mut looked, "/srv/one/dist/main.min.js"), "one/src/money.js");
        let found = maps.found.borrow();
        assert!(found.scripts.len() <= MAX_REMEMBERED && found.order.len() == found.scripts.len());
    }

    #[test]
    fn names_are_kept_that_somebody_chose() {
        for (function, expected) in [
            ("Order.total", Some("Order.total")),
            ("e.total", Some("total")),
            ("t", None),
            ("new t", None),
            ("t [as pay]", None),
            ("Object.<anonymous>", Some("Object.<anonymous>")),
        ] {
            assert_eq!(kept(function), expected, "{function}");
        }
    }
}

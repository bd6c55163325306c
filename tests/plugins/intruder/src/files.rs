//! Files, by the descriptors' own functions: no library looks at a path before the host does.

use crate::{
    Answer, Parts,
    bindings::wasi::{
        filesystem::{
            preopens::get_directories,
            types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags},
        },
        io::streams::{OutputStream, StreamError},
    },
    no,
};

/// Bytes of one write.
const CHUNK: usize = 4096;

fn preopen(name: &str) -> Result<Descriptor, String> {
    let mut found = get_directories().into_iter().filter(|(_, path)| path == name);
    found.next().map(|(descriptor, _)| descriptor).ok_or_else(|| format!("no {name}"))
}

fn open(folder: &Descriptor, path: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
    folder.open_at(PathFlags::SYMLINK_FOLLOW, path, open, flags)
}

fn read(folder: &Descriptor, path: &str) -> Answer {
    let file = open(folder, path, OpenFlags::empty(), DescriptorFlags::READ).map_err(no)?;
    let (bytes, _) = file.read(1000, 0).map_err(no)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(folder: &Descriptor, path: &str, flags: OpenFlags) -> Answer {
    let file = open(folder, path, flags, DescriptorFlags::WRITE).map_err(no)?;
    file.write(b"written", 0).map_err(no)?;
    Ok("written".to_owned())
}

/// Does it, where it is known.
pub fn act(act: &str, parts: &Parts<'_>) -> Option<Answer> {
    let data = match preopen("/data") {
        Ok(data) => data,
        Err(error) => return Some(Err(error)),
    };
    let (path, second) = (parts.text(0), parts.text(1));
    let done = |result: Result<(), ErrorCode>| result.map(|()| "done".to_owned()).map_err(no);
    let across = |act: fn(&Descriptor, &str, &Descriptor, &str) -> Result<(), ErrorCode>| {
        preopen("/other").and_then(|other| done(act(&data, path, &other, second)))
    };
    Some(match act {
        "read" => read(&data, path),
        "write" => write(&data, path, OpenFlags::empty()),
        "create" => write(&data, path, OpenFlags::CREATE),
        "create-other" => preopen("/other").and_then(|other| write(&other, path, OpenFlags::CREATE)),
        "truncate" => {
            open(&data, path, OpenFlags::TRUNCATE, DescriptorFlags::WRITE).map(|_| "done".to_owned()).map_err(no)
        }
        "folder" => done(data.create_directory_at(path)),
        "remove" => done(data.unlink_file_at(path)),
        "remove-folder" => done(data.remove_directory_at(path)),
        "stat" => data.stat_at(PathFlags::SYMLINK_FOLLOW, path).map(|stat| format!("{:?}", stat.type_)).map_err(no),
        "read-link" => data.readlink_at(path).map_err(no),
        "list" => list(&data, path),
        "times" => done(data.set_times_at(PathFlags::SYMLINK_FOLLOW, path, NewTimestamp::Now, NewTimestamp::Now)),
        "hash" => data.metadata_hash_at(PathFlags::SYMLINK_FOLLOW, path).map(|_| "hashed".to_owned()).map_err(no),
        "symlink" => done(data.symlink_at(path, second)),
        "symlink-and-read" => done(data.symlink_at(path, second)).and_then(|_| read(&data, second)),
        "link" => done(data.link_at(PathFlags::empty(), path, &data, second)),
        "link-following" => done(data.link_at(PathFlags::SYMLINK_FOLLOW, path, &data, second)),
        "rename" => done(data.rename_at(path, &data, second)),
        "link-across" => across(|data, path, other, to| data.link_at(PathFlags::empty(), path, other, to)),
        "rename-across" => across(|data, path, other, to| data.rename_at(path, other, to)),
        "rename-back" => preopen("/other").and_then(|other| done(other.rename_at(path, &data, second))),
        "through-file" => through_file(&data, path),
        "through-folder" => through_folder(&data, path, second),
        "grow" => grow(&data, path, parts.number(1)),
        "fill" => fill(&data, path, parts.number(1), Way::Stream),
        "fill-directly" => fill(&data, path, parts.number(1), Way::Directly),
        "fill-by-append" => fill(&data, path, parts.number(1), Way::Append),
        "fill-with-zeroes" => fill(&data, path, parts.number(1), Way::Zeroes),
        "fill-by-splice" => splice(&data, path, second, parts.number(2)),
        "many-files" => many(parts, |name| write(&data, name, OpenFlags::CREATE)),
        "many-folders" => many(parts, |name| done(data.create_directory_at(name))),
        "many-symlinks" => many(parts, |name| done(data.symlink_at("a.txt", name))),
        "many-links" => many(parts, |name| done(data.link_at(PathFlags::empty(), "a.txt", &data, name))),
        "many-renames" => rename_often(&data, parts.number(1)),
        "many-open" => open_often(&data, path, parts.number(1)),
        "many-streams" => streams_often(&data, path, parts.number(1)),
        "many-open-and-preopens-dropped" => open_often_dropping(&data, path, parts.number(1)),
        "many-stats" => many(parts, |_| data.stat().map(|_| String::new()).map_err(no)),
        "long-path" => read(&data, &"a/".repeat(usize::try_from(parts.number(1)).unwrap_or_default())),
        _ => return None,
    })
}

fn list(data: &Descriptor, path: &str) -> Answer {
    let folder = open(data, path, OpenFlags::DIRECTORY, DescriptorFlags::READ).map_err(no)?;
    let entries = folder.read_directory().map_err(no)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry().map_err(no)? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names.join(" "))
}

/// A file's descriptor, used as if it were a folder's.
fn through_file(data: &Descriptor, path: &str) -> Answer {
    let file = open(data, "a.txt", OpenFlags::empty(), DescriptorFlags::READ).map_err(no)?;
    read(&file, path)
}

/// A folder below is opened first, and what is asked for is relative to it.
fn through_folder(data: &Descriptor, folder: &str, path: &str) -> Answer {
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    let folder = open(data, folder, OpenFlags::DIRECTORY, flags).map_err(no)?;
    read(&folder, path)
}

fn grow(data: &Descriptor, path: &str, size: u64) -> Answer {
    let file = open(data, path, OpenFlags::CREATE, DescriptorFlags::WRITE).map_err(no)?;
    file.set_size(size).map_err(no)?;
    Ok("grown".to_owned())
}

enum Way {
    Stream,
    Directly,
    Append,
    Zeroes,
}

fn fill(data: &Descriptor, path: &str, bytes: u64, way: Way) -> Answer {
    let file = open(data, path, OpenFlags::CREATE, DescriptorFlags::WRITE).map_err(no)?;
    let chunk = [b'x'; CHUNK];
    let stream = match way {
        Way::Directly => None,
        Way::Append => Some(file.append_via_stream().map_err(no)?),
        Way::Stream | Way::Zeroes => Some(file.write_via_stream(0).map_err(no)?),
    };
    let mut written = 0;
    while written < bytes {
        match (&stream, &way) {
            (Some(stream), Way::Zeroes) => stream.blocking_write_zeroes_and_flush(CHUNK as u64).map_err(told)?,
            (Some(stream), _) => stream.blocking_write_and_flush(&chunk).map_err(told)?,
            (None, _) => file.write(&chunk, written).map(|_| ()).map_err(no)?,
        }
        written += CHUNK as u64;
    }
    Ok(format!("{written} bytes"))
}

fn splice(data: &Descriptor, from: &str, to: &str, times: u64) -> Answer {
    let source = open(data, from, OpenFlags::empty(), DescriptorFlags::READ).map_err(no)?;
    let target = open(data, to, OpenFlags::CREATE, DescriptorFlags::WRITE).map_err(no)?;
    let output: OutputStream = target.write_via_stream(0).map_err(no)?;
    let mut written = 0;
    for _ in 0..times {
        let input = source.read_via_stream(0).map_err(no)?;
        written += output.blocking_splice(&input, CHUNK as u64).map_err(told)?;
        output.blocking_flush().map_err(told)?;
    }
    Ok(format!("{written} bytes"))
}

fn told(error: StreamError) -> String {
    match error {
        StreamError::Closed => "no: closed".to_owned(),
        StreamError::LastOperationFailed(error) => format!("no: {}", error.to_debug_string()),
    }
}

/// Makes so many of something, until one fails.
fn many(parts: &Parts<'_>, make: impl Fn(&str) -> Answer) -> Answer {
    for index in 0..parts.number(1) {
        make(&format!("n{index}"))?;
    }
    Ok("all made".to_owned())
}

/// Each stream keeps its file open after the descriptor is gone.
fn streams_often(data: &Descriptor, path: &str, times: u64) -> Answer {
    let mut streams = Vec::new();
    for _ in 0..times {
        let file = open(data, path, OpenFlags::empty(), DescriptorFlags::READ).map_err(no)?;
        streams.push(file.read_via_stream(0).map_err(no)?);
    }
    Ok(format!("{} open", streams.len()))
}

/// Descriptors of granted folders are dropped between: whether that gives back what was never taken.
fn open_often_dropping(data: &Descriptor, path: &str, times: u64) -> Answer {
    let mut open_ones = Vec::new();
    for _ in 0..times {
        open_ones.push(open(data, path, OpenFlags::empty(), DescriptorFlags::READ).map_err(no)?);
        drop(get_directories());
    }
    Ok(format!("{} open", open_ones.len()))
}

fn rename_often(data: &Descriptor, times: u64) -> Answer {
    for index in 0..times {
        let (from, to) = if index % 2 == 0 { ("a.txt", "b.txt") } else { ("b.txt", "a.txt") };
        data.rename_at(from, data, to).map_err(no)?;
    }
    Ok("all made".to_owned())
}

fn open_often(data: &Descriptor, path: &str, times: u64) -> Answer {
    let mut open_ones = Vec::new();
    for _ in 0..times {
        open_ones.push(open(data, path, OpenFlags::empty(), DescriptorFlags::READ).map_err(no)?);
    }
    Ok(format!("{} open", open_ones.len()))
}

//! A line as it is read, before anything is made of it: the border between reading logs and finding what is wrong.

use crate::{
    envelope::Stream,
    grouping::{Form, GroupId},
    record::Level,
    time::LogTime,
};

/// A line with its header read and its group known.
pub struct Line<'a> {
    /// Its number in the source, from 1.
    pub number: u64,
    /// When.
    pub time: Option<LogTime>,
    /// Nanoseconds since midnight, where the line tells the time of the day alone.
    pub of_day: Option<i64>,
    /// How bad, where it says so.
    pub level: Option<Level>,
    /// The program that the header names, as the system's log does; empty where it does not.
    pub component: &'a [u8],
    /// The stream of its container that it came by, where it says so.
    pub stream: Option<Stream>,
    /// What is behind the header, or the message of a structured line.
    pub content: &'a [u8],
    /// The group of lines with such a content; see [`crate::grouping::Grouping::groups`] for what it becomes.
    pub group: GroupId,
    /// Whether no word of the content that stays tells of a fault.
    pub plain: bool,
    /// What the content is but for its numbers, where that is known.
    pub form: Option<Form>,
    /// Whether there is a header.
    pub headed: bool,
    /// Whether the content is indented.
    pub indented: bool,
    /// The line as it is.
    pub raw: &'a [u8],
}

#[cfg(test)]
impl<'a> Line<'a> {
    /// A line of one kind without a header.
    pub const fn of(text: &'a str) -> Self {
        Self {
            number: 1,
            time: None,
            of_day: None,
            level: None,
            component: b"",
            stream: None,
            content: text.as_bytes(),
            group: GroupId(1),
            plain: true,
            form: None,
            headed: true,
            indented: false,
            raw: text.as_bytes(),
        }
    }
}

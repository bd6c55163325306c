//! The forms of what the single interfaces give back: clocks, files, keys and values, the local target.

use autodevops_model::{Release, Split, StageError};
use serde::{Deserialize, Serialize};
use wasmtime_wasi::p2::bindings::{
    clocks::wall_clock::Datetime,
    filesystem::types::{DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, MetadataHashValue},
};

use super::kept::kept_as;
use crate::bindings::{
    base::autodevops::{
        host::{command, traffic},
        types::types,
    },
    keyvalue::wasi::keyvalue::store as keyvalue,
};

type TimeForm = (u64, u32);

const fn time_form(time: &Datetime) -> TimeForm {
    (time.seconds, time.nanoseconds)
}

const fn time((seconds, nanoseconds): TimeForm) -> Datetime {
    Datetime { seconds, nanoseconds }
}

/// What kind of file something is, by its place in the contract.
const TYPES: [DescriptorType; 8] = [
    DescriptorType::Unknown,
    DescriptorType::BlockDevice,
    DescriptorType::CharacterDevice,
    DescriptorType::Directory,
    DescriptorType::Fifo,
    DescriptorType::SymbolicLink,
    DescriptorType::RegularFile,
    DescriptorType::Socket,
];

fn type_form(kind: DescriptorType) -> u8 {
    let place = TYPES.iter().position(|known| *known == kind).unwrap_or_default();
    u8::try_from(place).unwrap_or_default()
}

fn type_of(form: u8) -> DescriptorType {
    TYPES.get(usize::from(form)).copied().unwrap_or(DescriptorType::Unknown)
}

const FLAGS: [DescriptorFlags; 6] = [
    DescriptorFlags::READ,
    DescriptorFlags::WRITE,
    DescriptorFlags::FILE_INTEGRITY_SYNC,
    DescriptorFlags::DATA_INTEGRITY_SYNC,
    DescriptorFlags::REQUESTED_WRITE_SYNC,
    DescriptorFlags::MUTATE_DIRECTORY,
];

/// A file's metadata as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct StatForm {
    kind: u8,
    link_count: u64,
    size: u64,
    times: [Option<TimeForm>; 3],
}

/// An answer of the local target as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrafficForm {
    splits: Vec<Split>,
    fence: u64,
    stable: Option<Release>,
}

/// An error of the key-value store as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub enum KeyValueErrorForm {
    /// There is no such store.
    NoSuchStore,
    /// It is not granted.
    AccessDenied,
    /// Anything else.
    Other(String),
}

kept_as! {
    Datetime: TimeForm, |value| time_form(value), |form| time(form);
    DescriptorType: u8, |kind| type_form(*kind), |form| type_of(form);
    DescriptorFlags: [bool; 6], |flags| FLAGS.map(|flag| flags.contains(flag)), |form| {
        FLAGS.into_iter().zip(form).filter(|(_, set)| *set).fold(DescriptorFlags::empty(), |all, (flag, _)| all | flag)
    };
    DescriptorStat: StatForm,
    |stat| StatForm {
        kind: type_form(stat.type_),
        link_count: stat.link_count,
        size: stat.size,
        times: [stat.data_access_timestamp, stat.data_modification_timestamp, stat.status_change_timestamp]
            .map(|at| at.as_ref().map(time_form)),
    },
    |form| {
        let [access, modification, change] = form.times.map(|at| at.map(time));
        DescriptorStat {
            type_: type_of(form.kind),
            link_count: form.link_count,
            size: form.size,
            data_access_timestamp: access,
            data_modification_timestamp: modification,
            status_change_timestamp: change,
        }
    };
    MetadataHashValue: (u64, u64), |hash| (hash.lower, hash.upper), |form| MetadataHashValue { lower: form.0, upper: form.1 };
    DirectoryEntry: (u8, String), |entry| (type_form(entry.type_), entry.name.clone()),
    |form| DirectoryEntry { type_: type_of(form.0), name: form.1 };
    keyvalue::Error: KeyValueErrorForm,
    |error| match error {
        keyvalue::Error::NoSuchStore => KeyValueErrorForm::NoSuchStore,
        keyvalue::Error::AccessDenied => KeyValueErrorForm::AccessDenied,
        keyvalue::Error::Other(text) => KeyValueErrorForm::Other(text.clone()),
    },
    |form| match form {
        KeyValueErrorForm::NoSuchStore => Self::NoSuchStore,
        KeyValueErrorForm::AccessDenied => Self::AccessDenied,
        KeyValueErrorForm::Other(text) => Self::Other(text),
    };
    keyvalue::KeyResponse: (Vec<String>, Option<u64>), |found| (found.keys.clone(), found.cursor),
    |form| keyvalue::KeyResponse { keys: form.0, cursor: form.1 };
    command::Completed: (i32, String, String), |done| (done.status, done.stdout.clone(), done.stderr.clone()),
    |form| command::Completed { status: form.0, stdout: form.1, stderr: form.2 };
    types::Error: StageError, |error| error.clone().into(), |form| form.into();
    types::Release: Release, |release| release.clone().into(), |form| form.into();
    traffic::State: TrafficForm,
    |state| TrafficForm {
        splits: state
            .splits
            .iter()
            .map(|split| Split { release: split.release.clone(), percent: split.percent })
            .collect(),
        fence: state.fence,
        stable: state.stable.clone().map(Into::into),
    },
    |form| traffic::State {
        splits: form
            .splits
            .into_iter()
            .map(|split| traffic::Split { release: split.release, percent: split.percent })
            .collect(),
        fence: form.fence,
        stable: form.stable.map(Into::into),
    };
}

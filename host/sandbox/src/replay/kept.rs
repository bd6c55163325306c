//! What host functions give back, as it is kept: handles by what was made for them, errors by their kind.

use autodevops_policy::{Denial, Limit};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::{
    I32Exit,
    filesystem::Descriptor,
    p2::{
        DynInputStream, DynOutputStream, DynPollable, FsError, StreamError,
        bindings::filesystem::types::{DirectoryEntryStream, ErrorCode},
    },
};
use wasmtime_wasi_http::p2::types::HostFutureIncomingResponse;

use crate::{guarded::Guarded, guest::Guest};

/// Stands in a replay's table for what only a real call has: a file, a stream, a timer.
pub struct Dummy;

/// A value whose handles can be found.
pub trait Handles {
    /// Adds the numbers of the handles in it, in their order.
    fn handles(&self, _found: &mut Vec<u32>) {}
}

/// What a host function gives back, and the form in which it is kept.
pub trait Kept: Handles + Sized {
    /// The form.
    type Form: Serialize + DeserializeOwned;

    /// The form of this value. The table tells what is behind its handles.
    fn form(&self, table: &ResourceTable) -> Self::Form;

    /// The value again, with something in the guest's table for each handle.
    ///
    /// # Errors
    /// When the table is full.
    fn give(form: Self::Form, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self>;
}

impl<T> Handles for Resource<T> {
    fn handles(&self, found: &mut Vec<u32>) {
        found.push(self.rep());
    }
}

impl<T: Handles> Handles for Option<T> {
    fn handles(&self, found: &mut Vec<u32>) {
        self.iter().for_each(|value| value.handles(found));
    }
}

impl<T: Handles, E> Handles for Result<T, E> {
    fn handles(&self, found: &mut Vec<u32>) {
        self.iter().for_each(|value| value.handles(found));
    }
}

impl<T> Handles for Vec<(Resource<T>, String)> {
    fn handles(&self, found: &mut Vec<u32>) {
        self.iter().for_each(|(handle, _)| handle.handles(found));
    }
}

/// Types that hold no handle.
macro_rules! without_handles {
    ($($type:ty),+ $(,)?) => { $(impl $crate::replay::kept::Handles for $type {})+ };
}
pub(crate) use without_handles;

without_handles!((), bool, u8, u16, u32, u64, (u64, u64), String, Vec<u8>, Vec<u32>, Vec<Vec<u8>>, (Vec<u8>, bool));
without_handles!(Vec<String>, Vec<(String, Vec<u8>)>, Vec<(String, String)>);

/// Types that are kept as they are.
macro_rules! kept_as_they_are {
    ($($type:ty),+ $(,)?) => {
        $(impl Kept for $type {
            type Form = Self;

            fn form(&self, _: &ResourceTable) -> Self {
                self.clone()
            }

            fn give(form: Self, _: &mut Guarded<'_>) -> wasmtime::Result<Self> {
                Ok(form)
            }
        })+
    };
}

kept_as_they_are!((), bool, u64, (u64, u64), String, Vec<u32>);

/// Types that are kept in another form, which has none of the guest's table in it.
macro_rules! kept_as {
    ($($type:ty: $form:ty, |$value:ident| $keep:expr, |$kept:ident| $give:expr;)+) => {
        $(
            impl $crate::replay::kept::Handles for $type {}

            impl $crate::replay::kept::Kept for $type {
                type Form = $form;

                fn form(&self, _: &wasmtime::component::ResourceTable) -> $form {
                    let $value = self;
                    $keep
                }

                fn give($kept: $form, _: &mut $crate::guarded::Guarded<'_>) -> wasmtime::Result<Self> {
                    Ok($give)
                }
            }
        )+
    };
}
pub(crate) use kept_as;

impl Kept for Vec<u8> {
    type Form = ByteBuf;

    fn form(&self, _: &ResourceTable) -> ByteBuf {
        ByteBuf::from(self.as_slice())
    }

    fn give(form: ByteBuf, _: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        Ok(form.into_vec())
    }
}

impl Kept for (Vec<u8>, bool) {
    type Form = (ByteBuf, bool);

    fn form(&self, _: &ResourceTable) -> (ByteBuf, bool) {
        (ByteBuf::from(self.0.as_slice()), self.1)
    }

    fn give((bytes, end): (ByteBuf, bool), _: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        Ok((bytes.into_vec(), end))
    }
}

impl<T: Kept> Kept for Option<T> {
    type Form = Option<T::Form>;

    fn form(&self, table: &ResourceTable) -> Self::Form {
        self.as_ref().map(|value| value.form(table))
    }

    fn give(form: Self::Form, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        form.map(|form| T::give(form, guarded)).transpose()
    }
}

impl<T: Kept, E: Kept> Kept for Result<T, E> {
    type Form = Result<T::Form, E::Form>;

    fn form(&self, table: &ResourceTable) -> Self::Form {
        self.as_ref().map(|value| value.form(table)).map_err(|error| error.form(table))
    }

    fn give(form: Self::Form, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        match form {
            Ok(form) => T::give(form, guarded).map(Ok),
            Err(form) => E::give(form, guarded).map(Err),
        }
    }
}

impl<T: 'static> Kept for Vec<(Resource<T>, String)> {
    type Form = Vec<String>;

    fn form(&self, _: &ResourceTable) -> Vec<String> {
        self.iter().map(|(_, path)| path.clone()).collect()
    }

    fn give(form: Vec<String>, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        form.into_iter().map(|path| Ok((guarded.dummy()?, path))).collect()
    }
}

/// Handles of what a replay has none of.
macro_rules! dummies {
    ($($type:ty),+ $(,)?) => {
        $(impl Kept for Resource<$type> {
            type Form = ();

            fn form(&self, _: &ResourceTable) {}

            fn give((): (), guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
                guarded.dummy()
            }
        })+
    };
}

dummies!(Descriptor, DirectoryEntryStream, DynInputStream, DynOutputStream, DynPollable, HostFutureIncomingResponse);

/// An error that ended the call.
#[derive(Debug, Serialize, Deserialize)]
pub enum TrapForm {
    /// It went over a limit.
    Limit(Limit),
    /// It was denied something.
    Denied(DenialForm),
    /// Its table of handles was full.
    TableFull,
    /// It ended itself, with a code.
    Exit(i32),
    /// Anything else, in words.
    Other(String),
}

/// A [`Denial`] as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub enum DenialForm {
    /// A limit was gone over.
    Limit(Limit),
    /// It was not granted.
    NotGranted {
        /// The plugin.
        plugin: String,
        /// What.
        what: String,
        /// The key that grants it.
        remedy: String,
    },
}

impl DenialForm {
    /// The form of a denial.
    pub fn of(denial: &Denial) -> Self {
        match denial.clone() {
            Denial::NotGranted { plugin, what, remedy } => Self::NotGranted { plugin, what, remedy },
            Denial::OverLimit(over) => Self::Limit(over.limit),
        }
    }

    /// The denial again.
    pub fn denial(self, guest: &mut Guest) -> Denial {
        match self {
            Self::Limit(limit) => guest.authority().quota().exceed(limit).into(),
            Self::NotGranted { plugin, what, remedy } => Denial::NotGranted { plugin, what, remedy },
        }
    }
}

/// The form of an error that ends the call.
pub fn trap_form(error: &wasmtime::Error) -> TrapForm {
    if let Some(denial) = error.downcast_ref::<Denial>() {
        return match DenialForm::of(denial) {
            DenialForm::Limit(limit) => TrapForm::Limit(limit),
            denied => TrapForm::Denied(denied),
        };
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return TrapForm::TableFull;
    }
    match error.downcast_ref::<I32Exit>() {
        Some(exit) => TrapForm::Exit(exit.0),
        None => TrapForm::Other(error.root_cause().to_string()),
    }
}

/// The error again.
pub fn trap(form: TrapForm, guest: &mut Guest) -> wasmtime::Error {
    match form {
        TrapForm::Limit(limit) => DenialForm::Limit(limit).denial(guest).into(),
        TrapForm::Denied(denied) => denied.denial(guest).into(),
        TrapForm::TableFull => ResourceTableError::Full.into(),
        TrapForm::Exit(code) => I32Exit(code).into(),
        TrapForm::Other(text) => wasmtime::Error::msg(text),
    }
}

impl Handles for wasmtime::Error {}

impl Kept for wasmtime::Error {
    type Form = TrapForm;

    fn form(&self, _: &ResourceTable) -> TrapForm {
        trap_form(self)
    }

    fn give(form: TrapForm, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        Ok(trap(form, guarded.guest()))
    }
}

/// A stream's error as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub enum StreamErrorForm {
    /// The stream's end.
    Closed,
    /// It failed; the guest asks about it by functions whose answers are kept too.
    Failed(String),
    /// The call ended.
    Trap(TrapForm),
}

impl Handles for StreamError {}

impl Kept for StreamError {
    type Form = StreamErrorForm;

    fn form(&self, _: &ResourceTable) -> StreamErrorForm {
        match self {
            Self::Closed => StreamErrorForm::Closed,
            Self::LastOperationFailed(error) => StreamErrorForm::Failed(error.to_string()),
            Self::Trap(error) => StreamErrorForm::Trap(trap_form(error)),
        }
    }

    fn give(form: StreamErrorForm, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        Ok(match form {
            StreamErrorForm::Closed => Self::Closed,
            StreamErrorForm::Failed(text) => Self::LastOperationFailed(wasmtime::Error::msg(text)),
            StreamErrorForm::Trap(form) => Self::Trap(trap(form, guarded.guest())),
        })
    }
}

/// The errors of `wasi:filesystem`.
macro_rules! file_errors {
    ($($name:ident),+ $(,)?) => {
        /// An error of `wasi:filesystem` as it is kept.
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        pub enum FileErrorForm { $(#[doc = stringify!($name)] $name,)+ }

        impl From<ErrorCode> for FileErrorForm {
            fn from(code: ErrorCode) -> Self {
                match code { $(ErrorCode::$name => Self::$name,)+ }
            }
        }

        impl From<FileErrorForm> for ErrorCode {
            fn from(form: FileErrorForm) -> Self {
                match form { $(FileErrorForm::$name => Self::$name,)+ }
            }
        }
    };
}

file_errors!(
    Access,
    WouldBlock,
    Already,
    BadDescriptor,
    Busy,
    Deadlock,
    Quota,
    Exist,
    FileTooLarge,
    IllegalByteSequence,
    InProgress,
    Interrupted,
    Invalid,
    Io,
    IsDirectory,
    Loop,
    TooManyLinks,
    MessageSize,
    NameTooLong,
    NoDevice,
    NoEntry,
    NoLock,
    InsufficientMemory,
    InsufficientSpace,
    NotDirectory,
    NotEmpty,
    NotRecoverable,
    Unsupported,
    NoTty,
    NoSuchDevice,
    Overflow,
    NotPermitted,
    Pipe,
    ReadOnly,
    InvalidSeek,
    TextFileBusy,
    CrossDevice,
);

kept_as! {
    ErrorCode: FileErrorForm, |code| (*code).into(), |form| form.into();
}

impl Handles for FsError {}

impl Kept for FsError {
    type Form = Result<FileErrorForm, TrapForm>;

    fn form(&self, _: &ResourceTable) -> Self::Form {
        // Its trap can only be shown, which is what its error says in words.
        self.downcast_ref().map(|code| (*code).into()).ok_or_else(|| TrapForm::Other(self.to_string()))
    }

    fn give(form: Self::Form, guarded: &mut Guarded<'_>) -> wasmtime::Result<Self> {
        Ok(match form {
            Ok(code) => ErrorCode::from(code).into(),
            Err(form) => Self::trap(trap(form, guarded.guest())),
        })
    }
}

//! Files: reached through the preopens that were granted, by `wasmtime-wasi` on top of `cap-std`'s rules. Opening asks; what is
//! made and written is counted.

use autodevops_policy::{Denial, Limit, Operation};
use wasmtime::component::Resource;
use wasmtime_wasi::{
    filesystem::{Descriptor, WasiFilesystemCtxView},
    p2::{
        DynInputStream, DynOutputStream, FsError, FsResult,
        bindings::filesystem::{
            preopens,
            types::{
                Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
                ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp,
                OpenFlags, PathFlags,
            },
        },
    },
};

use super::{Guarded, refuse::refuse};
use crate::{
    quota::Held,
    refusal::Refusal,
    replay::{Shown, dropped, through},
};

const TYPES: &str = "wasi:filesystem/types";

/// Longest path, in bytes: Linux's own.
const MAX_PATH_BYTES: usize = 4096;

/// A folder's listing counts as one more open file for each so many of its entries.
const ENTRIES_PER_FILE: usize = 1000;

type File = Resource<Descriptor>;

impl preopens::Host for Guarded<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(File, String)>> {
        let granted = self.allows(Operation::Preopens)?;
        through!(
            self,
            "wasi:filesystem/preopens get-directories",
            (),
            if granted { self.folders() } else { Ok(Vec::new()) }
        )
    }
}

impl Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.filesystem().convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        refuse!(self.using(TYPES, "filesystem-error-code"));
        through!(
            self,
            "wasi:filesystem/types filesystem-error-code",
            (error),
            self.filesystem().filesystem_error_code(error)
        )
    }
}

impl HostDirectoryEntryStream for Guarded<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        refuse!(self.using(TYPES, "[method]directory-entry-stream.read-directory-entry"));
        through!(
            self,
            "wasi:filesystem/types [method]directory-entry-stream.read-directory-entry",
            (stream),
            self.filesystem().read_directory_entry(stream).await
        )
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        refuse!(self.using(TYPES, "[resource-drop]directory-entry-stream"));
        let listing = stream.rep();
        let dropped = dropped!(
            self,
            "wasi:filesystem/types [resource-drop]directory-entry-stream",
            stream,
            HostDirectoryEntryStream::drop(&mut self.filesystem(), stream)
        );
        self.0.listings.remove(&listing);
        dropped
    }
}

/// Methods of what is already open: they are counted and go on to `wasmtime-wasi`.
macro_rules! forward {
    ($(async fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal;)*) => {
        $(
            async fn $name(&mut self, fd: File, $($argument: $type),*) -> $result {
                refuse!(self.using(TYPES, $label));
                through!(self, concat!("wasi:filesystem/types ", $label), (fd $(, Shown(&$argument))*),
                    self.filesystem().$name(fd, $($argument),*).await)
            }
        )*
    };
}

/// Methods that reach a path below what is open: they ask for it, and where they make something, that is counted.
macro_rules! reach {
    ($(async fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal $access:ident $path:ident;)*) => {
        $(
            async fn $name(&mut self, fd: File, $($argument: $type),*) -> $result {
                refuse!(self.$access(&$path));
                self.short(&$path)?;
                through!(self, concat!("wasi:filesystem/types ", $label), (fd, $path $(, Shown(&$argument))*),
                    self.filesystem().$name(fd, $($argument),*).await)
            }
        )*
    };
}

impl HostDescriptor for Guarded<'_> {
    forward! {
        async fn advise(offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()>, "[method]descriptor.advise";
        async fn sync_data() -> FsResult<()>, "[method]descriptor.sync-data";
        async fn get_flags() -> FsResult<DescriptorFlags>, "[method]descriptor.get-flags";
        async fn get_type() -> FsResult<DescriptorType>, "[method]descriptor.get-type";
        async fn set_times(atim: NewTimestamp, mtim: NewTimestamp) -> FsResult<()>, "[method]descriptor.set-times";
        async fn sync() -> FsResult<()>, "[method]descriptor.sync";
        async fn stat() -> FsResult<DescriptorStat>, "[method]descriptor.stat";
        async fn metadata_hash() -> FsResult<MetadataHashValue>, "[method]descriptor.metadata-hash";
    }

    reach! {
        async fn stat_at(flags: PathFlags, path: String) -> FsResult<DescriptorStat>, "[method]descriptor.stat-at" look path;
        async fn readlink_at(path: String) -> FsResult<String>, "[method]descriptor.readlink-at" look path;
        async fn metadata_hash_at(flags: PathFlags, path: String) -> FsResult<MetadataHashValue>, "[method]descriptor.metadata-hash-at" look path;
        async fn set_times_at(flags: PathFlags, path: String, atim: NewTimestamp, mtim: NewTimestamp)
            -> FsResult<()>, "[method]descriptor.set-times-at" change path;
        async fn remove_directory_at(path: String) -> FsResult<()>, "[method]descriptor.remove-directory-at" change path;
        async fn unlink_file_at(path: String) -> FsResult<()>, "[method]descriptor.unlink-file-at" change path;
        async fn create_directory_at(path: String) -> FsResult<()>, "[method]descriptor.create-directory-at" make path;
        async fn symlink_at(path: String, new_path: String) -> FsResult<()>, "[method]descriptor.symlink-at" make new_path;
    }

    async fn is_same_object(&mut self, fd: File, other: File) -> wasmtime::Result<bool> {
        refuse!(self.using(TYPES, "[method]descriptor.is-same-object"));
        through!(
            self,
            "wasi:filesystem/types [method]descriptor.is-same-object",
            (fd, other),
            self.filesystem().is_same_object(fd, other).await
        )
    }

    /// A listing is read at once and held by the host as a whole: it counts as a file that is open, and a long one as several.
    async fn read_directory(&mut self, fd: File) -> FsResult<Resource<DirectoryEntryStream>> {
        refuse!(self.using(TYPES, "[method]descriptor.read-directory"));
        through!(self, "wasi:filesystem/types [method]descriptor.read-directory", (fd), self.list(fd).await)
    }

    async fn read(&mut self, fd: File, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        refuse!(self.using(TYPES, "[method]descriptor.read"));
        let read = through!(
            self,
            "wasi:filesystem/types [method]descriptor.read",
            (fd, len, offset),
            self.filesystem().read(fd, len, offset).await
        );
        let (bytes, end) = read?;
        self.passes(bytes.len());
        Ok((bytes, end))
    }

    async fn write(&mut self, fd: File, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        refuse!(self.using(TYPES, "[method]descriptor.write"));
        refuse!(self.charge(Limit::FileBytes, bytes.len() as u64));
        let written = through!(
            self,
            "wasi:filesystem/types [method]descriptor.write",
            (fd, bytes, offset),
            self.filesystem().write(fd, bytes, offset).await
        )?;
        self.passes(usize::try_from(written).unwrap_or(usize::MAX));
        Ok(written)
    }

    /// What a file grows by counts as written.
    async fn set_size(&mut self, fd: File, size: Filesize) -> FsResult<()> {
        refuse!(self.using(TYPES, "[method]descriptor.set-size"));
        through!(self, "wasi:filesystem/types [method]descriptor.set-size", (fd, size), self.grow(fd, size).await)
    }

    async fn link_at(&mut self, fd: File, flags: PathFlags, path: String, to: File, new_path: String) -> FsResult<()> {
        refuse!(self.look(&path));
        refuse!(self.make(&new_path));
        self.short(&path)?;
        self.short(&new_path)?;
        through!(
            self,
            "wasi:filesystem/types [method]descriptor.link-at",
            (fd, Shown(&flags), path, to, new_path),
            self.filesystem().link_at(fd, flags, path, to, new_path).await
        )
    }

    async fn rename_at(&mut self, fd: File, path: String, to: File, new_path: String) -> FsResult<()> {
        refuse!(self.change(&path));
        refuse!(self.make(&new_path));
        self.short(&path)?;
        self.short(&new_path)?;
        through!(
            self,
            "wasi:filesystem/types [method]descriptor.rename-at",
            (fd, path, to, new_path),
            self.filesystem().rename_at(fd, path, to, new_path).await
        )
    }

    async fn open_at(
        &mut self,
        fd: File,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<File> {
        if open_flags.contains(OpenFlags::CREATE) {
            refuse!(self.make(&path));
        } else if flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
            || open_flags.contains(OpenFlags::TRUNCATE)
        {
            refuse!(self.change(&path));
        } else {
            refuse!(self.look(&path));
        }
        self.short(&path)?;
        refuse!(self.charge(Limit::OpenFiles, 1));
        let opened = through!(
            self,
            "wasi:filesystem/types [method]descriptor.open-at",
            (fd, Shown(&path_flags), path, Shown(&open_flags), Shown(&flags)),
            self.open_file(fd, path_flags, path, open_flags, flags).await
        );
        opened.inspect_err(|_| self.closed())
    }

    fn read_via_stream(&mut self, fd: File, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        refuse!(self.using(TYPES, "[method]descriptor.read-via-stream"));
        through!(
            self,
            "wasi:filesystem/types [method]descriptor.read-via-stream",
            (fd, offset),
            self.file_input_of(fd, offset)
        )
    }

    fn write_via_stream(&mut self, fd: File, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        refuse!(self.using(TYPES, "[method]descriptor.write-via-stream"));
        through!(self, "wasi:filesystem/types [method]descriptor.write-via-stream", (fd, offset), {
            self.file_output_of(|files| files.write_via_stream(fd, offset))
        })
    }

    fn append_via_stream(&mut self, fd: File) -> FsResult<Resource<DynOutputStream>> {
        refuse!(self.using(TYPES, "[method]descriptor.append-via-stream"));
        through!(self, "wasi:filesystem/types [method]descriptor.append-via-stream", (fd), {
            self.file_output_of(|files| files.append_via_stream(fd))
        })
    }

    fn drop(&mut self, fd: File) -> wasmtime::Result<()> {
        refuse!(self.using(TYPES, "[resource-drop]descriptor"));
        let dropped = dropped!(
            self,
            "wasi:filesystem/types [resource-drop]descriptor",
            fd,
            HostDescriptor::drop(&mut self.filesystem(), fd)
        );
        self.closed();
        dropped
    }
}

impl Guarded<'_> {
    fn filesystem(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: self.0.wasi.filesystem(), table: &mut self.0.table }
    }

    async fn open_file(
        &mut self,
        fd: File,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<File> {
        self.refuse_devices(&fd, path_flags, &path).await?;
        let opened = self.filesystem().open_at(fd, path_flags, path, open_flags, flags).await?;
        self.refuse_opened_device(opened)
    }

    async fn grow(&mut self, fd: File, size: Filesize) -> FsResult<()> {
        let before = self.filesystem().stat(Resource::new_borrow(fd.rep())).await?.size;
        refuse!(self.charge(Limit::FileBytes, size.saturating_sub(before)));
        self.filesystem().set_size(fd, size).await
    }

    /// The granted folders. Each is a descriptor that the guest may drop, which gives it back.
    fn folders(&mut self) -> wasmtime::Result<Vec<(File, String)>> {
        let folders = preopens::Host::get_directories(&mut self.filesystem())?;
        self.charge(Limit::OpenFiles, folders.len() as u64)?;
        Ok(folders)
    }

    /// A folder's listing: as many open files as it is long.
    async fn list(&mut self, fd: File) -> FsResult<Resource<DirectoryEntryStream>> {
        let files = self.files_of_listing(&fd)?;
        let held = self.opens(files)?;
        let listing = self.filesystem().read_directory(fd).await?;
        self.0.listings.insert(listing.rep(), held);
        Ok(listing)
    }

    /// A stream that reads a file.
    fn file_input_of(&mut self, fd: File, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let open = self.opens(1)?;
        let stream = self.filesystem().read_via_stream(fd, offset)?;
        Ok(self.file_input(stream, open)?)
    }

    /// A stream that writes a file.
    fn file_output_of(
        &mut self,
        make: impl FnOnce(&mut WasiFilesystemCtxView<'_>) -> FsResult<Resource<DynOutputStream>>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let open = self.opens(1)?;
        let stream = make(&mut self.filesystem())?;
        Ok(self.metered(stream, Limit::FileBytes, Some(open))?)
    }

    /// Opening a pipe, a socket or a device may block, or do something: only regular files and folders are opened.
    async fn refuse_devices(&mut self, fd: &File, flags: PathFlags, path: &str) -> FsResult<()> {
        let there = self.filesystem().stat_at(Resource::new_borrow(fd.rep()), flags, path.to_owned()).await;
        match there.map(|stat| stat.type_) {
            Ok(DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink) | Err(_) => {
                Ok(())
            }
            Ok(_) => Err(ErrorCode::NotPermitted.into()),
        }
    }

    /// What is at a path can be another thing a moment later, when it is opened: no guest is given it unless it is what it was.
    fn refuse_opened_device(&mut self, opened: File) -> FsResult<File> {
        let kind = match self.table().get(&opened)? {
            Descriptor::Dir(_) => return Ok(opened),
            Descriptor::File(file) => file.file.metadata().map(|about| about.file_type()),
        };
        if kind.is_ok_and(|kind| kind.is_file()) {
            return Ok(opened);
        }
        self.table().delete(opened)?;
        Err(ErrorCode::NotPermitted.into())
    }

    /// Counts so many more open files, until what is given is dropped: a stream keeps its file open when the descriptor is gone.
    fn opens(&mut self, files: u64) -> FsResult<Held> {
        refuse!(self.charge(Limit::OpenFiles, files));
        Ok(Held::charged(self.0.authority().quota(), Limit::OpenFiles, files))
    }

    /// As how many open files the listing of a folder counts. No further than what is left is looked at.
    fn files_of_listing(&mut self, fd: &File) -> FsResult<u64> {
        let left = self.0.authority().quota().left(Limit::OpenFiles).saturating_add(1);
        let most = usize::try_from(left).unwrap_or(usize::MAX).saturating_mul(ENTRIES_PER_FILE);
        let Descriptor::Dir(folder) = self.table().get(fd)? else { return Ok(1) };
        let entries = rustix::fs::Dir::read_from(&folder.dir).map_err(std::io::Error::from)?.take(most).count();
        Ok(1 + (entries / ENTRIES_PER_FILE) as u64)
    }

    /// A file is no longer open.
    fn closed(&mut self) {
        self.0.authority().quota().release(Limit::OpenFiles, 1);
    }

    /// Asks for a path below a preopen, to look at it.
    fn look(&mut self, path: &str) -> Result<(), Denial> {
        self.authorize(Operation::Open { path: path.to_owned(), write: false })
    }

    /// Asks for a path below a preopen, to change what is there.
    fn change(&mut self, path: &str) -> Result<(), Denial> {
        self.authorize(Operation::Open { path: path.to_owned(), write: true })
    }

    /// Asks for a path below a preopen, to make something there.
    fn make(&mut self, path: &str) -> Result<(), Denial> {
        self.change(path)?;
        self.charge(Limit::Files, 1)
    }

    /// Refuses what no file system takes. (The record keeps its two ends.)
    fn short(&mut self, path: &str) -> FsResult<()> {
        if path.len() <= MAX_PATH_BYTES {
            return Ok(());
        }
        self.refuses(&Refusal::TooLong);
        Err(ErrorCode::NameTooLong.into())
    }
}

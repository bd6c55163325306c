//! Files: reached through the preopens that were granted, by `wasmtime-wasi` on top of `cap-std`'s rules. Opening asks.

use wasmtime::component::Resource;
use wasmtime_wasi::{
    filesystem::Descriptor,
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

use autodevops_policy::Operation;

use super::Guarded;

impl preopens::Host for Guarded<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        if !self.allows(Operation::Preopens)? {
            return Ok(Vec::new());
        }
        preopens::Host::get_directories(&mut self.filesystem())
    }
}

impl Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.filesystem().convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.filesystem().filesystem_error_code(error)
    }
}

impl HostDirectoryEntryStream for Guarded<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.filesystem().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.filesystem(), stream)
    }
}

/// Methods of what is already open: they go on to `wasmtime-wasi`.
macro_rules! forward {
    ($(async fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            async fn $name(&mut self, fd: Resource<Descriptor>, $($argument: $type),*) -> $result {
                self.filesystem().$name(fd, $($argument),*).await
            }
        )*
    };
}

impl HostDescriptor for Guarded<'_> {
    forward! {
        async fn advise(offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()>;
        async fn sync_data() -> FsResult<()>;
        async fn get_flags() -> FsResult<DescriptorFlags>;
        async fn get_type() -> FsResult<DescriptorType>;
        async fn set_size(size: Filesize) -> FsResult<()>;
        async fn set_times(atim: NewTimestamp, mtim: NewTimestamp) -> FsResult<()>;
        async fn read(len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)>;
        async fn write(bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize>;
        async fn read_directory() -> FsResult<Resource<DirectoryEntryStream>>;
        async fn sync() -> FsResult<()>;
        async fn stat() -> FsResult<DescriptorStat>;
        async fn is_same_object(other: Resource<Descriptor>) -> wasmtime::Result<bool>;
        async fn metadata_hash() -> FsResult<MetadataHashValue>;
    }

    async fn create_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.open(&path)?;
        self.filesystem().create_directory_at(fd, path).await
    }

    async fn stat_at(&mut self, fd: Resource<Descriptor>, flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.open(&path)?;
        self.filesystem().stat_at(fd, flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        atim: NewTimestamp,
        mtim: NewTimestamp,
    ) -> FsResult<()> {
        self.open(&path)?;
        self.filesystem().set_times_at(fd, flags, path, atim, mtim).await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        target: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.open(&path)?;
        self.open(&new_path)?;
        self.filesystem().link_at(fd, flags, path, target, new_path).await
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        self.open(&path)?;
        self.refuse_devices(&fd, path_flags, &path).await?;
        self.filesystem().open_at(fd, path_flags, path, open_flags, flags).await
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.open(&path)?;
        self.filesystem().readlink_at(fd, path).await
    }

    async fn remove_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.open(&path)?;
        self.filesystem().remove_directory_at(fd, path).await
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        target: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.open(&path)?;
        self.open(&new_path)?;
        self.filesystem().rename_at(fd, path, target, new_path).await
    }

    async fn symlink_at(&mut self, fd: Resource<Descriptor>, path: String, new_path: String) -> FsResult<()> {
        self.open(&new_path)?;
        self.filesystem().symlink_at(fd, path, new_path).await
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.open(&path)?;
        self.filesystem().unlink_file_at(fd, path).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.open(&path)?;
        self.filesystem().metadata_hash_at(fd, flags, path).await
    }

    fn read_via_stream(&mut self, fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.filesystem().read_via_stream(fd, offset)
    }

    fn write_via_stream(&mut self, fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.filesystem().write_via_stream(fd, offset)
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        self.filesystem().append_via_stream(fd)
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.filesystem(), fd)
    }
}

impl Guarded<'_> {
    /// Opening a pipe, a socket or a device may block, or do something: only regular files and folders are opened.
    async fn refuse_devices(&mut self, fd: &Resource<Descriptor>, flags: PathFlags, path: &str) -> FsResult<()> {
        let there = self.filesystem().stat_at(Resource::new_borrow(fd.rep()), flags, path.to_owned()).await;
        match there.map(|stat| stat.type_) {
            Ok(DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink) | Err(_) => {
                Ok(())
            }
            Ok(_) => Err(ErrorCode::NotPermitted.into()),
        }
    }

    /// Asks for a path below a preopen.
    fn open(&mut self, path: &str) -> FsResult<()> {
        self.authorize(Operation::Open { path: path.to_owned(), write: false }).map_err(FsError::trap)
    }
}

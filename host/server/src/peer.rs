//! Who speaks: the user of the process at the other end.

use tokio::net::UnixStream;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user's number.
    pub uid: u32,
    /// The user's name, or the number where there is no name.
    pub name: String,
}

impl Peer {
    /// The user of the process at the other end of the stream, by the kernel's word.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn of(stream: &UnixStream) -> std::io::Result<Self> {
        Ok(Self::by_uid(stream.peer_cred()?.uid()))
    }

    fn by_uid(uid: u32) -> Self {
        let name = uzers::get_user_by_uid(uid)
            .map_or_else(|| uid.to_string(), |user| user.name().to_string_lossy().into_owned());
        Self { uid, name }
    }
}

/// The user of this process.
pub fn this_user() -> Peer {
    Peer::by_uid(uzers::get_effective_uid())
}

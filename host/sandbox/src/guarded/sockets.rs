//! Sockets: there, so that any component links; never given. What goes out goes by `wasi:http`.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{
    Network, SocketError, SocketResult, TcpSocket, UdpSocket,
    bindings::sockets::{
        instance_network, ip_name_lookup,
        network::{self, ErrorCode, IpAddress, IpAddressFamily},
        tcp_create_socket, udp_create_socket,
    },
};
use wasmtime_wasi::sockets::WasiSocketsCtxView;

use super::{Guarded, refuse::refuse};
use crate::replay::noted;
use autodevops_policy::{Denial, Operation};

impl Guarded<'_> {
    /// Sockets are never granted, so the answer is a refusal that the guest can handle, or the end of the call.
    fn refuse_socket(&mut self, kind: &'static str) -> SocketError {
        match self.authorize(Operation::Socket(kind)) {
            Err(denial @ Denial::OverLimit(_)) => SocketError::trap(denial),
            _ => ErrorCode::AccessDenied.into(),
        }
    }

    fn sockets(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView { ctx: self.0.wasi.sockets(), table: &mut self.0.table }
    }
}

impl network::Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets().convert_error_code(error)
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        refuse!(self.using("wasi:sockets/network", "network-error-code"));
        self.sockets().network_error_code(error)
    }
}

impl network::HostNetwork for Guarded<'_> {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        refuse!(self.using("wasi:sockets/network", "[resource-drop]network"));
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

impl instance_network::Host for Guarded<'_> {
    /// A handle that opens nothing: whatever is asked for with it is refused.
    fn instance_network(&mut self) -> wasmtime::Result<Resource<Network>> {
        self.allows(Operation::Socket("network"))?;
        noted!(
            self,
            "wasi:sockets/instance-network instance-network",
            (),
            instance_network::Host::instance_network(&mut self.sockets())
        )
    }
}

impl tcp_create_socket::Host for Guarded<'_> {
    fn create_tcp_socket(&mut self, _family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        noted!(self, "wasi:sockets/tcp-create-socket create-tcp-socket", (), Err(self.refuse_socket("TCP socket")))
    }
}

impl udp_create_socket::Host for Guarded<'_> {
    async fn create_udp_socket(&mut self, _family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        noted!(self, "wasi:sockets/udp-create-socket create-udp-socket", (), Err(self.refuse_socket("UDP socket")))
    }
}

impl ip_name_lookup::Host for Guarded<'_> {
    fn resolve_addresses(
        &mut self,
        _network: Resource<Network>,
        _name: String,
    ) -> SocketResult<Resource<ip_name_lookup::ResolveAddressStream>> {
        noted!(self, "wasi:sockets/ip-name-lookup resolve-addresses", (), Err(self.refuse_socket("look-up of a name")))
    }
}

impl ip_name_lookup::HostResolveAddressStream for Guarded<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        refuse!(self.using("wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.resolve-next-address"));
        self.sockets().resolve_next_address(stream)
    }

    fn subscribe(
        &mut self,
        stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<wasmtime_wasi::p2::DynPollable>> {
        refuse!(self.using("wasi:sockets/ip-name-lookup", "[method]resolve-address-stream.subscribe"));
        ip_name_lookup::HostResolveAddressStream::subscribe(&mut self.sockets(), stream)
    }

    fn drop(&mut self, stream: Resource<ip_name_lookup::ResolveAddressStream>) -> wasmtime::Result<()> {
        refuse!(self.using("wasi:sockets/ip-name-lookup", "[resource-drop]resolve-address-stream"));
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets(), stream)
    }
}

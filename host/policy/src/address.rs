//! What an IP address is, before anything is sent to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of network that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// Reachable on the internet.
    Public,
    /// This machine: 127.0.0.0/8 and ::1.
    Loopback,
    /// A private network: RFC 1918 and RFC 4193.
    Private,
    /// Link-local: 169.254.0.0/16 (cloud metadata services among them) and fe80::/10.
    LinkLocal,
    /// Carrier-grade NAT: 100.64.0.0/10, RFC 6598.
    SharedNat,
    /// Multicast and broadcast.
    Multicast,
    /// Unspecified, documentation, benchmarking, reserved or otherwise not to be sent to.
    Special,
}

/// Tells what kind of address it is. An IPv4 address inside an IPv6 one is judged as what it is inside: mapped, compatible,
/// 6to4 (RFC 3056), Teredo (RFC 4380) and NAT64 (RFC 6052).
pub fn classify(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressKind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => AddressKind::Loopback,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => AddressKind::Private,
        (169, 254, _) => AddressKind::LinkLocal,
        (100, 64..=127, _) => AddressKind::SharedNat,
        (224..=239, ..) => AddressKind::Multicast,
        (255, 255, 255) if address.is_broadcast() => AddressKind::Multicast,
        (0 | 240..=255, ..) | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => {
            AddressKind::Special
        }
        _ => AddressKind::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressKind {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (s0, s1) {
        _ if address.is_loopback() => AddressKind::Loopback,
        _ if address.is_unspecified() => AddressKind::Special,
        // ::a.b.c.d and ::ffff:a.b.c.d
        (0, 0) if [s2, s3, s4] == [0; 3] && (s5 == 0 || s5 == 0xffff) => classify_v4(v4(s6, s7)),
        // 64:ff9b::a.b.c.d, and the local-use 64:ff9b:1::/48
        (0x64, 0xff9b) if [s2, s3, s4, s5] == [0; 4] => classify_v4(v4(s6, s7)),
        (0x64, 0xff9b) => AddressKind::Private,
        (0x2002, _) => classify_v4(v4(s1, s2)),
        (0x2001, 0) => classify_v4(v4(!s6, !s7)),
        (0xfc00..=0xfdff, _) => AddressKind::Private,
        (0xfe80..=0xfebf, _) => AddressKind::LinkLocal,
        (0xfec0..=0xfeff, _) => AddressKind::Private,
        (0xff00..=0xffff, _) => AddressKind::Multicast,
        (0x2001, 0xdb8) | (0x3fff, _) => AddressKind::Special,
        (0x2000..=0x3fff, _) => AddressKind::Public,
        _ => AddressKind::Special,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        use AddressKind::*;
        for (text, kind) in [
            ("93.184.216.34", Public),
            ("127.0.0.1", Loopback),
            ("127.255.0.3", Loopback),
            ("10.1.2.3", Private),
            ("172.31.255.1", Private),
            ("172.32.0.1", Public),
            ("192.168.0.1", Private),
            ("169.254.169.254", LinkLocal),
            ("100.64.0.1", SharedNat),
            ("100.128.0.1", Public),
            ("224.0.0.1", Multicast),
            ("255.255.255.255", Multicast),
            ("0.0.0.0", Special),
            ("240.0.0.1", Special),
            ("198.18.0.1", Special),
            ("::1", Loopback),
            ("::", Special),
            ("::ffff:127.0.0.1", Loopback),
            ("::127.0.0.1", Loopback),
            ("::ffff:169.254.169.254", LinkLocal),
            ("64:ff9b::10.0.0.1", Private),
            ("2002:7f00:1::", Loopback),
            ("2001:0:0:0:0:0:80ff:fffe", Loopback),
            ("fd00::1", Private),
            ("fe80::1", LinkLocal),
            ("ff02::1", Multicast),
            ("2606:2800:220:1::1", Public),
            ("2001:db8::1", Special),
        ] {
            assert_eq!(classify(text.parse().unwrap()), kind, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_address_is_judged_alike_in_every_ipv6_form(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            prop_assume!(!v4.is_unspecified() && bits != 1);
            let kind = classify(v4.into());
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for v6 in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 0),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
            ] {
                prop_assert_eq!(classify(v6.into()), kind, "{} as {}", v4, v6);
            }
        }
    }
}

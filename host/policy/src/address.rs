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
    /// Metadata services of clouds at addresses that are none of the above by their number: Azure's 168.63.129.16, Alibaba's
    /// 100.100.100.200, and those of AWS and Google by IPv6.
    Metadata,
    /// Multicast and broadcast.
    Multicast,
    /// Unspecified, documentation, benchmarking, reserved or otherwise not to be sent to.
    Special,
}

impl AddressKind {
    /// How little it is to be reached: the internet, then networks that an operator may name, then what nobody may.
    const fn strictness(self) -> u8 {
        match self {
            Self::Public => 0,
            Self::Loopback | Self::Private | Self::SharedNat => 1,
            Self::LinkLocal | Self::Metadata | Self::Multicast | Self::Special => 2,
        }
    }

    /// The one that is to be reached less; this one where both are alike.
    const fn or_stricter(self, other: Self) -> Self {
        if other.strictness() > self.strictness() { other } else { self }
    }
}

/// Tells what kind of address it is. An IPv4 address inside an IPv6 one is judged as what it is inside: mapped, compatible,
/// 6to4 (RFC 3056), Teredo (RFC 4380), NAT64 (RFC 6052, RFC 8215) and ISATAP (RFC 5214).
pub fn classify(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressKind {
    let [a, b, c, d] = address.octets();
    match (a, b, c) {
        (168, 63, 129) if d == 16 => AddressKind::Metadata,
        (100, 100, 100) if d == 200 => AddressKind::Metadata,
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
    let v4 = |high: u16, low: u16| classify_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    let kind = match (s0, s1) {
        _ if address.is_loopback() => AddressKind::Loopback,
        _ if address.is_unspecified() => AddressKind::Special,
        // ::a.b.c.d and ::ffff:a.b.c.d
        (0, 0) if [s2, s3, s4] == [0; 3] && (s5 == 0 || s5 == 0xffff) => v4(s6, s7),
        // 64:ff9b::a.b.c.d
        (0x64, 0xff9b) if [s2, s3, s4, s5] == [0; 4] => v4(s6, s7),
        // 64:ff9b:1::/48 is for private use; the IPv4 address stands at its end, or, around the byte of zeros that comes 8
        // bytes in, directly after the prefix.
        (0x64, 0xff9b) if s2 == 1 => {
            let after_prefix = if [s3, s4, s5] == [0; 3] { v4(s6, s7) } else { v4(s3, (s4 << 8) | (s5 >> 8)) };
            AddressKind::Private.or_stricter(v4(s6, s7)).or_stricter(after_prefix)
        }
        (0x64, 0xff9b) => AddressKind::Special,
        (0x2002, _) => v4(s1, s2),
        (0x2001, 0) => v4(!s6, !s7),
        // Metadata services of AWS and Google.
        (0xfd00, 0x0ec2) if [s2, s3, s4, s5, s6] == [0; 5] && s7 == 0x254 => AddressKind::Metadata,
        (0xfd20, 0x00ce) if [s2, s3, s4, s5, s6] == [0; 5] && s7 == 0x254 => AddressKind::Metadata,
        (0xfc00..=0xfdff, _) => AddressKind::Private,
        (0xfe80..=0xfebf, _) => AddressKind::LinkLocal,
        (0xfec0..=0xfeff, _) => AddressKind::Private,
        (0xff00..=0xffff, _) => AddressKind::Multicast,
        // What IETF protocols took for themselves, documentation.
        (0x2001, 1..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => AddressKind::Special,
        (0x2000..=0x3fff, _) => AddressKind::Public,
        _ => AddressKind::Special,
    };
    // ISATAP: an interface of any network, `::5efe:a.b.c.d`, or `::200:5efe:a.b.c.d` for a public one.
    if s4 & !0x200 == 0 && s5 == 0x5efe { kind.or_stricter(v4(s6, s7)) } else { kind }
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
            ("3fff:fff::1", Special),
            ("2001:10::1", Special),
            ("100::1", Special),
            ("5f00::1", Special),
            ("::ffff:0:127.0.0.1", Special),
            ("fec0::1", Private),
            ("168.63.129.16", Metadata),
            ("168.63.129.17", Public),
            ("100.100.100.200", Metadata),
            ("::ffff:168.63.129.16", Metadata),
            ("fd00:ec2::254", Metadata),
            ("fd20:ce::254", Metadata),
            ("64:ff9b:1::8.8.8.8", Private),
            ("64:ff9b:1::169.254.169.254", LinkLocal),
            ("64:ff9b:1:a9fe:a9:fe00:808:808", LinkLocal),
            ("64:ff9b:2::8.8.8.8", Special),
            ("2606:2800:220:1:0:5efe:127.0.0.1", Loopback),
            ("2606:2800:220:1:200:5efe:10.0.0.1", Private),
            ("2606:2800:220:1:200:5efe:8.8.8.8", Public),
            ("fe80::5efe:10.0.0.1", LinkLocal),
            ("fd00::5efe:169.254.169.254", LinkLocal),
            ("2002:808:808::5efe:192.168.0.1", Private),
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
                Ipv6Addr::new(0x2606, 0x2800, 1, 2, 0, 0x5efe, high, low),
                Ipv6Addr::new(0x2606, 0x2800, 1, 2, 0x200, 0x5efe, high, low),
            ] {
                prop_assert_eq!(classify(v6.into()), kind, "{} as {}", v4, v6);
            }
            let local_nat64 = Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low);
            prop_assert_eq!(classify(local_nat64.into()), AddressKind::Private.or_stricter(kind));
        }
    }
}

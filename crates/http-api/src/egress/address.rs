//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Which addresses an API may be at: public ones, and what the configuration adds.
///
/// ```
/// use towline_http_api::egress::{AddressKind, AddressRules};
///
/// let rules = AddressRules::default();
/// assert_eq!(rules.check("93.184.216.34".parse().unwrap()), Ok(()));
/// assert_eq!(rules.check("::ffff:127.0.0.1".parse().unwrap()), Err(AddressKind::Loopback));
/// ```
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    /// Lets loopback, private, shared (carrier-grade NAT), unique-local and link-local addresses pass, except those of
    /// cloud metadata services. Default: false.
    pub allow_private_networks: bool,
    /// Networks that pass whatever they are. Default: none.
    pub allowed_networks: Vec<IpNet>,
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressKind {
    /// `0.0.0.0/8`, `::`.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`, `fc00::/7`, `fec0::/10`, `64:ff9b:1::/48`.
    Private,
    /// `100.64.0.0/10`, behind carrier-grade NAT.
    Shared,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// Where clouds tell virtual machines their secrets.
    Metadata,
    /// `224.0.0.0/4`, `ff00::/8`, and the broadcast address.
    Multicast,
    /// For examples in documents, and for benchmarks.
    Documentation,
    /// Reserved for something else than hosts of the Internet.
    Reserved,
    /// IPv4-compatible, 6to4 or Teredo: another address within the address.
    Tunnelled,
}

impl AddressKind {
    /// What it is, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared (carrier-grade NAT)",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Reserved => "reserved",
            Self::Tunnelled => "tunnelled",
        }
    }

    /// Whether `allow_private_networks` lets it pass.
    const fn is_of_private_networks(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared | Self::LinkLocal)
    }
}

impl AddressRules {
    /// Whether the address may be connected to.
    ///
    /// # Errors
    ///
    /// What kind of address it is, when it may not.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressKind> {
        let Some(kind) = kind(address) else { return Ok(()) };
        let meant = carried(address).map_or(address, IpAddr::V4);
        let is_listed =
            self.allowed_networks.iter().any(|net| net.contains(&meant) || net.contains(&address));
        let passes = is_listed || (self.allow_private_networks && kind.is_of_private_networks());
        if passes { Ok(()) } else { Err(kind) }
    }
}

/// What is special about an address; `None` of one on the public Internet.
fn kind(address: IpAddr) -> Option<AddressKind> {
    match (address, carried(address)) {
        (IpAddr::V4(address), _) | (_, Some(address)) => kind_v4(address),
        (IpAddr::V6(address), None) => kind_v6(address),
    }
}

/// The IPv4 address that an IPv6 address stands for where a gateway or the system itself translates it: mapped
/// (`::ffff:a.b.c.d`), translated (`::ffff:0:a.b.c.d`) and NAT64's well-known prefix (`64:ff9b::a.b.c.d`).
fn carried(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let prefix = address.to_bits() >> 32;
    let translates = [0xffff, 0xffff_0000, 0x0064_ff9b_u128 << 64].contains(&prefix);
    translates.then(|| Ipv4Addr::from_bits(address.to_bits() as u32))
}

/// Sources: the IANA IPv4 special-purpose registry, and the clouds' documentation of their metadata services.
fn kind_v4(address: Ipv4Addr) -> Option<AddressKind> {
    use AddressKind as K;
    Some(match address.octets() {
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [100, 100, 100, 200] | [192, 0, 0, 192] => {
            K::Metadata
        }
        [168, 63, 129, 16] => K::Metadata,
        [0, ..] => K::Unspecified,
        [127, ..] => K::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => K::Private,
        [100, 64..=127, ..] => K::Shared,
        [169, 254, ..] => K::LinkLocal,
        [224..=239, ..] | [255, 255, 255, 255] => K::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] => K::Documentation,
        [192, 0, 0, _] | [240..=255, ..] => K::Reserved,
        [192, 88, 99, _] => K::Tunnelled,
        _ => return None,
    })
}

/// Source: the IANA IPv6 special-purpose registry.
fn kind_v6(address: Ipv6Addr) -> Option<AddressKind> {
    use AddressKind as K;
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => K::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => K::Loopback,
        [0, 0, 0, 0, 0, 0, ..] => K::Tunnelled, // IPv4-compatible
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => K::Metadata,
        [0x0064, 0xff9b, 1, ..] | [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => K::Private,
        [0xfe80..=0xfebf, ..] => K::LinkLocal,
        [0xff00..=0xffff, ..] => K::Multicast,
        [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] | [0x2001, 0x0002, 0, ..] => K::Documentation,
        [0x2001, 0, ..] | [0x2002, ..] => K::Tunnelled, // Teredo, 6to4
        [0x2001, 0..=0x01ff, ..] => K::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => K::Reserved,
    })
}

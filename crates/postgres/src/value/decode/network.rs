//! Addresses.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Decoded, Reader, Undecodable, array};

/// Family, bits, whether it is a `cidr`, length, address.
pub(super) fn inet(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let family = reader.u8()?;
    let bits = reader.u8()?;
    let is_cidr = reader.u8()? != 0;
    let len = usize::from(reader.u8()?);
    let address = reader.take(len)?;
    reader.end()?;
    out.push(b'"');
    // PostgreSQL numbers its families itself: 2 and 3.
    let full = match family {
        2 => {
            write!(out, "{}", Ipv4Addr::from(array::<4>(address)?)).map_err(|_| Undecodable)?;
            32
        }
        3 => {
            write!(out, "{}", Ipv6Addr::from(array::<16>(address)?)).map_err(|_| Undecodable)?;
            128
        }
        _ => return Err(Undecodable),
    };
    if is_cidr || bits != full {
        write!(out, "/{bits}").map_err(|_| Undecodable)?;
    }
    out.push(b'"');
    Ok(())
}

pub(super) fn mac(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    if !matches!(raw.len(), 6 | 8) {
        return Err(Undecodable);
    }
    for (at, byte) in raw.iter().enumerate() {
        let before = if at == 0 { '"' } else { ':' };
        write!(out, "{before}{byte:02x}").map_err(|_| Undecodable)?;
    }
    out.push(b'"');
    Ok(())
}

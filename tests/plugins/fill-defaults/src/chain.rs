//! Finding the expression that failed: `order.customer.address.country`, where `customer` has no `address`.

/// A chain of names, split where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// What holds the object that lacks something: `order.customer`.
    pub owner: String,
    /// What it lacks: `address`.
    pub missing: String,
    /// What was asked of that: `country`.
    pub read: String,
}

/// The name that an engine says was read of nothing: `country` of
/// `Cannot read properties of undefined (reading 'country')`, or of `cannot read property 'country' of undefined`.
pub fn read_name(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("reading '").or_else(|| message.split_once("read property '"))?;
    let name = rest.split('\'').next()?;
    is_name(name).then_some(name)
}

/// The chain in this line that ends in `.read`. Of several, the one that stands nearest to `column`, counted in bytes from 1.
pub fn find(line: &str, read: &str, column: Option<u32>) -> Option<Chain> {
    let suffix = format!(".{read}");
    line.match_indices(&suffix)
        .filter(|(at, _)| !line.get(at + suffix.len()..).unwrap_or_default().starts_with(is_name_part))
        .filter_map(|(at, _)| split(line.get(..at)?, read).map(|chain| (at, chain)))
        .min_by_key(|(at, _)| column.map_or(0, |column| at.abs_diff(column as usize)))
        .map(|(_, chain)| chain)
}

/// The chain at the end of this text, as `owner.missing`.
fn split(text: &str, read: &str) -> Option<Chain> {
    let start = text.rfind(|c: char| !is_name_part(c) && c != '.').map_or(0, |at| at + 1);
    // A character before the chain may be longer than a byte; then the chain is none that this plugin knows.
    let (owner, missing) = text.get(start..)?.rsplit_once('.')?;
    (owner.split('.').all(is_name) && is_name(missing)).then(|| Chain {
        owner: owner.into(),
        missing: missing.into(),
        read: read.into(),
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| is_name_part(c) && !c.is_ascii_digit()) && text.chars().all(is_name_part)
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(owner: &str, missing: &str, read: &str) -> Option<Chain> {
        Some(Chain { owner: owner.into(), missing: missing.into(), read: read.into() })
    }

    #[test]
    fn the_name_is_read_out_of_the_messages_of_both_engines() {
        assert_eq!(read_name("Cannot read properties of undefined (reading 'country')"), Some("country"));
        assert_eq!(read_name("TypeError: cannot read property 'zip' of undefined"), Some("zip"));
        assert_eq!(read_name("x is not a function"), None);
        assert_eq!(read_name("Cannot read properties of undefined (reading '0')"), None);
    }

    #[test]
    fn the_chain_is_split_where_it_failed() {
        let line = "  const rate = RATES.get(order.customer.address.country);";
        assert_eq!(find(line, "country", None), chain("order.customer", "address", "country"));
        assert_eq!(find("return a.b.c + d.e.c;", "c", Some(17)), chain("d", "e", "c"));
        assert_eq!(find("return a.b.cent + a.b.c", "c", None), chain("a", "b", "c"));
    }

    #[test]
    fn what_is_no_chain_of_names_is_left_alone() {
        for line in ["return address.country;", "return list[0].country;", "f().a.country", "ä.b.country", ""] {
            assert_eq!(find(line, "country", None), None, "{line}");
        }
    }
}

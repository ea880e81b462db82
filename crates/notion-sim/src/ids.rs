//! Ids that look like Notion's, made in a fixed sequence so that runs of a test are alike.

/// A source of ids.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// SplitMix64.
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A UUIDv4 with dashes.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// A property id before it is percent-encoded: four characters, some of which need encoding (2).
    pub(crate) fn property(&mut self) -> String {
        const ALPHABET: &[u8] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:;<>@[]`{|}~^=?\\";
        let mut n = self.number();
        let mut id = String::with_capacity(4);
        for _ in 0..4 {
            let at = usize::try_from(n % ALPHABET.len() as u64).unwrap_or(0);
            id.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'x')));
            n /= ALPHABET.len() as u64;
        }
        id
    }
}

/// The dashed lower-case form of an id given with or without dashes; `None` if it is no UUID.
pub(crate) fn parse_uuid(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    let dashed = text.len() == 36
        && [8, 13, 18, 23].iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
    if hex.len() != 32
        || !hex.chars().all(|c| c.is_ascii_hexdigit())
        || !(dashed || text.len() == 32)
    {
        return None;
    }
    let hex = hex.to_ascii_lowercase();
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    Some(format!("{a}-{b}-{c}-{d}-{e}"))
}

/// The id in an address such as `https://app.notion.com/p/Title-<32 hex>#<32 hex>`: that of the fragment if there is
/// one, else of the path.
pub(crate) fn uuid_of_url(url: &str) -> Option<String> {
    let last = url.rsplit(['#', '/']).find(|part| !part.is_empty())?;
    let last = last.split('?').next()?;
    parse_uuid(last).or_else(|| {
        let tail = last.len().checked_sub(32)?;
        parse_uuid(last.get(tail..)?)
    })
}

/// An id without its dashes, as in addresses.
pub(crate) fn plain(id: &str) -> String {
    id.replace('-', "")
}

/// Percent-encodes everything but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes percent-encoding; what is not validly encoded stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, pair) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_accepted_with_and_without_dashes() {
        let id = Ids::new(1).uuid();
        assert_eq!(parse_uuid(&id), Some(id.clone()));
        assert_eq!(parse_uuid(&plain(&id)), Some(id.clone()));
        assert_eq!(parse_uuid("1234"), None);
        assert_eq!(
            uuid_of_url(&format!("https://app.notion.com/p/Some-Title-{}", plain(&id))),
            Some(id.clone())
        );
        assert_eq!(uuid_of_url(&format!("https://www.notion.so/{}?pvs=4", plain(&id))), Some(id));
    }

    #[test]
    fn percent_encoding_round_trips() {
        assert_eq!(encode("f\\:p"), "f%5C%3Ap");
        assert_eq!(decode("f%5C%3Ap"), "f\\:p");
        assert_eq!(decode("100%"), "100%");
    }
}

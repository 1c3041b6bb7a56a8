//! Small changes of an input: of its bytes, of its parameters, of its JSON.

use serde_json::{Value, json};

use crate::{message::Message, random::Random};

/// The longest part of an input.
const LONGEST: usize = 16 * 1024;

/// Values that parsers get wrong.
const AWKWARD: &[&str] = &[
    "",
    "0",
    "-1",
    "1",
    "00",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-0",
    "0.5",
    "NaN",
    "null",
    "true",
    "~",
    "*",
    "%",
    "%00",
    "%zz",
    "%f0%9f%92%a9",
    "%EF%BB%BF",
    "%0d%0aX:y",
    "\u{0}",
    "\u{7f}",
    "\u{e9}",
    "\u{1f600}",
    "\u{202e}",
    " ",
    "+",
    "&",
    "=",
    ";",
    ":",
    "/",
    "//",
    "..",
    "%2e%2e%2f",
    "%2F",
    "?",
    "#",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "<script>",
    "{{7*7}}",
    ",",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "0000-00-00",
    "+999999-01-01T00:00:00Z",
    "2026-02-30T25:61:61Z",
    "http://",
    "http://[::1",
    "https://evil.example/cb",
    "javascript:1",
];

/// Parts of a message that may be changed, and how often each is, as weights.
#[derive(Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) method: usize,
    pub(crate) uri: usize,
    pub(crate) headers: usize,
    pub(crate) body: usize,
}

/// What a mutation may use beside the input.
pub(crate) struct Material<'a> {
    pub(crate) words: &'a [&'a str],
    pub(crate) weights: Weights,
    /// Another input, to take a part of.
    pub(crate) other: &'a Message,
}

pub(crate) fn mutate(message: &mut Message, material: &Material<'_>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let weights = material.weights;
        let all = weights.method + weights.uri + weights.headers + weights.body;
        let mut drawn = random.below(all);
        let mut falls = |weight: usize| {
            let hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            hit
        };
        if falls(weights.method) {
            let methods = [
                "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW",
            ];
            let method = random.pick(&methods).copied().unwrap_or("GET");
            message.method = method.as_bytes().to_vec();
        } else if falls(weights.uri) {
            change(
                &mut message.uri,
                &material.other.uri,
                material.words,
                random,
            );
        } else if falls(weights.headers) {
            change_headers(message, material, random);
        } else {
            change(
                &mut message.body,
                &material.other.body,
                material.words,
                random,
            );
        }
    }
}

fn change_headers(message: &mut Message, material: &Material<'_>, random: &mut Random) {
    let others = &material.other.headers;
    if (message.headers.is_empty() || random.one_in(8))
        && let Some(header) = random.pick(others)
    {
        message.headers.push(header.clone());
        return;
    }
    let place = random.below(message.headers.len());
    if random.one_in(12) && place < message.headers.len() {
        message.headers.remove(place);
    } else if let Some((name, value)) = message.headers.get_mut(place) {
        let same = others.iter().find(|(other, _)| other == name);
        let other = same.map(|(_, value)| value.clone()).unwrap_or_default();
        change(value, &other, material.words, random);
        value.retain(|b| *b != b'\n');
    }
}

/// Changes a text by what it looks like.
pub(crate) fn change(text: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let is_json = matches!(text.first(), Some(b'{' | b'['));
    if is_json && !random.one_in(4) {
        if let Ok(mut value) = serde_json::from_slice::<Value>(text) {
            change_json(&mut value, words, random);
            *text = value.to_string().into_bytes();
        }
    } else if !is_json && text.contains(&b'=') && !random.one_in(3) {
        change_pairs(text, other, words, random);
    } else {
        change_bytes(text, other, words, random);
    }
    text.truncate(LONGEST);
}

fn word(words: &[&str], random: &mut Random) -> String {
    let list = if random.one_in(2) { AWKWARD } else { words };
    let word = random.pick(list).copied().unwrap_or_default();
    if random.one_in(60) {
        let times = 1 << random.below(12);
        return word.repeat(times);
    }
    word.to_owned()
}

fn change_bytes(text: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let at = random.below(text.len() + 1);
    let most = random_span(text.len() - at, random);
    let length = random.below(1 + most);
    let range = at..at + length;
    match random.below(7) {
        0 if at < text.len() => text[at] ^= 1 << random.below(8),
        1 => drop(text.drain(range)),
        2 => {
            let copy = text[range].to_vec();
            let place = random.below(text.len() + 1);
            text.splice(place..place, copy);
        }
        3 => drop(text.splice(range, word(words, random).into_bytes())),
        4 => text.truncate(at),
        5 if !other.is_empty() => {
            let from = random.below(other.len());
            text.splice(at.., other[from..].iter().copied());
        }
        _ => {
            let byte = u8::try_from(random.below(256)).unwrap_or_default();
            text.insert(at, byte);
        }
    }
}

/// Mostly short.
fn random_span(most: usize, random: &mut Random) -> usize {
    if random.one_in(4) { most } else { most.min(8) }
}

/// `name=value` pairs of a query or a form; what stands before a `?` stays.
fn change_pairs(text: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let after_path = |text: &[u8]| text.iter().position(|b| *b == b'?').map_or(0, |at| at + 1);
    let start = after_path(text);
    let pairs =
        |text: &[u8]| -> Vec<Vec<u8>> { text.split(|b| *b == b'&').map(<[u8]>::to_vec).collect() };
    let mut these = pairs(&text[start..]);
    let those = pairs(&other[after_path(other).min(other.len())..]);
    let at = random.below(these.len());
    match random.below(6) {
        0 => drop(these.remove(at)),
        1 => these.push(these[at].clone()),
        2 => these.extend(random.pick(&those).cloned()),
        3 => {
            let name = random.pick(words).copied().unwrap_or_default();
            these.push(format!("{name}={}", word(words, random)).into_bytes());
        }
        _ => {
            let name = these[at].split(|b| *b == b'=').next().unwrap_or_default();
            these[at] = [name, b"=", word(words, random).as_bytes()].concat();
        }
    }
    text.truncate(start);
    text.extend(these.join(&b'&'));
}

fn change_json(value: &mut Value, words: &[&str], random: &mut Random) {
    let deeper = !random.one_in(5);
    match value {
        Value::Object(members) if deeper && !members.is_empty() => {
            let at = random.below(members.len());
            let name = members.keys().nth(at).cloned().unwrap_or_default();
            match random.below(10) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(word(words, random), json_word(words, random))),
                _ => {
                    if let Some(member) = members.get_mut(&name) {
                        change_json(member, words, random);
                    }
                }
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change_json(&mut items[at], words, random),
            }
        }
        Value::Number(number) if random.one_in(2) => {
            let number = number.as_u64().unwrap_or(1);
            let next = [
                number.wrapping_add(1),
                number.wrapping_sub(1),
                number << 1,
                !number,
            ];
            *value = json!(random.pick(&next));
        }
        _ => *value = json_word(words, random),
    }
}

fn json_word(words: &[&str], random: &mut Random) -> Value {
    match random.below(10) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2 => json!({}),
        3 => json!([]),
        4 => json!(u64::MAX >> random.below(64)),
        5 => json!(i64::MIN >> random.below(63)),
        6 => json!(random.pick(&[0.0, 0.5, -1.5, 1e300, 5e-324])),
        7 => {
            let text = word(words, random);
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        _ => Value::String(word(words, random)),
    }
}

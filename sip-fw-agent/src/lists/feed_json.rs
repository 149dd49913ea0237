//! The addresses in a JSON feed, read without building the document: its size in memory would be the sender's choice.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Takes each text of a JSON array of texts, or of every such array right in an object. `take` gets None for an element
/// that is no text, and says whether to go on.
///
/// # Errors
///
/// What is wrong with the JSON and where, or that there is no array in it, or that `take` wanted no more.
pub fn each(bytes: &[u8], take: impl FnMut(Option<&str>) -> bool) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Top { take }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// The whole document.
struct Top<F> {
    take: F,
}

/// A value of the object; returns whether it was an array.
struct Value<'a, F>(&'a mut F);

/// An element of an array; returns whether to go on.
struct Element<'a, F>(&'a mut F);

impl<'de, F: FnMut(Option<&str>) -> bool> DeserializeSeed<'de> for Top<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Option<&str>) -> bool> Visitor<'de> for Top<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of addresses, or an object with such an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, seq: A) -> Result<(), A::Error> {
        elements(seq, &mut self.take)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut has_array = false;
        while map.next_key::<IgnoredAny>()?.is_some() {
            has_array |= map.next_value_seed(Value(&mut self.take))?;
        }
        if has_array { Ok(()) } else { Err(A::Error::custom("the object has no array of addresses")) }
    }
}

impl<'de, F: FnMut(Option<&str>) -> bool> DeserializeSeed<'de> for Value<'_, F> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Option<&str>) -> bool> Visitor<'de> for Value<'_, F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        elements(seq, self.0).map(|()| true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

impl<'de, F: FnMut(Option<&str>) -> bool> DeserializeSeed<'de> for Element<'_, F> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Option<&str>) -> bool> Visitor<'de> for Element<'_, F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(self.0(Some(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.0(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.0(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(self.0(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(self.0(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(self.0(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(self.0(None))
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(self.0(None))
    }
}

fn elements<'de, A: SeqAccess<'de>>(mut seq: A, take: &mut impl FnMut(Option<&str>) -> bool) -> Result<(), A::Error> {
    while let Some(goes_on) = seq.next_element_seed(Element(&mut *take))? {
        if !goes_on {
            return Err(A::Error::custom("more entries than allowed"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(json: &str) -> Result<Vec<Option<String>>, String> {
        let mut all = Vec::new();
        each(json.as_bytes(), |text| {
            all.push(text.map(str::to_owned));
            all.len() < 5
        })
        .map(|()| all)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn arrays_and_objects() {
        let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
        for (json, expected) in [
            (r#"["a","\u0062"]"#, some(&["a", "b"])),
            ("[]", vec![]),
            (r#"["a",1,-1,1.5,null,{"x":["y"]}]"#, vec![]),
            (r#"["a",1,[["b"]]]"#, vec![Some("a".to_owned()), None, None]),
            (r#"{"ipaddress":["1.2.3.4"],"ID":"123"}"#, some(&["1.2.3.4"])),
            (r#"{"v":1,"f":-1.5,"t":true,"n":null,"o":{"x":["no"]},"4":["a"],"6":["b"]}"#, some(&["a", "b"])),
        ] {
            if expected.is_empty() && json != "[]" {
                assert!(taken(json).unwrap_err().starts_with("more entries than allowed"), "{json}");
            } else {
                assert_eq!(taken(json).unwrap(), expected, "{json}");
            }
        }
        for wrong in ["", "3", "\"a\"", "[\"a\"", "[\"a\"] x", r#"{"ID":"1"}"#, "<html>", "{\"a\":[}"] {
            assert!(taken(wrong).is_err(), "{wrong}");
        }
        assert!(taken(&"[".repeat(100_000)).is_err(), "deep nesting ends in an error");
    }
}

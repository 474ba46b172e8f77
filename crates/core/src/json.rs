//! JSON text that is known to be valid.

use bytestring::ByteString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{BoxError, Error};

/// JSON text that is known to be valid, often a slice of the request's own bytes. A clone is a refcount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(ByteString);

impl RawJson {
    /// `{}`.
    pub const EMPTY_OBJECT: Self = Self(ByteString::from_static("{}"));

    /// Serialises a value.
    ///
    /// # Errors
    ///
    /// When the value has no JSON form, such as a map whose keys are no strings.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        serde_json::to_string(value).map(|text| Self(text.into())).map_err(Error::internal)
    }

    /// Takes text that may be any JSON.
    ///
    /// # Errors
    ///
    /// When the text is not JSON.
    pub fn from_text(text: impl Into<ByteString>) -> Result<Self, BoxError> {
        let text = text.into();
        serde_json::from_str::<&RawValue>(&text)?;
        Ok(Self(text))
    }

    /// Takes text that a parser or a serialiser of ours has made or checked.
    pub(crate) const fn trusted(text: ByteString) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> ByteString {
        self.0.clone()
    }

    /// Parses the text.
    ///
    /// # Errors
    ///
    /// When the text is not what `T` expects; the message says where.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(String::from(Box::<str>::from(raw)).into()))
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

//! Dead properties: what clients say about a file or folder, kept with it (RFC 4918, 4.2).

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::json::{self, JsonError};
use super::store::StoreError;
use super::xml::{Element, Name, XmlError};
use crate::dav::path::FilePath;
use crate::problem::{Code, Problem};

/// The most properties that a file or folder has.
pub(crate) const MOST_PROPERTIES: usize = 64;
/// How long all of them are together, as XML, in bytes.
pub(crate) const LONGEST_PROPERTIES_BYTES: usize = 16 * 1024;
/// The most changes in one request.
pub(super) const MOST_CHANGES: usize = 64;
/// How long all of them are together, as XML, in bytes.
const LONGEST_CHANGES_BYTES: usize = 64 * 1024;
/// The longest changes of a request in JSON, in bytes: JSON may write each byte of the XML as two.
pub(super) const LONGEST_WRITTEN_CHANGES_BYTES: usize =
    2 * LONGEST_CHANGES_BYTES + 32 * MOST_CHANGES;

/// The name of a property.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyName(pub(super) Name);

/// A property and its value: an element, which is kept as its XML. That XML is not longer than
/// `LONGEST_PROPERTIES_BYTES` and is read as the same element again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadProperty {
    name: Name,
    xml: String,
}

/// Why an element is no property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// Longer than `LONGEST_PROPERTIES_BYTES`.
    #[error("a property has at most {LONGEST_PROPERTIES_BYTES} bytes, written as XML")]
    Long,
    /// Its XML is not read.
    #[error("a property is not XML: {0}")]
    Xml(XmlError),
    /// It is as large as can be read, and something is added to keep it, such as the language of
    /// the element around it.
    #[error("a property cannot be kept with the language and the namespaces that apply to it: {0}")]
    Kept(XmlError),
}

/// A change of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "WrittenChange")]
pub enum PropertyChange {
    /// The property gets this value.
    Set(DeadProperty),
    /// The property is removed.
    Remove(PropertyName),
}

/// A change as it stands in JSON: the XML of the property, whose value does not count where it is
/// removed.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenChange {
    Set(String),
    Remove(String),
}

/// The changes that one request makes, in their order: at least one, at most `MOST_CHANGES`, and
/// none of a property of WebDAV itself, which only the server sets (RFC 4918, 15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PropertyChanges(Vec<PropertyChange>);

/// Why changes are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangesError {
    /// They are not the JSON that was expected.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// There is none.
    #[error("the request sets and removes no property")]
    Nothing,
    /// Too many.
    #[error("a request changes at most {MOST_CHANGES} properties")]
    Many,
    /// Too long.
    #[error(
        "what a request sets and removes has at most {LONGEST_CHANGES_BYTES} bytes, written as XML"
    )]
    Long,
    /// A property of WebDAV itself is among them.
    #[error("properties of the namespace DAV: are set by the server only: leave them out")]
    Protected,
    /// One of the properties is invalid.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

/// The properties of a file or folder, each once, within the bounds of `MOST_PROPERTIES` and
/// `LONGEST_PROPERTIES_BYTES`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<Name, DeadProperty>);

impl DeadProperty {
    /// From an element.
    ///
    /// # Errors
    /// [`PropertyError`].
    pub(super) fn new(element: &Element) -> Result<Self, PropertyError> {
        let mut xml = String::new();
        element.write(&mut xml);
        if xml.len() > LONGEST_PROPERTIES_BYTES {
            return Err(PropertyError::Long);
        }
        Element::parse(xml.as_bytes()).map_err(PropertyError::Kept)?;
        let name = element.name.clone();
        Ok(Self { name, xml })
    }

    /// From its XML.
    ///
    /// # Errors
    /// [`PropertyError`].
    fn read(xml: &str) -> Result<Self, PropertyError> {
        Self::new(&element(xml)?)
    }

    /// The name of the property.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// The property, as XML that means the same wherever it stands.
    pub(super) fn as_xml(&self) -> &str {
        &self.xml
    }
}

/// Reads what is not too long for a property.
fn element(xml: &str) -> Result<Element, PropertyError> {
    if xml.len() > LONGEST_PROPERTIES_BYTES {
        return Err(PropertyError::Long);
    }
    Element::parse(xml.as_bytes()).map_err(PropertyError::Xml)
}

impl PropertyName {
    fn to_xml(&self) -> String {
        let mut xml = String::new();
        self.0.write_empty(&mut xml);
        xml
    }
}

impl TryFrom<WrittenChange> for PropertyChange {
    type Error = PropertyError;

    fn try_from(written: WrittenChange) -> Result<Self, PropertyError> {
        Ok(match written {
            WrittenChange::Set(xml) => Self::Set(DeadProperty::read(&xml)?),
            WrittenChange::Remove(xml) => Self::Remove(PropertyName(element(&xml)?.name)),
        })
    }
}

impl PropertyChange {
    /// The name of the property that it changes.
    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Set(property) => property.name(),
            Self::Remove(PropertyName(name)) => name,
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Set(property) => property.as_xml().len(),
            Self::Remove(name) => name.to_xml().len(),
        }
    }
}

impl PropertyChanges {
    /// From a list of [`PropertyChange`] in JSON.
    ///
    /// # Errors
    /// [`ChangesError`].
    pub fn from_json(json: &[u8]) -> Result<Self, ChangesError> {
        let form = "a list of {\"set\": XML} and {\"remove\": XML}";
        let written: Vec<WrittenChange> = json::read(json, form)?;
        // Before any XML is read.
        if written.len() > MOST_CHANGES {
            return Err(ChangesError::Many);
        }
        let changes: Result<Vec<_>, _> =
            written.into_iter().map(PropertyChange::try_from).collect();
        changes?.try_into()
    }
}

impl TryFrom<Vec<PropertyChange>> for PropertyChanges {
    type Error = ChangesError;

    fn try_from(changes: Vec<PropertyChange>) -> Result<Self, ChangesError> {
        if changes.is_empty() {
            return Err(ChangesError::Nothing);
        }
        if changes.len() > MOST_CHANGES {
            return Err(ChangesError::Many);
        }
        if changes.iter().any(|change| change.name().is_of_dav()) {
            return Err(ChangesError::Protected);
        }
        if changes.iter().map(PropertyChange::length).sum::<usize>() > LONGEST_CHANGES_BYTES {
            return Err(ChangesError::Long);
        }
        Ok(Self(changes))
    }
}

impl ChangesError {
    const fn code(self) -> Code {
        match self {
            Self::Protected => Code::ProtectedProperty,
            Self::Long | Self::Property(PropertyError::Long) => Code::TooManyProperties,
            Self::Json(_) | Self::Nothing | Self::Many | Self::Property(_) => Code::Malformed,
        }
    }
}

impl From<ChangesError> for Problem {
    fn from(error: ChangesError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl Properties {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &DeadProperty> {
        self.0.values()
    }

    /// The one of this name.
    pub(super) fn of(&self, name: &Name) -> Option<&DeadProperty> {
        self.0.get(name)
    }

    /// How long all of them are together, as XML, in bytes.
    pub(super) fn length(&self) -> usize {
        self.iter().map(|property| property.xml.len()).sum()
    }

    /// Makes changes, in their order.
    ///
    /// # Errors
    /// [`StoreError::Properties`]: there would be too many.
    pub fn apply(&mut self, PropertyChanges(changes): PropertyChanges) -> Result<(), StoreError> {
        for change in changes {
            match change {
                PropertyChange::Set(property) => {
                    self.0.insert(property.name.clone(), property);
                }
                PropertyChange::Remove(PropertyName(name)) => {
                    self.0.remove(&name);
                }
            }
        }
        self.bounded()
    }

    /// Whether there are not too many.
    fn bounded(&self) -> Result<(), StoreError> {
        if self.0.len() > MOST_PROPERTIES || self.length() > LONGEST_PROPERTIES_BYTES {
            return Err(StoreError::Properties);
        }
        Ok(())
    }

    /// From the XML of each. An invalid one is left out, and `unread` is told why.
    fn read(texts: &[String], unread: impl Fn(PropertyError)) -> Result<Self, StoreError> {
        // Before any XML is read.
        let bytes: usize = texts.iter().map(String::len).sum();
        if texts.len() > MOST_PROPERTIES || bytes > LONGEST_PROPERTIES_BYTES {
            return Err(StoreError::Properties);
        }
        let mut properties = Self::default();
        for text in texts {
            match DeadProperty::read(text) {
                Ok(property) => {
                    properties.0.insert(property.name.clone(), property);
                }
                Err(error) => unread(error),
            }
        }
        properties.bounded()?;
        Ok(properties)
    }

    /// As it is kept.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// From what was kept of `path`. What cannot be read counts as none: it is dropped with the
    /// next change, and does not hide the rest.
    pub(super) fn from_bytes(kept: &[u8], path: &FilePath) -> Self {
        let texts: Vec<String> = match serde_json::from_slice(kept) {
            Ok(texts) => texts,
            Err(error) => {
                tracing::warn!(%path, %error, "kept properties cannot be read and count as none");
                return Self::default();
            }
        };
        let unread = |error| {
            tracing::warn!(%path, %error, "a kept property cannot be read and counts as none");
        };
        Self::read(&texts, unread).unwrap_or_else(|error| {
            tracing::warn!(%path, %error, "too many properties are kept and count as none");
            Self::default()
        })
    }

    /// For kept properties that are too long: they count as none.
    pub(super) fn too_long(path: &FilePath) -> Self {
        tracing::warn!(%path, "kept properties are too long and count as none");
        Self::default()
    }
}

/// As a list of their XML.
impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// From another party, within the same bounds. Invalid ones are left out.
impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts: Vec<String> = Vec::deserialize(deserializer)?;
        Self::read(&texts, |_| {}).map_err(D::Error::custom)
    }
}

/// As its XML.
impl Serialize for DeadProperty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.xml)
    }
}

/// As an element without content.
impl Serialize for PropertyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_xml())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(changes: &serde_json::Value) -> Result<PropertyChanges, ChangesError> {
        PropertyChanges::from_json(changes.to_string().as_bytes())
    }

    fn set(xml: &str) -> serde_json::Value {
        serde_json::json!({"set": xml})
    }

    fn nowhere() -> FilePath {
        FilePath::root()
    }

    #[test]
    fn changes_are_made_in_their_order_and_within_bounds() {
        let mut properties = Properties::default();
        let made = changes(&serde_json::json!([
            {"set": "<a xmlns='u'>1</a>"},
            {"remove": "<a xmlns='u'>x</a>"},
            {"set": "<a>2</a>"},
            {"set": "<a>3</a>"},
        ]));
        properties.apply(made.unwrap()).unwrap();
        let kept = properties.to_bytes().unwrap();
        assert_eq!(kept, br#"["<a xmlns=\"\">3</a>"]"#);
        assert_eq!(Properties::from_bytes(&kept, &nowhere()), properties);
        let many: Vec<_> = (0..MOST_PROPERTIES)
            .map(|n| set(&format!("<b{n}/>")))
            .collect();
        let many = changes(&many.into()).unwrap();
        assert!(properties.clone().apply(many).is_err());
        let half = "x".repeat(LONGEST_PROPERTIES_BYTES / 2);
        let long = [
            set(&format!("<c>{half}</c>")),
            set(&format!("<d>{half}</d>")),
        ];
        let long = changes(&long.to_vec().into()).unwrap();
        assert!(properties.apply(long).is_err());
    }

    #[test]
    fn changes_that_no_request_may_make_are_refused_with_the_reason() {
        let long = "x".repeat(LONGEST_PROPERTIES_BYTES);
        let some = "x".repeat(LONGEST_PROPERTIES_BYTES - 64);
        let many: Vec<_> = vec![set("<a/>"); MOST_CHANGES + 1];
        let much: Vec<_> = vec![set(&format!("<a>{some}</a>")); 5];
        for (wrong, why) in [
            (serde_json::json!([]), ChangesError::Nothing),
            (many.into(), ChangesError::Many),
            (much.into(), ChangesError::Long),
            (
                serde_json::json!([{"set": "<getetag xmlns='DAV:'/>"}]),
                ChangesError::Protected,
            ),
            (
                serde_json::json!([{"remove": "<a xmlns='DAV:'/>"}]),
                ChangesError::Protected,
            ),
            (
                serde_json::json!([{"set": format!("<a>{long}</a>")}]),
                PropertyError::Long.into(),
            ),
            (
                serde_json::json!([{"remove": format!("<a>{long}</a>")}]),
                PropertyError::Long.into(),
            ),
            (
                serde_json::json!([{"set": "<a></b>"}]),
                PropertyError::Xml(XmlError::EndTag).into(),
            ),
        ] {
            assert_eq!(changes(&wrong), Err(why));
        }
        assert!(matches!(
            PropertyChanges::from_json(b"[{\"keep\":\"<a/>\"}]"),
            Err(ChangesError::Json(JsonError::Form { .. }))
        ));
    }

    #[test]
    fn kept_properties_are_read_again() {
        let attributes: String = (0..32).map(|number| format!(" a{number}=''")).collect();
        let element = Element::parse(format!("<x{attributes}/>").as_bytes()).unwrap();
        assert!(DeadProperty::new(&element).is_ok());
        let inherits = element.within_language(Some("de"));
        assert_eq!(
            DeadProperty::new(&inherits),
            Err(PropertyError::Kept(XmlError::Attributes))
        );
    }

    #[test]
    fn an_unreadable_property_counts_as_none_and_the_rest_stays() {
        let attributes: String = (0..33).map(|number| format!(" a{number}=''")).collect();
        let kept = serde_json::json!(["<a>1</a>", format!("<x{attributes}/>"), "<b"]);
        let kept = kept.to_string();
        let read = Properties::from_bytes(kept.as_bytes(), &nowhere());
        assert_eq!(read.to_bytes().unwrap(), br#"["<a xmlns=\"\">1</a>"]"#);
        // By the word of another party as well.
        assert_eq!(serde_json::from_str::<Properties>(&kept).unwrap(), read);
        for lost in ["", "[1]", "{}"] {
            assert!(Properties::from_bytes(lost.as_bytes(), &nowhere()).is_empty());
        }
        let long = serde_json::json!(["<a>".to_owned() + &"x".repeat(LONGEST_PROPERTIES_BYTES)]);
        assert!(Properties::from_bytes(long.to_string().as_bytes(), &nowhere()).is_empty());
        assert!(serde_json::from_value::<Properties>(long).is_err());
        let many = serde_json::json!(vec!["<a/>"; MOST_PROPERTIES + 1]);
        assert!(serde_json::from_value::<Properties>(many).is_err());
    }
}

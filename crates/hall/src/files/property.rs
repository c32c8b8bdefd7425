//! Dead properties: what others say of a file or folder, kept with it (RFC 4918, 4.2).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::store::StoreError;
use super::xml::{Element, Name};

/// The most properties that a file or folder has.
pub(crate) const MOST_PROPERTIES: usize = 64;
/// How long all of them are together, as XML, in bytes.
pub(crate) const LONGEST_PROPERTIES: usize = 16 * 1024;

/// What a property is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyName(pub(super) Name);

/// A property and its value: an element, which stands in JSON as its XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadProperty(pub(super) Element);

/// A change of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyChange {
    /// It has this value from now on.
    Set(DeadProperty),
    /// It is there no more.
    Remove(PropertyName),
}

/// The properties of a file or folder, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(Vec<DeadProperty>);

impl DeadProperty {
    /// What it is called.
    pub(super) fn name(&self) -> &Name {
        &self.0.name
    }

    fn to_xml(&self) -> String {
        let mut xml = String::new();
        self.0.write(&mut xml);
        xml
    }
}

impl Properties {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &DeadProperty> {
        self.0.iter()
    }

    /// Makes changes, in their order.
    ///
    /// # Errors
    /// [`StoreError::Properties`]: there would be too many.
    pub fn apply(&mut self, changes: Vec<PropertyChange>) -> Result<(), StoreError> {
        for change in changes {
            let (name, new) = match change {
                PropertyChange::Set(property) => (property.name().clone(), Some(property)),
                PropertyChange::Remove(PropertyName(name)) => (name, None),
            };
            self.0.retain(|property| *property.name() != name);
            self.0.extend(new);
        }
        self.bounded()
    }

    /// Whether there are not too many.
    fn bounded(&self) -> Result<(), StoreError> {
        let bytes: usize = self.0.iter().map(|property| property.to_xml().len()).sum();
        if self.0.len() > MOST_PROPERTIES || bytes > LONGEST_PROPERTIES {
            return Err(StoreError::Properties);
        }
        Ok(())
    }

    /// As it is kept.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// From what was kept.
    pub(super) fn from_bytes(kept: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(kept).map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// From another party, within the same bounds.
    pub(super) fn within_bounds(self) -> Option<Self> {
        self.bounded().is_ok().then_some(self)
    }
}

impl Serialize for DeadProperty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_xml())
    }
}

impl<'de> Deserialize<'de> for DeadProperty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let xml = String::deserialize(deserializer)?;
        let element = Element::parse(xml.as_bytes()).map_err(D::Error::custom)?;
        Ok(Self(element))
    }
}

/// As an element without content.
impl Serialize for PropertyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut xml = String::new();
        self.0.write_empty(&mut xml);
        serializer.serialize_str(&xml)
    }
}

impl<'de> Deserialize<'de> for PropertyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(DeadProperty::deserialize(deserializer)?.0.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(xml: &str) -> PropertyChange {
        PropertyChange::Set(DeadProperty(Element::parse(xml.as_bytes()).unwrap()))
    }

    #[test]
    fn changes_are_made_in_their_order_and_within_bounds() {
        let mut properties = Properties::default();
        let remove = serde_json::from_str(r#"{"remove":"<a xmlns='u'/>"}"#).unwrap();
        let changes = vec![
            set("<a xmlns='u'>1</a>"),
            remove,
            set("<a>2</a>"),
            set("<a>3</a>"),
        ];
        properties.apply(changes).unwrap();
        let kept = properties.to_bytes().unwrap();
        assert_eq!(kept, br#"["<a xmlns=\"\">3</a>"]"#);
        assert_eq!(Properties::from_bytes(&kept).unwrap(), properties);
        let many = (0..MOST_PROPERTIES)
            .map(|n| set(&format!("<b{n}/>")))
            .collect();
        assert!(properties.clone().apply(many).is_err());
        let long = format!("<c>{}</c>", "x".repeat(LONGEST_PROPERTIES));
        assert!(properties.apply(vec![set(&long)]).is_err());
    }
}

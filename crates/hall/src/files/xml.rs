//! XML as WebDAV uses it: read as a whole within bounds, and written anew, so that nothing of what
//! others wrote is passed on that was not understood.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use quick_xml::NsReader;
use quick_xml::errors::IllFormedError;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};

/// The longest document, in bytes.
pub(super) const LONGEST_DOCUMENT_BYTES: usize = 64 * 1024;
/// How deep elements may be nested.
const DEEPEST_ELEMENT: usize = 32;
/// The most elements, attributes and declarations of namespaces together, and the most attributes
/// of one element. With [`LONGEST_DOCUMENT_BYTES`] they bound the memory: each namespace is held
/// once.
const MOST_PARTS: usize = 1024;
const MOST_ATTRIBUTES: usize = 32;
/// The longest name of a namespace, and the longest name in one, in bytes.
const LONGEST_NAME_BYTES: usize = 256;
/// The longest name as written, with references to characters, in bytes.
const LONGEST_WRITTEN_NAME_BYTES: usize = 16 * LONGEST_NAME_BYTES;

/// The namespace of WebDAV.
pub(super) const DAV: &str = "DAV:";
/// The namespace that is always bound to `xml`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace that is always bound to `xmlns`.
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// The name of an element or attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Empty for none.
    pub(super) namespace: Arc<str>,
    pub(super) local: String,
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: Name,
    attributes: Vec<(Name, String)>,
    content: Vec<Content>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Element(Element),
    Text(String),
}

/// Why something is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The end of something that was begun is missing.
    #[error("it ends in the middle of a tag, a comment or a section")]
    Cut,
    /// Invalid markup.
    #[error("it has a '<!' or '<?' that begins no known markup")]
    Markup,
    /// An end tag of another element, or of none.
    #[error("an end tag does not close the element that is open")]
    EndTag,
    /// A reference that does not end.
    #[error("a reference to an entity or a character has no ';'")]
    Reference,
    /// A declaration of another version (XML 1.0, 2.8).
    #[error("its declaration does not say version 1.0 or 1.1")]
    Declaration,
    /// An invalid attribute (XML 1.0, 3.1).
    #[error("an attribute is there twice or is not written NAME=\"VALUE\"")]
    Attribute,
    /// Bytes that are not text in UTF-8.
    #[error("it is not in UTF-8")]
    Encoding,
    /// A document type, which could define entities that do harm.
    #[error("it has a document type")]
    DocumentType,
    /// An entity or a character that does not exist.
    #[error("it has an entity that is not defined")]
    Entity,
    /// A prefix that is not declared (Namespaces in XML 1.0, 5).
    #[error("a prefix has no namespace")]
    Prefix,
    /// A forbidden use of `xml` or `xmlns` (Namespaces in XML 1.0, 3).
    #[error("a prefix or an element has a namespace that XML reserves")]
    Reserved,
    /// An invalid name, or two attributes of one name.
    #[error("a name is invalid, or an attribute is there twice")]
    Name,
    /// A name that is too long.
    #[error("a name or a namespace has more than {LONGEST_NAME_BYTES} bytes")]
    LongName,
    /// A character that XML can't have (XML 1.0, 2.2).
    #[error("it has a character that cannot be in XML")]
    Character,
    /// No element, or more than one.
    #[error("it is not one element")]
    Root,
    /// Too many bytes.
    #[error("it has more than {LONGEST_DOCUMENT_BYTES} bytes")]
    Long,
    /// Too deep.
    #[error("its elements are nested more than {DEEPEST_ELEMENT} deep")]
    Deep,
    /// Too many parts.
    #[error("it has more than {MOST_PARTS} elements, attributes and namespaces")]
    Parts,
    /// Too many attributes.
    #[error("an element has more than {MOST_ATTRIBUTES} attributes")]
    Attributes,
}

impl From<quick_xml::Error> for XmlError {
    fn from(error: quick_xml::Error) -> Self {
        use quick_xml::Error;
        use quick_xml::errors::SyntaxError;
        use quick_xml::name::NamespaceError;

        match error {
            // Bytes in memory are read without errors, except at their end.
            Error::Io(_) => Self::Cut,
            Error::Syntax(SyntaxError::InvalidBangMarkup) => Self::Markup,
            Error::Syntax(_) => Self::Cut,
            Error::IllFormed(IllFormedError::UnclosedReference) => Self::Reference,
            Error::IllFormed(
                IllFormedError::MissingDeclVersion(_) | IllFormedError::UnknownVersion,
            ) => Self::Declaration,
            Error::IllFormed(IllFormedError::MissingDoctypeName) => Self::DocumentType,
            Error::IllFormed(IllFormedError::DoubleHyphenInComment) => Self::Markup,
            Error::IllFormed(
                IllFormedError::MissingEndTag(_)
                | IllFormedError::UnmatchedEndTag(_)
                | IllFormedError::MismatchedEndTag { .. },
            ) => Self::EndTag,
            Error::InvalidAttr(_) => Self::Attribute,
            Error::Encoding(_) => Self::Encoding,
            Error::Escape(_) => Self::Entity,
            Error::Namespace(NamespaceError::UnknownPrefix(_)) => Self::Prefix,
            Error::Namespace(NamespaceError::TooManyDeclarations(_)) => Self::Parts,
            Error::Namespace(_) => Self::Reserved,
        }
    }
}

/// The namespaces that were read of a document, and the number of its parts.
#[derive(Default)]
struct Reading {
    /// Each namespace once.
    namespaces: BTreeSet<Arc<str>>,
    parts: usize,
}

impl Reading {
    /// One more element, attribute or declaration.
    fn part(&mut self) -> Result<(), XmlError> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(XmlError::Parts);
        }
        Ok(())
    }

    fn name(&mut self, namespace: &ResolveResult<'_>, local: &[u8]) -> Result<Name, XmlError> {
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => {
                if namespace.0.len() > LONGEST_WRITTEN_NAME_BYTES {
                    return Err(XmlError::LongName);
                }
                let text = std::str::from_utf8(namespace.0).map_err(|_| XmlError::Encoding)?;
                let text = unescape(text).map_err(|_| XmlError::Entity)?;
                self.namespace(&text)?
            }
            ResolveResult::Unbound => self.namespace("")?,
            ResolveResult::Unknown(_) => return Err(XmlError::Prefix),
        };
        if local.len() > LONGEST_NAME_BYTES {
            return Err(XmlError::LongName);
        }
        let local = String::from_utf8(local.to_vec()).map_err(|_| XmlError::Encoding)?;
        if !is_name(&local) {
            return Err(XmlError::Name);
        }
        Ok(Name { namespace, local })
    }

    fn namespace(&mut self, name: &str) -> Result<Arc<str>, XmlError> {
        if let Some(known) = self.namespaces.get(name) {
            return Ok(Arc::clone(known));
        }
        if name.len() > LONGEST_NAME_BYTES {
            return Err(XmlError::LongName);
        }
        if !is_text(name) {
            return Err(XmlError::Character);
        }
        let new: Arc<str> = Arc::from(name);
        self.namespaces.insert(Arc::clone(&new));
        Ok(new)
    }
}

impl Name {
    /// Whether it is `local` in the namespace of WebDAV.
    pub(super) fn is_dav(&self, local: &str) -> bool {
        self.is_of_dav() && self.local == local
    }

    /// Whether it is in the namespace of WebDAV.
    pub(super) fn is_of_dav(&self) -> bool {
        &*self.namespace == DAV
    }

    /// An element of this name without content.
    pub(super) fn write_empty(&self, out: &mut String) {
        self.open(DAV, out);
        out.push_str("/>");
    }

    /// The beginning of a start tag below an element whose default namespace is `around`.
    fn open(&self, around: &str, out: &mut String) {
        out.push('<');
        out.push_str(&self.local);
        // In answers DAV: has the prefix D, and no default namespace is declared.
        if around != &*self.namespace || around == DAV {
            out.push_str(" xmlns=\"");
            escape(&self.namespace, out);
            out.push('"');
        }
    }
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// [`XmlError`].
    pub(super) fn parse(document: &[u8]) -> Result<Self, XmlError> {
        if document.len() > LONGEST_DOCUMENT_BYTES {
            return Err(XmlError::Long);
        }
        let document = utf8(document)?;
        let mut reader = NsReader::from_reader(&*document);
        let mut buffer = Vec::new();
        let (mut open, mut root): (Vec<Self>, Option<Self>) = (Vec::new(), None);
        let mut reading = Reading::default();
        loop {
            buffer.clear();
            let event = reader.read_event_into(&mut buffer)?;
            let done = match &event {
                Event::Start(start) | Event::Empty(start) => {
                    if open.len() == DEEPEST_ELEMENT {
                        return Err(XmlError::Deep);
                    }
                    if open.is_empty() && root.is_some() {
                        return Err(XmlError::Root);
                    }
                    let element = Self::started(start, reader.resolver(), &mut reading)?;
                    if matches!(event, Event::Start(_)) {
                        open.push(element);
                        continue;
                    }
                    element
                }
                Event::End(_) => open.pop().ok_or(XmlError::Root)?,
                Event::Text(text) => {
                    let text = text.xml10_content().map_err(|_| XmlError::Character)?;
                    add_text(&mut open, &text)?;
                    continue;
                }
                Event::CData(text) => {
                    let text = text.xml10_content().map_err(|_| XmlError::Character)?;
                    add_text(&mut open, &text)?;
                    continue;
                }
                Event::GeneralRef(reference) => {
                    let text = match reference.resolve_char_ref()? {
                        Some(character) => character.to_string(),
                        None => {
                            let name = reference.decode().map_err(|_| XmlError::Entity)?;
                            let known = resolve_predefined_entity(&name);
                            known.ok_or(XmlError::Entity)?.to_owned()
                        }
                    };
                    add_text(&mut open, &text)?;
                    continue;
                }
                // Entities that a document defines for itself are of no use here except to do harm.
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
                Event::Eof => break,
            };
            match open.last_mut() {
                Some(parent) => parent.content.push(Content::Element(done)),
                None => root = Some(done),
            }
        }
        if !open.is_empty() {
            return Err(XmlError::Root);
        }
        root.ok_or(XmlError::Root)
    }

    fn started(
        start: &BytesStart<'_>,
        scope: &NamespaceResolver,
        reading: &mut Reading,
    ) -> Result<Self, XmlError> {
        reading.part()?;
        let (namespace, local) = scope.resolve_element(start.name());
        let name = reading.name(&namespace, local.as_ref())?;
        // No prefix may be declared for these, and no element may be in them (Namespaces in XML
        // 1.0, 3).
        if matches!(&*name.namespace, XML | XMLNS) {
            return Err(XmlError::Reserved);
        }
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            reading.part()?;
            let attribute = attribute.map_err(|_| XmlError::Attribute)?;
            let value = std::str::from_utf8(&attribute.value).map_err(|_| XmlError::Character)?;
            let value = unescape(value).map_err(|_| XmlError::Entity)?.into_owned();
            let key = attribute.key;
            if key.as_namespace_binding().is_some() {
                // A prefix can't be bound to an empty name (Namespaces in XML 1.0, 5).
                if value.is_empty() && key.prefix().is_some() {
                    return Err(XmlError::Prefix);
                }
                continue;
            }
            let (namespace, local) = scope.resolve_attribute(key);
            let name = reading.name(&namespace, local.as_ref())?;
            // Two prefixes may be one namespace (Namespaces in XML 1.0, 6.3).
            if attributes.iter().any(|(other, _)| *other == name) {
                return Err(XmlError::Name);
            }
            attributes.push((name, checked(value)?));
            if attributes.len() > MOST_ATTRIBUTES {
                return Err(XmlError::Attributes);
            }
        }
        Ok(Self {
            name,
            attributes,
            content: Vec::new(),
        })
    }

    /// The elements in it.
    pub(super) fn children(&self) -> impl Iterator<Item = &Self> {
        self.content.iter().filter_map(|content| match content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        })
    }

    /// `xml:lang`.
    pub(super) fn language(&self) -> Option<&str> {
        let is_language = |name: &Name| &*name.namespace == XML && name.local == "lang";
        let found = self.attributes.iter().find(|(name, _)| is_language(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The element with the language that holds where it stands, unless it says its own.
    pub(super) fn within_language(mut self, language: Option<&str>) -> Self {
        if let Some(language) = language.filter(|_| self.language().is_none()) {
            let name = Name {
                namespace: Arc::from(XML),
                local: "lang".to_owned(),
            };
            self.attributes.push((name, language.to_owned()));
        }
        self
    }

    /// As XML that means the same wherever it stands.
    pub(super) fn write(&self, out: &mut String) {
        self.write_below(DAV, out);
    }

    fn write_below(&self, around: &str, out: &mut String) {
        self.name.open(around, out);
        for (number, (name, value)) in self.attributes.iter().enumerate() {
            let prefix = match &*name.namespace {
                "" => String::new(),
                XML => "xml:".to_owned(),
                namespace => {
                    out.push_str(&format!(" xmlns:a{number}=\""));
                    escape(namespace, out);
                    out.push('"');
                    format!("a{number}:")
                }
            };
            out.push_str(&format!(" {prefix}{}=\"", name.local));
            escape(value, out);
            out.push('"');
        }
        if self.content.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for content in &self.content {
            match content {
                Content::Element(element) => element.write_below(&self.name.namespace, out),
                Content::Text(text) => escape(text, out),
            }
        }
        out.push_str("</");
        out.push_str(&self.name.local);
        out.push('>');
    }
}

/// A document in UTF-8. One in UTF-16 begins with its byte order mark (XML 1.0, 4.3.3).
fn utf8(document: &[u8]) -> Result<Cow<'_, [u8]>, XmlError> {
    let (read, units): (fn([u8; 2]) -> u16, _) = match document {
        [0xfe, 0xff, units @ ..] => (u16::from_be_bytes, units),
        [0xff, 0xfe, units @ ..] => (u16::from_le_bytes, units),
        _ => return Ok(Cow::Borrowed(document)),
    };
    let (units, rest) = units.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().copied().map(read)).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text.into_bytes())),
        _ => Err(XmlError::Character),
    }
}

/// Adds text to the innermost element. Outside of the root there may only be white space.
fn add_text(open: &mut [Element], text: &str) -> Result<(), XmlError> {
    let Some(parent) = open.last_mut() else {
        let blank = text.trim_start_matches('\u{feff}').trim().is_empty();
        return if blank { Ok(()) } else { Err(XmlError::Root) };
    };
    let text = checked(text.to_owned())?;
    match parent.content.last_mut() {
        Some(Content::Text(before)) => before.push_str(&text),
        _ => parent.content.push(Content::Text(text)),
    }
    Ok(())
}

/// Refuses what XML 1.0 does not take as a character (2.2).
fn checked(text: String) -> Result<String, XmlError> {
    if is_text(&text) {
        Ok(text)
    } else {
        Err(XmlError::Character)
    }
}

fn is_text(text: &str) -> bool {
    let allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
    };
    text.chars().all(allowed)
}

/// A name without a colon (XML 1.0, 2.3, and Namespaces in XML 1.0, 3), somewhat stricter beyond
/// ASCII. A name that clients could not read would keep them from reading the whole list.
fn is_name(name: &str) -> bool {
    let beyond_ascii = |c: char| {
        matches!(c, '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}'
            | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let known = |c: char| c.is_ascii() || beyond_ascii(c);
    let starts = |c: char| c == '_' || (c.is_alphabetic() && known(c));
    let goes_on =
        |c: char| starts(c) || (c.is_numeric() && known(c)) || matches!(c, '-' | '.' | '\u{b7}');
    name.starts_with(starts) && name.chars().all(goes_on)
}

/// Writes text so that it is read as the same, in content and between quotes.
pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;

//! A strict reader for small XML documents: the whole document or nothing.
//!
//! quick-xml finds the tokens; everything that it lets through and XML 1.0 forbids, or that a service answer has
//! no business with (DOCTYPE, processing instructions, entities of its own), is refused here.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

/// The largest answer that is looked at, in bytes. Real ones have some hundred.
pub const LARGEST_ANSWER: usize = 64 * 1024;
const DEEPEST: usize = 16;
const MOST_ELEMENTS: usize = 1024;
const MOST_ATTRIBUTES: usize = 16;

/// An element with its text and its child elements, in document order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The text directly in the element, without that of its children.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child of one of these names.
    pub(super) fn children_named<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(|child| names.contains(&child.name.as_str()))
    }

    /// Every child.
    pub(super) fn children(&self) -> &[Self] {
        &self.children
    }

    /// Whether it holds elements, and not text alone.
    pub(super) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }

    /// The text of the first child of this name.
    pub(super) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text)
    }
}

/// Why an answer cannot be read; a closed set, so that it can be a word in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Over 64 KiB.
    #[error("it is over 64 KiB")]
    TooLarge,
    /// Not UTF-8, or a declaration that says so.
    #[error("it is not UTF-8")]
    Encoding,
    /// Not well-formed XML.
    #[error("it is not well-formed XML")]
    Malformed,
    /// A DOCTYPE, a processing instruction or an entity that XML does not define.
    #[error("it holds a DOCTYPE, a processing instruction or an entity of its own")]
    Forbidden,
    /// Deeper, wider or with more elements than any answer has.
    #[error("it is deeper or wider than any answer")]
    TooComplex,
    /// Another root than `Response`.
    #[error("its root is not `Response`")]
    WrongRoot,
    /// A node that has to be there is missing, or its text is not what it has to be.
    #[error("its node `{0}` is missing or not what was asked about")]
    Node(&'static str),
}

/// The root element of the document in `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, Unreadable> {
    if bytes.len() > LARGEST_ANSWER {
        return Err(Unreadable::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    if !text.chars().all(is_xml_char) {
        return Err(Unreadable::Malformed);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut document = Document::default();
    loop {
        match reader.read_event().map_err(|_| Unreadable::Malformed)? {
            Event::Eof => return document.finish(),
            event => document.take(event)?,
        }
    }
}

#[derive(Default)]
struct Document {
    /// The elements that are open, the root first.
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    begun: bool,
}

impl Document {
    fn take(&mut self, event: Event<'_>) -> Result<(), Unreadable> {
        let first = !std::mem::replace(&mut self.begun, true);
        match event {
            Event::Decl(declaration) if first => utf8_declaration(&declaration),
            Event::Start(start) => self.open_element(&start),
            Event::Empty(start) => self.open_element(&start).and_then(|()| self.close_element()),
            Event::End(_) => self.close_element(),
            Event::Text(text) if text.contains("]]>") => Err(Unreadable::Malformed),
            Event::Text(text) => self.append(&text.xml10_content()),
            Event::CData(_) if self.open.is_empty() => Err(Unreadable::Malformed),
            Event::CData(data) => self.append(&data.xml10_content()),
            Event::GeneralRef(reference) => self.append_reference(&reference),
            Event::Comment(_) | Event::Eof => Ok(()),
            Event::DocType(_) | Event::PI(_) => Err(Unreadable::Forbidden),
            Event::Decl(_) => Err(Unreadable::Malformed),
        }
    }

    fn open_element(&mut self, start: &BytesStart<'_>) -> Result<(), Unreadable> {
        if self.root.is_some() {
            return Err(Unreadable::Malformed);
        }
        self.elements += 1;
        if self.open.len() >= DEEPEST || self.elements > MOST_ELEMENTS {
            return Err(Unreadable::TooComplex);
        }
        let name = start.name().into_inner();
        if !is_name(name) {
            return Err(Unreadable::Malformed);
        }
        // quick-xml looks at attributes only when they are walked.
        for (n, attribute) in start.attributes().enumerate() {
            attribute.map_err(|_| Unreadable::Malformed)?;
            if n >= MOST_ATTRIBUTES {
                return Err(Unreadable::TooComplex);
            }
        }
        self.open.push(Element { name: name.to_owned(), ..Element::default() });
        Ok(())
    }

    fn close_element(&mut self) -> Result<(), Unreadable> {
        let element = self.open.pop().ok_or(Unreadable::Malformed)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn append(&mut self, text: &str) -> Result<(), Unreadable> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(Unreadable::Malformed),
        }
        Ok(())
    }

    fn append_reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Unreadable> {
        let element = self.open.last_mut().ok_or(Unreadable::Malformed)?;
        match reference.resolve_char_ref().map_err(|_| Unreadable::Malformed)? {
            Some(c) if is_xml_char(c) => element.text.push(c),
            Some(_) => return Err(Unreadable::Malformed),
            None => element.text.push_str(resolve_predefined_entity(reference).ok_or(Unreadable::Forbidden)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, Unreadable> {
        if self.open.is_empty() { self.root.ok_or(Unreadable::Malformed) } else { Err(Unreadable::Malformed) }
    }
}

fn utf8_declaration(declaration: &BytesDecl<'_>) -> Result<(), Unreadable> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err(Unreadable::Encoding),
    }
}

/// The `Char` of XML 1.0 section 2.2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// The names that Cloud Infinite uses are a small part of what XML 1.0 section 2.3 allows.
fn is_name(name: &str) -> bool {
    let begins = |b: &u8| b.is_ascii_alphabetic() || *b == b'_';
    name.as_bytes().first().is_some_and(begins)
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> Unreadable {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn text_entities_and_cdata_are_read_and_unknown_nodes_kept() {
        let root = parse(b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' ?>\n<!-- c --><A x=\"1\"><B>a&lt;&#65;<![CDATA[<&]]></B><C/></A>\n").unwrap();
        assert_eq!((root.name(), root.child_text("B"), root.child_text("C")), ("A", Some("a<A<&"), Some("")));
    }

    #[test]
    fn a_stray_greater_than_is_text() {
        assert_eq!(parse(b"<T>2022+0800></T>").unwrap().text(), "2022+0800>");
    }

    #[test]
    fn documents_that_xml_forbids_are_malformed() {
        for text in [
            "<A>",
            "<A></B>",
            "</A>",
            "<A/><B/>",
            "<A/>junk",
            "junk<A/>",
            "<A/>&lt;",
            "<A/><![CDATA[]]>",
            "<A>]]></A>",
            "<A>\u{1}</A>",
            "<A>&#1;</A>",
            "<A>&#xFFFE;</A>",
            "<1A/>",
            "<A b=1/>",
            "<A b='1' b='2'/>",
            "<A b/>",
            "<A><!-- -- --></A>",
            "<CreateTime2022-08-09T16:23:11+0800></CreateTime>",
            "plain",
            "<",
            "<A",
            " <?xml version='1.0'?><A/>",
            "<A>&</A>",
        ] {
            assert_eq!(refused(text), Unreadable::Malformed, "{text}");
        }
    }

    #[test]
    fn doctypes_instructions_and_own_entities_are_forbidden() {
        for text in [
            "<!DOCTYPE A><A/>",
            "<!DOCTYPE A [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><A>&x;</A>",
            "<?php x ?><A/>",
            "<A>&nbsp;</A>",
            "<A>&lol9;</A>",
        ] {
            assert_eq!(refused(text), Unreadable::Forbidden, "{text}");
        }
    }

    #[test]
    fn other_encodings_than_utf8_are_refused() {
        assert_eq!(parse(b"<A>\xff</A>").unwrap_err(), Unreadable::Encoding);
        assert_eq!(parse(b"\xff\xfe<\0A\0/\0>\0").unwrap_err(), Unreadable::Encoding);
        assert_eq!(refused("<?xml version='1.0' encoding='gbk'?><A/>"), Unreadable::Encoding);
    }

    #[test]
    fn depth_width_and_size_are_bounded() {
        let nested = |n| format!("{}{}", "<A>".repeat(n), "</A>".repeat(n));
        assert!(parse(nested(16).as_bytes()).is_ok());
        assert_eq!(refused(&nested(17)), Unreadable::TooComplex);
        assert_eq!(refused(&format!("<A>{}</A>", "<B/>".repeat(1024))), Unreadable::TooComplex);
        let attributes: String = (0..17).map(|n| format!(" a{n}='1'")).collect();
        assert_eq!(refused(&format!("<A{attributes}/>")), Unreadable::TooComplex);
        assert_eq!(refused(&format!("<A>{}</A>", "x".repeat(65536))), Unreadable::TooLarge);
        assert_eq!((refused(""), refused(" \n")), (Unreadable::Empty, Unreadable::Empty));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _parsed = parse(&bytes);
        }

        #[test]
        fn no_markup_breaks_the_reader(text in "(<[A-Za-z/!?]{0,3}[ a-z='\">]{0,6}>?|&[#a-z0-9]{0,4};?|[a-z\\]\\[>]{0,4}){0,12}") {
            let _parsed = parse(text.as_bytes());
        }
    }
}

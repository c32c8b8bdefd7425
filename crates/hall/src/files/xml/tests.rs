use proptest::prelude::*;

use super::*;

fn again(document: &str) -> String {
    let element = Element::parse(document.as_bytes()).unwrap();
    let mut written = String::new();
    element.write(&mut written);
    let reread = Element::parse(written.as_bytes()).unwrap();
    assert_eq!(reread, element, "{written}");
    written
}

#[test]
fn written_xml_means_the_same() {
    assert_eq!(
        again(
            "<?xml version='1.0'?><t:a xmlns:t='u'><b xmlns='v' t:c=\"1\" d='2'/>x&#65536;</t:a>"
        ),
        "<a xmlns=\"u\"><b xmlns=\"v\" xmlns:a0=\"u\" a0:c=\"1\" d=\"2\"/>x\u{10000}</a>"
    );
    assert_eq!(
        again("<a xml:lang='de'>&lt;b/&gt;<![CDATA[<&]]>&amp;\r\n\ty</a>"),
        "<a xmlns=\"\" xml:lang=\"de\">&lt;b/&gt;&lt;&amp;&amp;&#10;&#9;y</a>"
    );
    assert_eq!(
        again("<D:a xmlns:D='DAV:'><D:b/></D:a>"),
        "<a xmlns=\"DAV:\"><b xmlns=\"DAV:\"/></a>"
    );
}

#[test]
fn utf16_is_read_as_utf8_is() {
    let document = "<?xml version='1.0' encoding='UTF-16'?><a b='ß'>\u{10000}é</a>";
    let expected = Element::parse(document.as_bytes()).unwrap();
    let units: Vec<u16> = "\u{feff}"
        .encode_utf16()
        .chain(document.encode_utf16())
        .collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    for mut encoded in [big, little] {
        assert_eq!(Element::parse(&encoded).unwrap(), expected);
        encoded.pop();
        assert_eq!(Element::parse(&encoded), Err(XmlError::Character));
    }
    // Half a surrogate pair.
    let half = [0xfe, 0xff, 0x00, b'<', 0xd8, 0x00, 0x00, b'>'];
    assert_eq!(Element::parse(&half), Err(XmlError::Character));
}

#[test]
fn malformed_documents_are_refused() {
    let deep = format!("{}{}", "<a>".repeat(33), "</a>".repeat(33));
    let wide = format!("<a>{}</a>", "<b/>".repeat(1024));
    let long = format!("<a>{}</a>", "x".repeat(LONGEST_DOCUMENT_BYTES));
    for wrong in [
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<p:a/>",
        "<a p:b=''/>",
        "<a xmlns:p=''/>",
        "<a:b:c xmlns:a='u'/>",
        "<a b='1' b='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<1a/>",
        "<a>&b;</a>",
        "<a>&#1;</a>",
        "<a>&#0;</a>",
        "<a>\u{1}</a>",
        "<!DOCTYPE a [<!ENTITY e 'e'>]><a>&e;</a>",
        // What strict readers refuse, and a whole list with it.
        "<xml:a/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<\u{aa}/>",
        "<a\u{b2}/>",
        &deep,
        &wide,
        &long,
    ] {
        assert!(Element::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_namespace_is_short_and_held_once() {
    let named = |namespace: &str, inside: &str| {
        Element::parse(format!("<a xmlns:p='{namespace}'>{inside}</a>").as_bytes())
    };
    let longest = "n".repeat(LONGEST_NAME_BYTES);
    let read = named(&longest, "<p:b p:c=''/><p:b/>").unwrap();
    let mut names = read.children().map(|child| &child.name.namespace);
    let (first, second) = (names.next().unwrap(), names.next().unwrap());
    assert!(Arc::ptr_eq(first, second));
    let wrong = [
        format!("{longest}n"),
        "&#110;".repeat(LONGEST_NAME_BYTES * 3),
    ];
    for wrong in wrong {
        assert_eq!(named(&wrong, "<p:b/>"), Err(XmlError::LongName));
    }
    let local = format!("<{longest}n/>");
    assert_eq!(named("u", &local), Err(XmlError::LongName));
    // Few elements, and many attributes.
    let attributes: String = (0..30).map(|number| format!(" p:a{number}=''")).collect();
    let many = format!("<b{attributes}/>").repeat(MOST_PARTS / 30 + 1);
    assert_eq!(named("u", &many), Err(XmlError::Parts));
}

#[test]
fn a_refusal_says_what_is_wrong_in_our_words() {
    for (wrong, why) in [
        (&b"<a"[..], XmlError::Cut),
        (b"<!-- <a/>", XmlError::Cut),
        (b"<!x><a/>", XmlError::Markup),
        (b"<a></b>", XmlError::EndTag),
        (b"<a>&amp</a>", XmlError::Reference),
        (b"<a b=c/>", XmlError::Attribute),
        (b"<a b='1' b='2'/>", XmlError::Attribute),
        (b"<a>&#xFFFFFFFFFF;</a>", XmlError::Entity),
        (b"<a xmlns:xml='x'/>", XmlError::Reserved),
        (b"<a xmlns:xmlns='x'/>", XmlError::Reserved),
    ] {
        assert_eq!(Element::parse(wrong), Err(why), "{}", wrong.escape_ascii());
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_and_read_again(
        text in "[a<>/='\":x&;# \\PC]{0,60}", value in "\\PC{0,20}",
    ) {
        let mut escaped = String::new();
        escape(&value, &mut escaped);
        for document in [text.clone(), format!("<a b='{escaped}'>{escaped}{text}</a>")] {
            if let Ok(element) = Element::parse(document.as_bytes()) {
                let mut written = String::new();
                element.write(&mut written);
                prop_assert_eq!(Element::parse(written.as_bytes()), Ok(element));
            }
        }
    }
}

//! Enums whose variants are words: one spelling for CBOR, JSON, the database and people.

/// Declares an enum with a word for each variant: `as_str`, `Display`, `FromStr` and serde agree.
///
/// ```
/// hallway_evidence::words! {
///     /// The state of a door.
///     Doorway {
///         /// People may enter.
///         Open = "open",
///         /// Nobody may enter.
///         Shut = "shut",
///     }
/// }
///
/// assert_eq!("open".parse(), Ok(Doorway::Open));
/// assert_eq!(Doorway::Shut.to_string(), "shut");
/// assert_eq!(Doorway::ALL.len(), 2);
/// ```
///
/// The crate that uses it needs serde with its derive macros.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that stands for the value everywhere.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownWord> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or($crate::UnknownWord)
            }
        }
    };
}

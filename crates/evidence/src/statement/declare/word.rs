//! Words as members of statements.

/// Like [`words!`](crate::words!), for an enum that is also a member of statements.
macro_rules! stated {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $crate::words! { $(#[$doc])* $name { $($(#[$variant_doc])* $variant = $word,)+ } }

        impl $crate::statement::declare::Member for $name {
            const SHAPE: $crate::statement::declare::Shape =
                $crate::statement::declare::Shape::Word(&[$($word),+]);

            fn put<'a>(
                &'a self,
                key: &'static str,
                fields: $crate::fields::Fields<'a>,
            ) -> $crate::fields::Fields<'a> {
                fields.with(key, self.as_str())
            }

            fn take(
                key: &'static str,
                fields: &mut $crate::fields::Fields<'_>,
            ) -> Result<Self, $crate::fields::DecodeError> {
                let word: &str = fields.take(key)?;
                word.parse().map_err(|_| $crate::fields::DecodeError::Value {
                    member: key,
                    reason: "is not one of the words that are known here",
                })
            }

            fn json<M: serde::ser::SerializeMap>(
                &self,
                key: &'static str,
                map: &mut M,
            ) -> Result<(), M::Error> {
                map.serialize_entry(key, self)
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                Self::ALL.to_vec()
            }
        }
    };
}

pub(crate) use stated;

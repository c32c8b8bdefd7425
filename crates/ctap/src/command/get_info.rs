//! authenticatorGetInfo (CTAP 2.3, section 6.4).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::entities::PUBLIC_KEY;
use crate::aaguid::Aaguid;
use crate::cbor::{Encode, List, Map, MapBuilder, ReadError, Value};

/// What an authenticator says about itself. Members that CTAP leaves optional are `Option`s, or
/// lists that are left out when empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// 0x01, such as `FIDO_2_1`.
    pub versions: Vec<String>,
    /// 0x02.
    pub extensions: Vec<String>,
    /// 0x03.
    pub aaguid: Aaguid,
    /// 0x04: option ids and their values; an absent option is not supported.
    pub options: Vec<(String, bool)>,
    /// 0x05, in bytes.
    pub max_message_size: Option<u64>,
    /// 0x06, in order of preference.
    pub pin_uv_auth_protocols: Vec<u64>,
    /// 0x07.
    pub max_credential_count_in_list: Option<u64>,
    /// 0x08, in bytes.
    pub max_credential_id_length: Option<u64>,
    /// 0x09.
    pub transports: Vec<String>,
    /// 0x0a: COSE algorithm identifiers, in order of preference.
    pub algorithms: Vec<i64>,
    /// 0x0b, in bytes.
    pub max_serialized_large_blob_array: Option<u64>,
    /// 0x0c.
    pub force_pin_change: Option<bool>,
    /// 0x0d, in code points.
    pub min_pin_length: Option<u64>,
    /// 0x0e.
    pub firmware_version: Option<u64>,
    /// 0x0f, in bytes.
    pub max_cred_blob_length: Option<u64>,
    /// 0x10.
    pub max_rp_ids_for_set_min_pin_length: Option<u64>,
    /// 0x11.
    pub preferred_platform_uv_attempts: Option<u64>,
    /// 0x12: bits of the FIDO registry's user verification methods.
    pub uv_modality: Option<u64>,
    /// 0x13: names of certifications and their levels.
    pub certifications: Vec<(String, u64)>,
    /// 0x14.
    pub remaining_discoverable_credentials: Option<u64>,
    /// 0x15: vendor prototype subcommands of authenticatorConfig.
    pub vendor_prototype_config_commands: Vec<u64>,
    /// 0x16: without `none`, which every authenticator has.
    pub attestation_formats: Vec<String>,
    /// 0x17.
    pub uv_count_since_last_pin_entry: Option<u64>,
    /// 0x18.
    pub long_touch_for_reset: Option<bool>,
    /// 0x19: iv and ciphertext of the device's identifier.
    pub enc_identifier: Option<Vec<u8>>,
    /// 0x1a.
    pub transports_for_reset: Vec<String>,
    /// 0x1b.
    pub pin_complexity_policy: Option<bool>,
    /// 0x1c: the URL of a page that explains the policy.
    pub pin_complexity_policy_url: Option<Vec<u8>>,
    /// 0x1d, in code points.
    pub max_pin_length: Option<u64>,
    /// 0x1e: iv and ciphertext of the credential store's state.
    pub enc_cred_store_state: Option<Vec<u8>>,
    /// 0x1f: subcommands of authenticatorConfig.
    pub config_commands: Vec<u64>,
}

/// The entries of a map with text keys. Entries with other keys or values belong to later
/// specifications and are ignored.
fn named<'a, T>(
    map: Option<Map<'a>>,
    read: impl Fn(Value<'a>) -> Result<T, ReadError>,
) -> Vec<(String, T)> {
    map.into_iter()
        .flat_map(|map| map.iter())
        .filter_map(|(name, value)| Some((name.text().ok()?.to_owned(), read(value).ok()?)))
        .collect()
}

fn some_list<T>(list: &[T]) -> Option<List<'_, T>> {
    (!list.is_empty()).then_some(List(list))
}

/// An `alg`/`type` pair of member 0x0a.
struct Parameter(i64);

impl Encode for Parameter {
    fn encode(&self, out: &mut Vec<u8>) {
        MapBuilder::new()
            .put("alg", self.0)
            .put("type", PUBLIC_KEY)
            .encode(out);
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}

impl Response {
    /// The value of an option; `None` where the authenticator does not support it.
    pub fn option(&self, id: &str) -> Option<bool> {
        self.options
            .iter()
            .find(|(name, _)| name == id)
            .map(|(_, value)| *value)
    }

    /// Whether there is a PIN that verifies the user at registration and sign-in: a PIN that only
    /// manages the key does not (CTAP 2.3, section 6.4, noMcGaPermissionsWithClientPin).
    pub fn pin_serves_ceremonies(&self) -> bool {
        self.option("clientPin") == Some(true)
            && self.option("noMcGaPermissionsWithClientPin") != Some(true)
    }

    /// Whether an extension is supported.
    pub fn has_extension(&self, id: &str) -> bool {
        self.extensions.iter().any(|name| name == id)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut options = MapBuilder::new();
        for (id, value) in &self.options {
            options.put(id.as_str(), *value);
        }
        let mut certifications = MapBuilder::new();
        for (id, level) in &self.certifications {
            certifications.put(id.as_str(), *level);
        }
        let algorithms: Vec<Parameter> = self.algorithms.iter().copied().map(Parameter).collect();
        MapBuilder::new()
            .put(0x01, List(&self.versions))
            .put_some(0x02, some_list(&self.extensions))
            .put(0x03, self.aaguid.0)
            .put_some(0x04, (!options.is_empty()).then_some(options))
            .put_some(0x05, self.max_message_size)
            .put_some(0x06, some_list(&self.pin_uv_auth_protocols))
            .put_some(0x07, self.max_credential_count_in_list)
            .put_some(0x08, self.max_credential_id_length)
            .put_some(0x09, some_list(&self.transports))
            .put_some(0x0a, some_list(&algorithms))
            .put_some(0x0b, self.max_serialized_large_blob_array)
            .put_some(0x0c, self.force_pin_change)
            .put_some(0x0d, self.min_pin_length)
            .put_some(0x0e, self.firmware_version)
            .put_some(0x0f, self.max_cred_blob_length)
            .put_some(0x10, self.max_rp_ids_for_set_min_pin_length)
            .put_some(0x11, self.preferred_platform_uv_attempts)
            .put_some(0x12, self.uv_modality)
            .put_some(0x13, (!certifications.is_empty()).then_some(certifications))
            .put_some(0x14, self.remaining_discoverable_credentials)
            .put_some(0x15, some_list(&self.vendor_prototype_config_commands))
            .put_some(0x16, some_list(&self.attestation_formats))
            .put_some(0x17, self.uv_count_since_last_pin_entry)
            .put_some(0x18, self.long_touch_for_reset)
            .put_some(0x19, self.enc_identifier.as_ref())
            .put_some(0x1a, some_list(&self.transports_for_reset))
            .put_some(0x1b, self.pin_complexity_policy)
            .put_some(0x1c, self.pin_complexity_policy_url.as_ref())
            .put_some(0x1d, self.max_pin_length)
            .put_some(0x1e, self.enc_cred_store_state.as_ref())
            .put_some(0x1f, some_list(&self.config_commands))
            .encode(out);
    }

    /// Reads the map that [`answer`](super::answer) split off. Algorithms whose type is not
    /// `public-key` are passed over.
    pub fn parse(map: &Map<'_>) -> Result<Self, ReadError> {
        let texts = |key: i64| -> Result<Vec<String>, ReadError> {
            let list = map.optional(key, Value::list)?;
            list.into_iter()
                .flat_map(|list| list.iter())
                .map(|value| Ok(value.text()?.to_owned()))
                .collect()
        };
        let numbers = |key: i64| -> Result<Vec<u64>, ReadError> {
            let list = map.optional(key, Value::list)?;
            list.into_iter()
                .flat_map(|list| list.iter())
                .map(Value::unsigned)
                .collect()
        };
        let number = |key: i64| map.optional(key, Value::unsigned);
        let flag = |key: i64| map.optional(key, Value::bool);
        let bytes = |key: i64| map.optional(key, |value| Ok(value.bytes()?.to_vec()));
        let options = named(map.optional(0x04, Value::map)?, Value::bool);
        let certifications = named(map.optional(0x13, Value::map)?, Value::unsigned);
        let mut algorithms = Vec::new();
        if let Some(list) = map.optional(0x0a, Value::list)? {
            for parameter in list.iter() {
                let parameter = parameter.map()?;
                if parameter.required("type")?.text()? == PUBLIC_KEY {
                    algorithms.push(parameter.required("alg")?.integer()?);
                }
            }
        }
        Ok(Self {
            versions: texts(0x01)?,
            extensions: texts(0x02)?,
            aaguid: Aaguid(*map.required(0x03)?.array()?),
            options,
            max_message_size: number(0x05)?,
            pin_uv_auth_protocols: numbers(0x06)?,
            max_credential_count_in_list: number(0x07)?,
            max_credential_id_length: number(0x08)?,
            transports: texts(0x09)?,
            algorithms,
            max_serialized_large_blob_array: number(0x0b)?,
            force_pin_change: flag(0x0c)?,
            min_pin_length: number(0x0d)?,
            firmware_version: number(0x0e)?,
            max_cred_blob_length: number(0x0f)?,
            max_rp_ids_for_set_min_pin_length: number(0x10)?,
            preferred_platform_uv_attempts: number(0x11)?,
            uv_modality: number(0x12)?,
            certifications,
            remaining_discoverable_credentials: number(0x14)?,
            vendor_prototype_config_commands: numbers(0x15)?,
            attestation_formats: texts(0x16)?,
            uv_count_since_last_pin_entry: number(0x17)?,
            long_touch_for_reset: flag(0x18)?,
            enc_identifier: bytes(0x19)?,
            transports_for_reset: texts(0x1a)?,
            pin_complexity_policy: flag(0x1b)?,
            pin_complexity_policy_url: bytes(0x1c)?,
            max_pin_length: number(0x1d)?,
            enc_cred_store_state: bytes(0x1e)?,
            config_commands: numbers(0x1f)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::{Form, check};

    #[test]
    fn what_is_said_survives_a_round_trip() {
        let info = Response {
            versions: alloc::vec!["FIDO_2_1".into(), "U2F_V2".into()],
            extensions: alloc::vec!["credProtect".into()],
            aaguid: Aaguid([5; 16]),
            options: alloc::vec![("rk".into(), true), ("clientPin".into(), false)],
            pin_uv_auth_protocols: alloc::vec![2, 1],
            algorithms: alloc::vec![-7, -8],
            min_pin_length: Some(4),
            certifications: alloc::vec![("FIDO".into(), 1)],
            pin_complexity_policy_url: Some(b"https://a.example/pin".into()),
            config_commands: alloc::vec![1, 2],
            ..Response::default()
        };
        let bytes =
            crate::command::Response::GetInfo(alloc::boxed::Box::new(info.clone())).encode();
        check(&bytes[1..], Form::Canonical).unwrap();
        let map = crate::command::answer(&bytes).unwrap().unwrap();
        let parsed = Response::parse(&map).unwrap();
        assert_eq!(parsed, info);
        assert_eq!(parsed.option("rk"), Some(true));
        assert_eq!(parsed.option("uv"), None);
    }

    #[test]
    fn what_is_of_a_later_specification_is_passed_over() {
        // {1: [], 3: aaguid, 4: {"rk": true, "new": 3, 7: true}, 10: [{"type": "other", "x": 1},
        // {"alg": -7, "type": "public-key", "more": []}], 99: 1.5, "text": null, h'': {}}
        let text = "a7 0180 03 50 05050505050505050505050505050505 04 a3 62726bf5 636e657703 07f5 \
             0a82 a2 6474797065656f74686572 617801 \
             a3 63616c6726 64747970656a7075626c69632d6b6579 646d6f726580 \
             1863f93e00 6474657874f6 40a0";
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        let map = Map::parse(&bytes, Form::Tolerant).unwrap();
        let parsed = Response::parse(&map).unwrap();
        assert_eq!(parsed.options, [("rk".into(), true)]);
        assert_eq!(parsed.algorithms, [-7]);
    }
}

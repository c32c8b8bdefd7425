//! Ceremonies made up here, right ones and wrong ones: every way in which a registration or an
//! assertion may be refused.
//!
//! | case | test |
//! |---|---|
//! | another origin that ends like ours | `registration::other_origins_types_and_challenges_are_refused`, `assertion::other_origins_types_and_bytes_are_refused` |
//! | a credential of another user | `assertion::another_credential_or_user_is_refused` |
//! | BS without BE | `backup_flags_must_make_sense_and_suit_the_policy`, `backup_flags_must_make_sense_and_stay` |
//! | trailing bytes after the CBOR, duplicate map keys | `registration::duplicate_keys_and_trailing_bytes_are_refused` |
//! | key and algorithm that differ | `registration::a_key_that_does_not_go_with_its_algorithm_is_refused`, `assertion::signatures_by_other_keys_and_keys_of_other_algorithms_are_refused`, `packed::another_key_or_algorithm_than_the_certificate_s_is_refused` |
//! | a counter that goes back | `assertion::a_counter_that_does_not_advance_is_refused_or_reported` |
//! | an expired or not yet valid chain | `chain::dates_are_judged_at_every_level_below_the_anchor` |
//! | a wrongly ordered chain | `chain::a_gap_or_a_wrong_order_is_refused` |
//! | a pathLen exceeded | `chain::path_length_is_kept` |
//! | a self-signed root in x5c | `chain::a_root_smuggled_into_the_chain_proves_nothing` |
//! | an AAGUID extension that differs | `packed::another_model_in_the_certificate_is_refused`, `tpm::requirements_on_the_certificate` |
//! | a TPM certInfo whose name, extraData or magic differ | `tpm::what_the_tpm_signed_must_be_about_this_key_and_this_registration` |
//! | an Android key with a wrong challenge | `android_key::another_challenge_is_refused` |
//! | an Android key with a wrong purpose | `android_key::origin_and_purpose_must_be_generated_and_sign` |
//! | Apple's nonce wrong | `apple::the_nonce_and_the_key_must_be_this_registration_s` |
//! | a BLOB with a bad signature | `metadata::changed_unsigned_and_foreign_blobs_are_refused` |
//! | a BLOB with a lower number | `metadata::numbers_never_go_back` |
//! | an entry of a BLOB that cannot be read | `models::a_model_whose_entry_cannot_be_read_is_refused_by_every_policy` |
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod algorithms;
mod android_key;
mod android_safetynet;
mod apple;
mod assertion;
mod chain;
mod compound;
mod device_attestation;
mod fido_u2f;
mod maker;
mod metadata;
mod models;
mod packed;
mod registration;
mod tpm;

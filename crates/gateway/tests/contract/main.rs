//! What the store and the ledger promise, held to it on SQLite and on PostgreSQL alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod announce;
mod backup;
mod cluster;
mod database;
mod devices;
mod door;
mod guestbook;
mod halls;
mod ingest;
mod links;
mod locks;
mod log;
mod metadata;
mod own_authorities;
mod ownership;
mod partners;
mod payloads;
mod people;
mod realm;
mod sample;
mod sweep;
mod units;
mod visits;
mod witness;

/// Makes of each scenario a test for each kind of database. A scenario that is not listed is dead
/// code, which the compiler tells.
macro_rules! contract {
    ($($module:ident: $($scenario:ident),+;)+) => {
        contract! { @on sqlite $($module: $($scenario),+;)+ }
        contract! { @on postgres $($module: $($scenario),+;)+ }
    };
    (@on $kind:ident $($module:ident: $($scenario:ident),+;)+) => {
        mod $kind {$(
            mod $module {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $scenario() {
                    let database = crate::database::Database::$kind();
                    crate::$module::$scenario(&database).await;
                }
            )+}
        )+}
    };
}

contract! {
    units: a_cancelled_unit_leaves_no_trace, others_see_a_committed_unit, readers_cannot_write,
        units_take_turns, gateways_may_start_all_at_once, the_first_setting_sticks;
    people: the_last_owner_stays, the_last_key_stays, a_removed_key_ends_its_sessions,
        keys_are_unique_and_bounded, lists_page_without_gaps, names_are_read_together;
    links: a_link_is_used_once, an_expired_link_opens_nothing,
        links_are_found_by_person, sessions_end,
        code_attempts_are_all_counted, refusals_are_bounded,
        a_flood_of_refusals_pushes_out_no_others, a_refusal_is_kept_whatever_it_says;
    devices: a_life_follows_its_rules, a_unit_is_one_device, a_maker_is_its_key_or_its_name,
        so_many_makers_are_installed_and_no_more, an_announcement_is_claimed_once,
        a_maker_may_come_back, lists_are_filtered;
    ownership: whose_it_was_is_told_for_good;
    backup: a_realm_moves_between_databases;
    door: a_door_of_ones_own_has_everything;
    metadata: a_blob_number_never_goes_back, one_gateway_looks_for_metadata_at_a_time,
        an_attestation_goes_with_its_key;
    halls: a_hall_goes_with_its_guests_and_agents, an_admission_counts_for_a_person_or_a_role,
        a_full_hall_can_still_be_narrowed, an_agents_token_is_used_once, one_of_two_agents_gets_a_name, a_grant_ends_once,
        a_key_gets_one_grant,
        a_grant_waits_for_its_approval;
    locks: they_keep_the_contract, they_are_gone_with_their_grant, those_that_ended_are_forgotten;
    own_authorities: gateways_agree_on_whose_turn_it_is,
        the_one_authority_of_before_takes_its_turn;
    witness: two_trees_of_one_size_are_never_both_kept, a_fork_is_kept_for_good,
        a_log_begins_anew_once,
        one_gateway_asks_a_witness_at_a_time, receipts_stand_on_what_witnesses_cosigned;
    partners: a_partnership_has_one_life, invitations_that_cross_are_one_pact, a_bundle_never_goes_back,
        one_gateway_looks_at_a_partner_at_a_time, partners_are_bounded,
        an_admission_counts_for_one_realm_alone;
    visits: a_grant_elsewhere_is_none_of_a_hall_here, a_visitors_grant_ends_when_home_says_so,
        what_a_visitor_brought_is_kept_once, grants_are_found_by_what_they_hang_on,
        grants_of_before_get_their_kind;
    log: gateways_never_fork_it, a_statement_is_accepted_once, old_receipts_are_made_anew,
        erased_evidence_stays_committed, a_foreign_head_is_never_extended, a_damaged_tile_is_noticed,
        grounds_are_found_by_person_and_device, the_first_entry_is_the_logs_word;
    ingest: order_is_enforced, one_bad_item_spoils_nothing, one_that_cannot_be_kept_fails_alone, a_transaction_that_is_sent_again_gets_its_receipt,
        a_new_enrolment_begins_anew, random_interleavings_keep_every_promise, draining_answers_everybody;
    payloads: only_old_objects_that_nothing_names_are_removed, more_objects_than_a_page_are_swept,
        what_is_sent_again_during_a_sweep_stays, one_gateway_sweeps_at_a_time;
}

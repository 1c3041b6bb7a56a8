/// Makes two `#[test]`s per check of the [conformance kit](crate::conformance): one as fast as the store
/// is, and one in the module `slow`; and `skipped_checks`, which prints what the line does not run.
///
/// `token_store_tests!(open)`; or `token_store_tests!(open, at = new_place)` for a store that can be
/// opened several times at one place; or `token_store_tests!(open, reopen = new_place)` for one that can
/// be opened again only after it was dropped. Words may follow, in any order: `notifying`, and after `at`
/// or `reopen` also `fault = make_it_fail`, `damage = damage_one_record` and `crash = end_all_handles`;
/// the kit says what they mean.
#[macro_export]
macro_rules! token_store_tests {
    ($open:path, at = $place:path $(, $word:ident $(= $hook:path)?)* $(,)?) => {
        $crate::token_store_tests! {
            @both own shared reopened $($word $([$hook])?)* ; ($place), (async |place: &_| $open(place).await)
        }
    };
    ($open:path, reopen = $place:path $(, $word:ident $(= $hook:path)?)* $(,)?) => {
        $crate::token_store_tests! {
            @both own reopened $($word $([$hook])?)* ; ($place), (async |place: &_| $open(place).await)
        }
    };
    ($open:path $(, $word:ident)* $(,)?) => {
        $crate::token_store_tests! { @both own $($word)* ; (|| ()), (async |_: &()| $open().await) }
    };
    (@both $($group:ident $([$hook:path])?)+ ; ($place:expr), $open:tt) => {
        $crate::token_store_tests! { @each AsIs, ($place), $open, $(($group $([$hook])?))+ }

        /// Prints which checks this line does not run, and why: `cargo test skipped_checks -- --nocapture`.
        #[test]
        fn skipped_checks() {
            let skipped = $crate::conformance::skipped(&[$(stringify!($group)),+]);
            println!("{}:{skipped}", module_path!());
        }

        /// The same checks while each step takes time.
        mod slow {
            use super::*;

            $crate::token_store_tests! { @each Slow, ($place), $open, $(($group $([$hook])?))+ }
        }
    };
    (@each $pace:ident, $place:tt, $open:tt, $(($group:ident $([$hook:path])?))+) => {
        $($crate::token_store_tests! { @$group $pace, $place, $open $(, $hook)? })+
    };
    (@own $pace:ident, $place:tt, $open:tt) => {
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), payloads:
            absent_key_loads_none
            saved_record_loads_as_saved
            replaced_record_loads_as_replaced
            empty_payload_is_kept
            binary_payload_is_kept
            largest_payload_is_kept
            too_large_payload_is_refused_before_anything_is_written
            payload_can_grow_and_shrink
            keys_that_differ_in_one_bit_are_different_records
            keys_that_are_hard_to_tell_apart_are_different_records
            text_payload_is_kept_to_the_byte
            a_thousand_records_are_kept
            payloads_of_many_lengths_are_kept
            payload_is_replaced_by_one_of_the_same_length
            equal_payloads_are_records_of_their_own
            payloads_far_too_large_are_refused
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), versions:
            creating_over_a_record_conflicts
            replacing_an_absent_record_conflicts
            replacing_an_older_version_conflicts
            version_of_another_key_conflicts
            version_with_one_flipped_bit_conflicts
            version_of_zeros_or_ones_conflicts
            conflict_changes_nothing
            every_write_has_a_new_version
            version_is_not_reused_after_delete
            version_is_not_reused_after_many_other_deletions
            a_thousand_writes_have_a_thousand_versions
            deleted_record_is_absent
            deleting_another_version_conflicts
            deleting_an_absent_record_conflicts
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), races:
            one_of_many_creations_wins
            one_of_many_replacements_wins
            one_of_deletions_and_replacements_wins
            increments_are_never_lost
            loads_during_writes_are_never_torn
            answered_write_is_seen_by_every_later_load
            writes_of_different_keys_do_not_conflict
            load_during_writes_is_of_one_write
            one_of_two_writes_at_the_same_moment_wins
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), interrupted:
            dropped_creation_is_whole_or_absent
            dropped_replacement_is_whole_or_absent
            dropped_deletion_is_whole_or_absent
            dropped_calls_do_not_use_the_store_up
            dropped_write_does_not_land_after_another_has_won
            dropped_replacement_changes_record_and_due_together
            dropped_creation_and_deletion_change_record_and_due_together
            dropped_deletion_does_not_land_after_another_has_won
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), due:
            due_is_ordered_by_time_and_then_key
            due_includes_its_limit_in_time_and_nothing_later
            due_before_zero_is_no_special_limit
            due_goes_on_after_the_lowest_and_the_highest_key
            due_pages_without_gaps_and_repeats
            due_keeps_the_limit
            due_goes_on_after_a_cursor_that_is_gone
            record_without_due_is_never_due
            replacing_moves_due
            conflict_does_not_move_due
            deleted_record_is_not_due
            due_keeps_every_millisecond
            due_lists_times_before_every_clock_first
            too_large_save_does_not_move_due
            replacing_with_the_same_due_keeps_it_listed
            due_after_a_cursor_past_its_limit_in_time_is_empty
            due_answers_a_hundred_at_once
            due_lists_every_lasting_record_during_writes
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), scan:
            scan_of_an_empty_store_is_empty
            scan_lists_records_whole_and_in_key_order
            scan_pages_without_gaps_and_repeats
            scan_keeps_the_limit
            scan_goes_on_after_a_key_that_is_gone
            scan_lists_every_lasting_record_during_writes
            scan_answers_a_hundred_at_once
            scan_lists_keys_that_are_hard_to_tell_apart
            scan_during_writes_is_never_torn
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), paging:
            due_lists_keys_that_are_hard_to_tell_apart
            due_goes_on_after_a_cursor_whose_record_moved
            due_goes_on_where_it_was_when_records_before_it_go
            due_pages_past_deleted_records
            due_keeps_limits_beyond_32_bits
            scan_goes_on_where_it_was_when_records_before_it_go
            scan_pages_past_deleted_records
            scan_keeps_limits_beyond_32_bits
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), together:
            due_changes_together_with_its_record
            scan_changes_together_with_its_record
            versions_changes_together_with_its_record
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), runtime:
            calls_do_not_block_their_thread
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), version_queries:
            versions_are_in_the_order_asked
            versions_answers_a_repeated_key_each_time
            versions_of_absent_records_are_none
            versions_sees_every_answered_write
            versions_answers_thousands_of_keys
            versions_answers_more_keys_than_a_statement_names
            versions_tells_keys_apart_that_are_hard_to
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), changes:
            changes_tells_every_kind_of_write
            changes_tells_a_write_that_follows_at_once
            changes_tells_every_reader
            changes_tells_a_slow_reader_of_everything_or_a_gap
            dropped_streams_of_changes_leave_the_store_usable
            changes_wakes_a_reader_that_waits
            changes_keeps_a_bounded_number_for_a_slow_reader
            changes_tells_writes_of_every_record
            changes_goes_on_for_thousands_of_writes
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), health:
            health_is_asked_again_and_again
            health_changes_no_record
            health_is_no_change
            health_hinders_no_write
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), kinds:
            every_kind_of_record_is_seen_by_every_call
            scan_lists_a_page_of_the_largest_payloads
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), many:
            thousands_of_records_are_listed
            every_one_of_many_writes_is_kept
            record_can_be_made_again_and_again
            many_calls_at_once_are_answered
        }
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), secrecy:
            debug_hides_payloads
            debug_hides_payloads_of_every_call
            errors_hide_payloads
        }
    };
    (@shared $pace:ident, $place:tt, $open:tt) => {
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), sharing:
            handles_see_each_others_writes
            one_of_many_replacements_on_two_handles_wins
            increments_on_two_handles_are_never_lost
            one_of_deletions_and_replacements_on_two_handles_wins
            every_handle_is_healthy
            handle_stays_usable_when_others_are_dropped
            versions_sees_writes_of_another_handle
            changes_tells_writes_of_another_handle
            load_sees_writes_of_another_handle
            every_call_sees_writes_of_another_handle
            versions_do_not_repeat_across_handles
        }
    };
    (@reopened $pace:ident, $place:tt, $open:tt) => {
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), reopened:
            reopened_store_keeps_records
            reopened_store_does_not_reuse_versions
            reopened_store_keeps_hundreds_of_records
            reopened_store_keeps_every_kind_of_record
            reopened_store_keeps_thousands_of_records
        }
    };
    (@fault $pace:ident, $place:tt, $open:tt, $hook:path) => {
        $crate::token_store_tests! {
            @tests $pace, $place, $open, (|site| site.with_fault(&$hook)), hooks:
            failing_backend_is_an_error_and_works_again
            failing_backend_hides_payloads
            changes_goes_on_after_a_failing_backend
        }
    };
    (@damage $pace:ident, $place:tt, $open:tt, $hook:path) => {
        $crate::token_store_tests! {
            @tests $pace, $place, $open, (|site| site.with_damage(&$hook)), hooks:
            damaged_record_is_corrupt_and_hides_no_other
            damaged_record_is_listed_page_by_page
            damaged_record_is_replaced_and_deleted_by_its_version_only
        }
    };
    (@crash $pace:ident, $place:tt, $open:tt, $hook:path) => {
        $crate::token_store_tests! {
            @tests $pace, $place, $open, (|site| site.with_crash(&$hook)), crash:
            crashed_store_keeps_every_answered_write
        }
    };
    (@notifying $pace:ident, $place:tt, $open:tt) => {
        $crate::token_store_tests! { @tests $pace, $place, $open, (|site| site), changes:
            notifying_store_tells_changes
        }
    };
    (@tests $pace:ident, ($place:expr), ($open:expr), ($hooks:expr), $module:ident: $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                $crate::conformance::run(
                    $crate::conformance::Pace::$pace,
                    $place,
                    $open,
                    $hooks,
                    $crate::conformance::checks::$module::$check,
                );
            }
        )*
    };
}

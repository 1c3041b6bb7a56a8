use super::*;

const STRANGER: &str = "203.0.113.5";

fn exchanges() -> Arc<CodeExchanges> {
    CodeExchanges::new(Some(CallbackLimit::default()))
}

fn attempt(number: u32) -> AttemptName {
    rc_auth::callback_attempt(&format!("state={number}")).unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn admit(
    exchanges: &Arc<CodeExchanges>,
    from: &str,
    number: u32,
    now: Duration,
) -> Result<Admission, NotNow> {
    exchanges.admit(from.parse().unwrap(), &attempt(number), now)
}

fn refuse(exchanges: &Arc<CodeExchanges>, from: &str, number: u32, now: Duration) {
    admit(exchanges, from, number, now).unwrap().refused(now);
}

#[test]
fn an_address_is_stopped_after_its_limit_until_the_window_slides_on() {
    let exchanges = exchanges();
    for second in 0..3 {
        refuse(&exchanges, STRANGER, 1, secs(second * 10));
    }
    for (now, retry_after) in [(20, 40), (59, 1)] {
        assert_eq!(
            admit(&exchanges, STRANGER, 1, secs(now)).unwrap_err(),
            NotNow::TooManyRefused {
                retry_after: secs(retry_after)
            }
        );
    }
    refuse(&exchanges, STRANGER, 1, secs(60));
    assert_eq!(
        admit(&exchanges, STRANGER, 1, secs(60)).unwrap_err(),
        NotNow::TooManyRefused {
            retry_after: secs(10)
        }
    );
}

#[test]
fn which_addresses_share_a_count() {
    for (other, shared) in [
        ("203.0.113.5", true),
        ("::ffff:203.0.113.5", true),
        ("203.0.113.6", false),
        ("2001:db8::5", false),
    ] {
        let exchanges = exchanges();
        (0..3).for_each(|number| refuse(&exchanges, STRANGER, number, secs(0)));
        assert_eq!(
            admit(&exchanges, other, 9, secs(1)).is_err(),
            shared,
            "{other}"
        );
    }
    for (other, shared) in [
        ("2001:db8:0:1:ffff::", true),
        ("2001:db8:0:2::1", false),
        ("2001:db8::1", false),
    ] {
        let exchanges = exchanges();
        (0..3).for_each(|number| refuse(&exchanges, "2001:db8:0:1::1", number, secs(0)));
        assert_eq!(
            admit(&exchanges, other, 9, secs(1)).is_err(),
            shared,
            "{other}"
        );
    }
}

#[test]
fn good_exchanges_count_nothing_and_leave_nothing_behind() {
    let exchanges = exchanges();
    for number in 0..100 {
        drop(admit(&exchanges, STRANGER, number, secs(0)).unwrap());
    }
    assert!(exchanges.addresses().is_empty());
}

#[test]
fn exchanges_in_the_air_cannot_exceed_the_limit_together() {
    let exchanges = exchanges();
    refuse(&exchanges, STRANGER, 0, secs(0));
    let first = admit(&exchanges, STRANGER, 1, secs(1)).unwrap();
    let second = admit(&exchanges, STRANGER, 2, secs(1)).unwrap();
    assert_eq!(
        admit(&exchanges, STRANGER, 3, secs(1)).unwrap_err(),
        NotNow::TooManyRefused { retry_after: BUSY }
    );
    drop(first);
    drop(admit(&exchanges, STRANGER, 3, secs(1)).unwrap());
    second.refused(secs(2));
}

#[test]
fn duplicates_of_an_exchange_in_the_air_take_no_place_and_count_once() {
    let exchanges = exchanges();
    let first = admit(&exchanges, STRANGER, 1, secs(0)).unwrap();
    let duplicates: Vec<_> = (0..10)
        .map(|_| admit(&exchanges, STRANGER, 1, secs(0)).unwrap())
        .collect();
    first.refused(secs(0));
    duplicates
        .into_iter()
        .for_each(|duplicate| duplicate.refused(secs(0)));
    refuse(&exchanges, STRANGER, 2, secs(1));
    refuse(&exchanges, STRANGER, 3, secs(1));
    assert!(admit(&exchanges, STRANGER, 4, secs(1)).is_err());
}

#[test]
fn the_number_at_once_is_bounded_over_all_addresses_with_the_limit_off_too() {
    for limit in [None, Some(CallbackLimit::default())] {
        let exchanges = CodeExchanges::new(limit);
        let number = u32::try_from(MAX_AT_ONCE).unwrap();
        let all: Vec<_> = (0..number)
            .map(|n| admit(&exchanges, &format!("10.0.0.{n}"), n, secs(0)).unwrap())
            .collect();
        assert_eq!(
            admit(&exchanges, "10.0.1.1", number, secs(0)).unwrap_err(),
            NotNow::Busy { retry_after: BUSY }
        );
        drop(all);
        assert!(admit(&exchanges, "10.0.1.1", number, secs(0)).is_ok());
    }
}

#[test]
fn without_a_limit_nothing_is_counted() {
    let exchanges = CodeExchanges::new(None);
    (0..50).for_each(|number| refuse(&exchanges, STRANGER, number, secs(0)));
    assert!(exchanges.addresses().is_empty());
}

#[test]
fn a_full_table_forgets_the_oldest_refusal_and_no_exchange_in_the_air() {
    let exchanges = Arc::new(CodeExchanges {
        limit: Some(CallbackLimit::default()),
        max_addresses: 3,
        at_once: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        addresses: Mutex::default(),
    });
    let in_the_air = admit(&exchanges, "10.0.0.1", 1, secs(0)).unwrap();
    refuse(&exchanges, "10.0.0.2", 2, secs(5));
    refuse(&exchanges, "10.0.0.3", 3, secs(4));
    refuse(&exchanges, "10.0.0.4", 4, secs(6));
    let known = |address: &str| {
        exchanges
            .addresses()
            .contains_key(&address.parse().unwrap())
    };
    assert!(known("10.0.0.1") && known("10.0.0.2") && known("10.0.0.4"));
    assert!(!known("10.0.0.3"));
    drop(in_the_air);
    refuse(&exchanges, "10.0.0.5", 5, secs(65));
    refuse(&exchanges, "10.0.0.6", 6, secs(65));
    refuse(&exchanges, "10.0.0.7", 7, secs(65));
    assert!(!known("10.0.0.2"), "over, so gone first");
    assert_eq!(exchanges.addresses().len(), 3);
}

use super::*;

fn table(engine: &'static str, lines: &[&str]) -> Table {
    let lines = lines.iter().map(|line| Line::parse(line).unwrap());
    let mut table = Table::default();
    table.add(engine, lines.collect());
    table
}

#[test]
fn a_store_that_takes_too_long_beside_its_client_is_named() {
    let slow = ["pair\tload\t1000\t151\t100", "pair\tsave\t1000\t150\t100"];
    let message = table("redis", &slow).verdict().unwrap_err();
    assert!(
        message.contains("redis: load, 1000 records, p50: 1.51x, not <= 1.50x"),
        "{message}"
    );
    assert!(!message.contains("save"), "{message}");
}

#[test]
fn growth_is_that_of_the_client_and_a_quarter_more() {
    let grown = |last: &str| {
        let last = format!("pair\tload\t100000\t{last}\t200");
        table("sqlite", &["pair\tload\t1000\t100\t100", &last]).verdict()
    };
    assert_eq!(grown("250"), Ok(()));
    let message = grown("251").unwrap_err();
    assert!(message.contains("load, growth 1000 to 100000"), "{message}");
}

#[test]
fn sealing_hints_and_rotation_have_bounds_of_their_own() {
    assert!(
        table("seal", &["pair\tseal and open 2 KiB\t1\t131\t100"])
            .verdict()
            .is_err()
    );
    let hint = ["time\tchange to other handle, p95\t252000"];
    assert_eq!(table("sqlite", &hint).verdict(), Ok(()));
    assert!(table("postgres", &hint).verdict().is_err());
    assert!(
        table("rotation", &["count\trotation, failed reads\t1"])
            .verdict()
            .is_err()
    );
    assert!(
        table("rotation", &["count\trotation, records/s\t1499"])
            .verdict()
            .is_err()
    );
    assert!(
        table("mysql", &["time\tdue, next 100, p50\t5001"])
            .verdict()
            .is_err()
    );
}

#[test]
fn a_figure_that_is_no_number_is_broken() {
    assert!(
        table("redis", &["pair\tload\t1000\t0\t0"])
            .verdict()
            .is_err()
    );
}

#[test]
fn what_is_no_figure_is_refused() {
    for line in ["", "pair\tload\t1000\tfast\t100", "time\tdue", "hello"] {
        assert!(Line::parse(line).is_err(), "{line:?}");
    }
}

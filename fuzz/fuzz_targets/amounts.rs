//! Arbitrary examples of amounts, and arbitrary cells: a format is shown as an example of itself, every amount that
//! it writes is read as itself, and a cell that it reads is read in the same way when it is written back.
#![no_main]

use host_source::amount::AmountFormat;
use host_source::timestamp::TimestampRules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], i64)| {
    let (example, cell, cents) = input;
    for name in ["excel", "excel-1904", "iso-date"] {
        let form = name.parse().expect("it has a name");
        let rules = TimestampRules { form, ..TimestampRules::default() };
        if let Ok(micros) = rules.micros(cell) {
            // From 0001 to 9999.
            assert!((-62_135_596_800_000_000..253_402_300_800_000_000).contains(&micros));
        }
    }
    let Ok(format) = example.parse::<AmountFormat>() else { return };
    assert_eq!(format.to_string().parse().as_ref(), Ok(&format));
    let cents = cents.max(-i64::MAX);
    assert_eq!(format.cents(format.write(cents).as_bytes()), Ok(cents));
    if let Ok(cents) = format.cents(cell) {
        assert_eq!(format.cents(format.write(cents).as_bytes()), Ok(cents));
    }
});

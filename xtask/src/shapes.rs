//! Makes the files of `data/shapes`: a few rows each in the shape of exports that people have. Columns, formats and odd
//! ends are those of the originals; all values are made up. Every run makes the same bytes.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::random::{Random, timestamp};
use crate::shell::{root, say};

/// The rows of each file.
const ROWS: usize = 50;
/// Every so many rows, one is above 500, the default limit of the `threshold` plugin.
const LARGE_EVERY: usize = 10;
const SEED: u64 = 0x5ba9_e500_0001;

/// Name and content of each file.
type Shape = (&'static str, fn(&mut Random) -> String);

const SHAPES: [Shape; 5] = [
    ("paysim.csv", paysim),
    ("sparkov.csv", sparkov),
    ("banksim.csv", banksim),
    ("ieee-cis.csv", ieee_cis),
    ("creditcard.csv", creditcard),
];

/// Writes the files.
pub fn write() -> Result<()> {
    for (name, content) in contents() {
        let path = root().join("data/shapes").join(name);
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    say("wrote data/shapes");
    Ok(())
}

fn contents() -> impl Iterator<Item = (&'static str, String)> {
    SHAPES.into_iter().zip(SEED..).map(|((name, content), seed)| (name, content(&mut Random::new(seed))))
}

/// An amount in hundredths.
fn cents(row: usize, random: &mut Random) -> usize {
    if row % LARGE_EVERY == LARGE_EVERY - 1 {
        50_001 + random.below(900_000)
    } else {
        100 + random.below(40_000)
    }
}

fn money(cents: usize) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// As R writes numbers: no zeros at the end.
fn shortest(cents: usize) -> String {
    let text = money(cents);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number with this many digits.
fn digits(count: usize, random: &mut Random) -> String {
    let digit = |i| if i == 0 { 1 + random.below(9) } else { random.below(10) };
    (0..count).map(digit).map(|digit| char::from(b'0' + digit as u8)).collect()
}

/// So many numbers of customers, of which the earlier ones come up more often.
fn pick<'a>(of: &'a [String], random: &mut Random) -> &'a str {
    let place = random.unit() * random.unit() * of.len() as f64;
    &of[place as usize]
}

fn many(count: usize, random: &mut Random, of_one: impl Fn(&mut Random) -> String) -> Vec<String> {
    (0..count).map(|_| of_one(random)).collect()
}

/// PaySim: no ids of transactions, users as texts, hours since the beginning.
fn paysim(random: &mut Random) -> String {
    let mut csv = String::from(
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud\n",
    );
    let kinds = ["PAYMENT", "TRANSFER", "CASH_OUT", "DEBIT", "CASH_IN"];
    let customers = many(20, random, |random| format!("C{}", digits(10, random)));
    for row in 0..ROWS {
        let (cents, before) = (cents(row, random), 1_000_000 + random.below(20_000_000));
        let kind = kinds[random.below(kinds.len())];
        let to = digits(9, random);
        let _ = writeln!(
            csv,
            "{},{kind},{},{},{},{},M{to},0.0,0.0,{},0",
            1 + row / 8,
            shortest(cents),
            pick(&customers, random),
            shortest(before),
            shortest(before - cents),
            u8::from(row % LARGE_EVERY == LARGE_EVERY - 1),
        );
    }
    csv
}

/// Sparkov: an index without a name, cards of up to 19 digits, transactions by a digest.
fn sparkov(random: &mut Random) -> String {
    let mut csv = String::from(
        ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,zip,lat,long,city_pop,job,dob,trans_num,unix_time,merch_lat,merch_long,is_fraud\n",
    );
    let cards: Vec<String> =
        [19, 19, 16, 16, 16, 15, 13, 12].into_iter().map(|length| digits(length, random)).collect();
    for row in 0..ROWS {
        let second = row as u64 * 3_700 + random.below(3_600) as u64;
        let number: String = (0..32).map(|_| char::from(b"0123456789abcdef"[random.below(16)])).collect();
        let _ = writeln!(
            csv,
            "{row},{},{},\"fraud_Rippin, Kub and Mann\",misc_net,{},Jennifer,Banks,F,561 Perry Cove,Moravian Falls,NC,28654,36.0788,-81.1781,3495,\"Psychologist, counselling\",1988-03-09,{number},{},36.011293,-82.048315,{}",
            timestamp(second),
            pick(&cards, random),
            shortest(cents(row, random)),
            1_704_067_200 + second,
            u8::from(row % LARGE_EVERY == LARGE_EVERY - 1),
        );
    }
    csv
}

/// BankSim: texts between apostrophes, days since the beginning.
fn banksim(random: &mut Random) -> String {
    let mut csv =
        String::from("step,customer,age,gender,zipcodeOri,merchant,zipMerchant,category,amount,fraud\n");
    let customers = many(20, random, |random| format!("C{}", digits(10, random)));
    for row in 0..ROWS {
        let (age, merchant) = (random.below(7), digits(9, random));
        let _ = writeln!(
            csv,
            "{},'{}','{age}','F','28007','M{merchant}','28007','es_transportation',{},{}",
            row / 8,
            pick(&customers, random),
            shortest(cents(row, random)),
            u8::from(row % LARGE_EVERY == LARGE_EVERY - 1),
        );
    }
    csv
}

/// IEEE-CIS: seconds since an unknown moment; some amounts were converted, and have three decimals.
fn ieee_cis(random: &mut Random) -> String {
    let mut csv = String::from(
        "TransactionID,isFraud,TransactionDT,TransactionAmt,ProductCD,card1,card2,card3,card4,card5,card6,addr1,addr2,dist1,dist2,P_emaildomain,R_emaildomain\n",
    );
    let mut second = 86_400;
    let cards = many(15, random, |random| (1_000 + random.below(17_000)).to_string());
    for row in 0..ROWS {
        second += random.below(90);
        let cents = cents(row, random);
        let (product, amount) =
            if row % 12 == 5 { ("C", format!("{}7", money(cents))) } else { ("W", shortest(cents)) };
        let _ = writeln!(
            csv,
            "{},{},{second},{amount},{product},{},,150.0,visa,226.0,debit,325.0,87.0,,,gmail.com,",
            2_987_000 + row,
            u8::from(row % LARGE_EVERY == LARGE_EVERY - 1),
            pick(&cards, random),
        );
    }
    csv
}

/// The credit cards of ULB: neither transactions nor users have ids; seconds since the first row, written by R.
fn creditcard(random: &mut Random) -> String {
    let components: Vec<String> = (1..=28).map(|i| format!("\"V{i}\"")).collect();
    let mut csv = format!("\"Time\",{},\"Amount\",\"Class\"\n", components.join(","));
    for row in 0..ROWS {
        let values: Vec<String> = (0..28).map(|_| format!("{:.6}", 2.0 * random.unit() - 1.0)).collect();
        // So R writes 100,000.
        let time = if row == ROWS / 2 { "1e+05".to_owned() } else { (99_975 + row).to_string() };
        let class = u8::from(row % LARGE_EVERY == LARGE_EVERY - 1);
        let _ = writeln!(csv, "{time},{},{},\"{class}\"", values.join(","), shortest(cents(row, random)));
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_repository_are_what_is_generated() {
        for (name, content) in contents() {
            let file = fs::read_to_string(root().join("data/shapes").join(name)).unwrap_or_default();
            assert!(file == content, "{name}: run `cargo xtask sample-data`");
            assert_eq!(content.lines().count(), ROWS + 1, "{name}");
        }
    }
}

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
/// The files that are not UTF-8: they are Latin-1, as German banks have it.
const LATIN_1: [&str; 1] = ["sparkasse.csv"];

const SHAPES: [Shape; 9] = [
    ("paysim.csv", paysim),
    ("sparkov.csv", sparkov),
    ("banksim.csv", banksim),
    ("ieee-cis.csv", ieee_cis),
    ("creditcard.csv", creditcard),
    ("paypal.csv", paypal),
    ("sparkasse.csv", sparkasse),
    ("statement.csv", statement),
    ("spreadsheet.csv", spreadsheet),
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

fn contents() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    SHAPES.into_iter().zip(SEED..).map(|((name, content), seed)| {
        let content = content(&mut Random::new(seed));
        // The first 256 characters of Unicode are those of Latin-1.
        let latin_1 = || content.chars().map(|character| character as u8).collect();
        (name, if LATIN_1.contains(&name) { latin_1() } else { content.into_bytes() })
    })
}

fn is_large(row: usize) -> bool {
    row % LARGE_EVERY == LARGE_EVERY - 1
}

/// An amount in hundredths.
fn cents(row: usize, random: &mut Random) -> usize {
    if is_large(row) { 50_001 + random.below(900_000) } else { 100 + random.below(40_000) }
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
            u8::from(is_large(row)),
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
            u8::from(is_large(row)),
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
            u8::from(is_large(row)),
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
            u8::from(is_large(row)),
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
        let class = u8::from(is_large(row));
        let _ = writeln!(csv, "{time},{},{},\"{class}\"", values.join(","), shortest(cents(row, random)));
    }
    csv
}

/// With marks between thousands.
fn grouped(cents: usize, group: char, point: char) -> String {
    let (units, thousands) = (cents / 100 % 1_000, cents / 100_000);
    match thousands {
        0 => format!("{units}{point}{:02}", cents % 100),
        _ => format!("{thousands}{group}{units:03}{point}{:02}", cents % 100),
    }
}

/// The activity report of PayPal: date and time apart, with a zone; users by their addresses.
fn paypal(random: &mut Random) -> String {
    let mut csv = String::from(
        "\u{feff}\"Date\",\"Time\",\"TimeZone\",\"Name\",\"Type\",\"Status\",\"Currency\",\"Gross\",\"Fee\",\"Net\",\"From Email Address\",\"Transaction ID\"\r\n",
    );
    let customers = many(20, random, |random| format!("buyer{}@example.com", random.below(1_000)));
    for row in 0..ROWS {
        let (cents, currency) = (cents(row, random), if row % 7 == 0 { "USD" } else { "EUR" });
        let fee = cents / 40 + 35;
        let id: String =
            (0..17).map(|_| char::from(b"0123456789ABCDEFGHJKLMNPRSTUVWXY"[random.below(32)])).collect();
        let _ = write!(
            csv,
            "\"{:02}/01/2024\",\"{:02}:{:02}:{:02}\",\"Europe/Berlin\",\"A B\",\"Website Payment\",\"Completed\",\"{currency}\",\"{}\",\"-{}\",\"{}\",\"{}\",\"{id}\"\r\n",
            1 + row / 5,
            8 + row % 5 * 2,
            random.below(60),
            random.below(60),
            grouped(cents, ',', '.'),
            money(fee),
            grouped(cents - fee, ',', '.'),
            pick(&customers, random),
        );
    }
    csv
}

/// The statement of a German savings bank: Latin-1, days without times, amounts with a decimal comma; whom money
/// went to, or came from, is an IBAN.
fn sparkasse(random: &mut Random) -> String {
    let mut csv = String::from(
        "\"Auftragskonto\";\"Buchungstag\";\"Valutadatum\";\"Buchungstext\";\"Verwendungszweck\";\"Begünstigter/Zahlungspflichtiger\";\"Kontonummer/IBAN\";\"Betrag\";\"Währung\";\"Info\"\r\n",
    );
    let others = many(12, random, |random| format!("DE{}", digits(20, random)));
    for row in 0..ROWS {
        let day = format!("{:02}.01.24", 1 + row / 2);
        let (text, purpose, sign) = if is_large(row) {
            ("GUTSCHR. UEBERWEISUNG", "Gehalt", "")
        } else {
            ("KARTENZAHLUNG", "Bäcker", "-")
        };
        let _ = write!(
            csv,
            "\"DE00\";\"{day}\";\"{day}\";\"{text}\";\"{purpose}\";\"Müller\";\"{}\";\"{sign}{}\";\"EUR\";\"Umsatz gebucht\"\r\n",
            pick(&others, random),
            money(cents(row, random)).replace('.', ","),
        );
    }
    csv
}

/// A bank's statement as a table for people: what it is about above the rows, totals below, and columns for debits and
/// credits.
fn statement(random: &mut Random) -> String {
    let mut csv = String::from(
        "\"Account Name : CHECKING\"\n\"Account Number : 000000\"\n\"Date Range : 01/01/2024-01/31/2024\"\n\nTransaction Number,Date,Description,Debit,Credit,Balance\n",
    );
    let (mut debits, mut credits, mut balance) = (0, 0, 2_000_000);
    for row in 0..ROWS {
        let cents = cents(row, random);
        let (debit, credit) = if is_large(row) {
            (credits, balance) = (credits + cents, balance + cents);
            (String::new(), format!("${}", grouped(cents, ',', '.')))
        } else {
            (debits, balance) = (debits + cents, balance - cents);
            (format!("${}", grouped(cents, ',', '.')), String::new())
        };
        let _ = writeln!(
            csv,
            "2024{row:04},01/{:02}/2024,COFFEE,{debit},\"{credit}\",\"${}\"",
            1 + row / 2,
            grouped(balance, ',', '.'),
        );
    }
    let _ = writeln!(csv, "Totals,,,\"${}\",\"${}\",", grouped(debits, ',', '.'), grouped(credits, ',', '.'));
    csv
}

/// What a spreadsheet saves where commas are decimal: a line that names the delimiter, and times as day numbers.
fn spreadsheet(random: &mut Random) -> String {
    let mut csv = String::from("\u{feff}sep=;\r\ntransaction_id;user_id;amount;timestamp\r\n");
    for row in 0..ROWS {
        let seconds = 28_800 + random.below(36_000);
        let _ = write!(
            csv,
            "{};{};{};{},{:010}\r\n",
            row + 1,
            1 + random.below(9),
            money(cents(row, random)).replace('.', ","),
            45_292 + row / 2,
            // Ten decimals are more than enough for a second.
            (seconds * 10_000_000_000 + 43_200) / 86_400,
        );
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_repository_are_what_is_generated() {
        for (name, content) in contents() {
            let file = fs::read(root().join("data/shapes").join(name)).unwrap_or_default();
            assert!(file == content, "{name}: run `cargo xtask sample-data`");
        }
    }
}

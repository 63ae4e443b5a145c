//! What columns are called, in the languages of those who export them.

/// What a column may be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    TransactionId,
    UserId,
    Amount,
    Timestamp,
    /// The time of day, where the day has a column of its own.
    Time,
    Zone,
    Debit,
    Credit,
    Sign,
    Currency,
}

/// Names without blanks, marks and accents, in lower case; separated by blanks.
const NAMES: [(Role, &str); 10] = [
    (
        Role::TransactionId,
        "transactionid txid txnid transid transnum transactionno transactionnumber transactionreference id ref \
         reference referenceno referencenumber referenceid paymentid orderid operationid number no nr \
         transaktionsid transaktionsnummer referenz referenznummer buchungsnummer belegnummer belegnr \
         numero numerodoperation referencia numerooperacion riferimento volgnr volgnummer numertransakcji",
    ),
    (
        Role::UserId,
        "userid user customerid customer custid clientid client accountid account accountnumber accountno cardid \
         card cardnumber ccnum payer payerid senderid nameorig memberid email emailaddress fromemailaddress buyerid kunde kundennummer kundennr kundenid \
         konto kontonummer kontonummeriban auftragskonto compte numerodecompte idclient cliente idcliente cuenta conto rekening \
         rekeningnummer klant klantnummer kund kundnummer klient numerkonta",
    ),
    (
        Role::Amount,
        "amount amt txamount transactionamount transactionamt value sum total gross net price betrag umsatz summe \
         montant somme importe monto cantidad importo valore bedrag valor quantia belopp belob belop summa kwota castka",
    ),
    (
        Role::Timestamp,
        "timestamp transactiontimestamp datetime dateandtime transactiondate transactiondatetime transactiontime \
         txdatetime transdatetranstime transactiondt step date posteddate postingdate bookingdate valuedate createdat created createddate \
         completeddate starteddate paidat datum buchungstag buchungsdatum valutadatum wertstellung zeitpunkt \
         zeitstempel datedoperation dateoperation datedevaleur datecomptable fecha fechaoperacion fechavalor \
         dataoperazione datavaluta data datatransakcji transactiedatum boekdatum dato bokforingsdag datumtransakce",
    ),
    (Role::Time, "time timeofday uhrzeit zeit heure hora ora tijd tid godzina"),
    (Role::Zone, "timezone zone tz zeitzone fuseauhoraire zonahoraria fusoorario"),
    (
        Role::Debit,
        "debit debits debitamount moneyout paidout withdrawal withdrawals withdrawalamt soll lastschrift debito cargo \
         cargos dare addebiti af uitgaven utgift",
    ),
    (
        Role::Credit,
        "credit credits creditamount moneyin paidin deposit deposits depositamt haben gutschrift credito abono abonos \
         avere accrediti bij inkomsten",
    ),
    (
        Role::Sign,
        "creditdebit debitcredit crdr drcr dc cd creditdebitindicator debitcreditindicator sign sollhaben sh afbij \
         debetcredit",
    ),
    (Role::Currency, "currency currencycode ccy wahrung devise moneda divisa valuta munt waluta mena"),
];

/// What a column of this name may be for.
pub(super) fn roles(name: &str) -> Vec<Role> {
    let name: String = name.to_lowercase().chars().filter_map(plain).collect();
    let has = |names: &str| names.split_whitespace().any(|known| known == name);
    NAMES.iter().filter(|(_, names)| has(names)).map(|(role, _)| *role).collect()
}

/// A letter without its accent; `None` for everything but letters and digits.
fn plain(letter: char) -> Option<char> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' => 'a',
        'ç' | 'č' | 'ć' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'š' | 'ś' => 's',
        'ù' | 'ú' | 'û' | 'ü' | 'ů' => 'u',
        'ý' => 'y',
        'ž' | 'ż' | 'ź' => 'z',
        _ => return letter.is_alphanumeric().then_some(letter),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_the_same_however_they_are_written() {
        for (name, role) in [
            ("Transaction ID", Role::TransactionId),
            ("USER_ID", Role::UserId),
            ("Betrag", Role::Amount),
            ("Date d'opération", Role::Timestamp),
            ("Währung", Role::Currency),
            ("Withdrawal Amt.", Role::Debit),
            ("CR/DR", Role::Sign),
            ("Uhrzeit", Role::Time),
        ] {
            assert_eq!(roles(name), [role], "{name}");
        }
        assert!(roles("").is_empty() && roles("Verwendungszweck").is_empty() && roles("12.50").is_empty());
    }
}

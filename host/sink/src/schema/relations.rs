//! Can this role use the tables? Asked in one query before anything else, so that a run is not refused
//! after its file was read, and everything that is missing is reported at once.

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::schema::migrations::Migration;

/// All of the host's tables, and what a run must be allowed to do with each.
const TABLES: [(&str, &[Privilege]); 13] = [
    ("transactions", &[Privilege::Select, Privilege::Insert, Privilege::Lock]),
    ("anomalies", &[Privilege::Select, Privilege::Insert]),
    ("ingest_migrations", &[Privilege::Select]),
    ("ingest_runs", &[Privilege::Select, Privilege::Insert]),
    ("ingest_files", &[Privilege::Select, Privilege::Insert]),
    ("rejected_rows", &[Privilege::Insert]),
    ("skipped_rows", &[Privilege::Insert]),
    ("replaced_rows", &[]),
    ("ingest_prunes", &[]),
    ("detector_states", &[]),
    ("detector_state_bases", &[]),
    ("feedback", &[]),
    ("kept_columns", &[]),
];

/// What a run must be allowed to do, too, if it replaces stored rows.
const REPLACING: [(&str, &[Privilege]); 3] = [
    ("transactions", &[Privilege::Update]),
    ("anomalies", &[Privilege::Delete]),
    ("replaced_rows", &[Privilege::Select, Privilege::Insert]),
];

/// What a run must be allowed to do, too, if its detector has a state.
const STATEFUL: [(&str, &[Privilege]); 3] = [
    ("ingest_prunes", &[Privilege::Select]),
    ("detector_states", &[Privilege::Select, Privilege::Insert, Privilege::Delete]),
    ("detector_state_bases", &[Privilege::Select, Privilege::Insert]),
];

/// What a run must be allowed to do, too, if its detector learns from feedback.
const LEARNING: [(&str, &[Privilege]); 3] = [
    ("feedback", &[Privilege::Select]),
    ("kept_columns", &[Privilege::Select, Privilege::Insert]),
    ("replaced_rows", &[Privilege::Select]),
];

/// What `host feedback` must be allowed to do, too.
const LABELLING: [(&str, &[Privilege]); 1] =
    [("feedback", &[Privilege::Select, Privilege::Insert, Privilege::Lock])];

/// What undoing a run must be allowed to do.
const UNDOING: [(&str, &[Privilege]); 10] = [
    ("transactions", &[Privilege::Select, Privilege::Update, Privilege::Delete]),
    ("anomalies", &[Privilege::Select, Privilege::Insert, Privilege::Delete]),
    ("ingest_runs", &[Privilege::Select, Privilege::Update]),
    ("ingest_prunes", &[Privilege::Select]),
    ("rejected_rows", &[Privilege::Select, Privilege::Delete]),
    ("skipped_rows", &[Privilege::Select, Privilege::Delete]),
    ("replaced_rows", &[Privilege::Select, Privilege::Update]),
    ("detector_states", &[Privilege::Select, Privilege::Delete]),
    ("detector_state_bases", &[Privilege::Select, Privilege::Delete]),
    ("kept_columns", &[Privilege::Select, Privilege::Delete]),
];

/// What removing what is stored of a state must be allowed to do.
const SHRINKING: [(&str, &[Privilege]); 5] = [
    ("transactions", &[Privilege::Lock]),
    ("ingest_runs", &[Privilege::Select]),
    ("ingest_prunes", &[Privilege::Select, Privilege::Insert]),
    ("detector_states", &[Privilege::Select, Privilege::Delete]),
    ("detector_state_bases", &[Privilege::Select, Privilege::Insert, Privilege::Delete]),
];

/// Tables that are written by COPY, which ignores rules.
const COPIED: [&str; 4] = ["transactions", "anomalies", "rejected_rows", "skipped_rows"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Privilege {
    Select,
    Insert,
    /// To keep other writers out: UPDATE, DELETE or TRUNCATE.
    Lock,
    Update,
    Delete,
}

/// One row for each table that exists. Privileges on single columns are left to the server.
const QUERY: &str = "
    SELECT name, c.relkind::text, row_security_active(c.oid), pg_has_role(c.relowner, 'USAGE'),
        has_any_column_privilege(c.oid, 'SELECT'), has_any_column_privilege(c.oid, 'INSERT'),
        has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE'),
        (SELECT coalesce(array_agg(quote_ident(rulename) ORDER BY rulename), '{}') FROM pg_rewrite
         WHERE ev_class = c.oid AND ev_type = '3' AND ev_enabled IN ('O', 'A')),
        EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                  AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'transaction_id'),
        has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE')
    FROM unnest($1::text[]) AS name JOIN pg_class c ON c.oid = to_regclass(name)";

/// The role, the schema for new tables, whether it may create them there, and the sequences that it
/// needs but may not use.
const ROLE: &str = "
    SELECT quote_ident(current_user), quote_ident(current_schema()),
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
        (SELECT coalesce(array_agg(s.oid::regclass::text ORDER BY s.oid), '{}') FROM pg_class s
         WHERE CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END AND s.oid IN (
            SELECT d.refobjid FROM pg_attrdef f JOIN pg_depend d
                ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
            WHERE f.adrelid = to_regclass('anomalies')
            UNION ALL
            SELECT d.objid FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
              AND d.refobjid = to_regclass('ingest_runs')))";

/// What exists.
pub(crate) struct Relations {
    found: Vec<Relation>,
    role: String,
    /// `None` if no schema on the search path exists.
    schema: Option<String>,
    may_create: bool,
    locked_sequences: Vec<String>,
}

struct Relation {
    name: String,
    kind: String,
    has_row_security: bool,
    is_owned: bool,
    may_select: bool,
    may_insert: bool,
    may_lock: bool,
    may_update: bool,
    may_delete: bool,
    rules: Vec<String>,
    has_key: bool,
}

impl Relations {
    pub async fn look_up(connection: &Connection) -> Result<Relations, SinkError> {
        const DOING: &str = "look at the tables";
        let names: Vec<String> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        let parameters: [&dyn Parameter; 1] = [&names];
        let (found, role) =
            tokio::join!(connection.query(DOING, QUERY, &parameters), connection.query(DOING, ROLE, &[]));
        let (found, role) = (found?, role?);
        let role = role.first().ok_or(SinkError::StrangeAnswer("a question about the role"))?;
        Ok(Relations {
            found: found.iter().map(Relation::of).collect(),
            role: role.get(0),
            schema: role.get(1),
            may_create: role.get(2),
            locked_sequences: role.get(3),
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&Relation> {
        self.found.iter().find(|relation| relation.name == name)
    }

    /// Whether those that exist can be written to, and are the host's.
    ///
    /// # Errors
    /// Names the first that cannot, or all privileges that are missing.
    pub fn check_usable(&self) -> Result<(), SinkError> {
        for (name, _) in TABLES {
            if let Some(relation) = self.get(name) {
                relation.check_kind(name)?;
                relation.check_row_security(name, &self.role)?;
                relation.check_rules(name)?;
            }
        }
        self.check_privileges(&TABLES)
    }

    /// Whether rows may be replaced.
    ///
    /// # Errors
    /// Names all privileges that are missing.
    pub fn check_replaceable(&self) -> Result<(), SinkError> {
        self.check_privileges(&REPLACING)
    }

    /// Whether a state may be continued and written.
    ///
    /// # Errors
    /// Names all privileges that are missing.
    pub fn check_stateful(&self) -> Result<(), SinkError> {
        self.check_privileges(&STATEFUL)
    }

    /// Whether feedback may be handed to a detector, and columns kept for it.
    ///
    /// # Errors
    /// Names all privileges that are missing.
    pub fn check_learning(&self) -> Result<(), SinkError> {
        self.check_privileges(&LEARNING)
    }

    /// Whether what has become known of rows may be recorded.
    ///
    /// # Errors
    /// Names all privileges that are missing.
    pub fn check_labelling(&self) -> Result<(), SinkError> {
        self.check_privileges(&LABELLING)
    }

    /// Whether runs may be undone.
    ///
    /// # Errors
    /// Names the first table that hides rows from this role, or all privileges that are missing.
    pub fn check_undoable(&self) -> Result<(), SinkError> {
        self.check_removable(&UNDOING)
    }

    /// Whether what is stored of a state may be removed.
    ///
    /// # Errors
    /// Names the first table that hides rows from this role, or all privileges that are missing.
    pub fn check_shrinkable(&self) -> Result<(), SinkError> {
        self.check_removable(&SHRINKING)
    }

    fn check_removable(&self, needed: &[(&'static str, &[Privilege])]) -> Result<(), SinkError> {
        for &(name, _) in needed {
            if let Some(relation) = self.get(name) {
                relation.check_row_security(name, &self.role)?;
            }
        }
        self.check_privileges(needed)
    }

    /// Warns of the operator's rules that will not be applied.
    pub fn warn_of_rules(&self) {
        for Relation { name, rules, .. } in &self.found {
            if !rules.is_empty() && COPIED.contains(&name.as_str()) {
                let rules = rules.join(", ");
                tracing::warn!("rows are written to `{name}` by COPY, which ignores its rules: {rules}");
            }
        }
    }

    /// Whether all of them exist, as they do once the migrations have been applied.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check_complete(&self) -> Result<(), SinkError> {
        match TABLES.iter().find(|(name, _)| !self.has(name)) {
            None => Ok(()),
            Some((table, _)) => Err(SinkError::TableDoesNotFit {
                table,
                problem: "it is missing, although the migrations have been applied".into(),
                help: "was it dropped, or moved to a schema that is not on the search path? Restore it from a backup".into(),
            }),
        }
    }

    /// Whether migrations can be applied: nothing is in the way of what they create, and this role owns
    /// what they alter.
    ///
    /// # Errors
    /// Says what is in the way.
    pub fn check_room(&self, missing: &[&Migration]) -> Result<(), SinkError> {
        let Some(schema) = &self.schema else { return Err(SinkError::NoSchema) };
        for &table in missing.iter().flat_map(|migration| migration.creates) {
            if self.has(table) {
                return Err(SinkError::TableDoesNotFit {
                    table,
                    problem: "something else already has its name".into(),
                    help: crate::error::OTHER_SCHEMA.into(),
                });
            }
        }
        if !self.may_create {
            return Err(SinkError::PrivilegesMissing {
                role: self.role.clone(),
                grants: vec![format!("CREATE ON SCHEMA {schema}")],
            });
        }
        let altered = ["transactions", "anomalies", "ingest_runs", "ingest_files", "skipped_rows"];
        if let Some(table) = altered.into_iter().find(|name| self.get(name).is_some_and(|it| !it.is_owned)) {
            return Err(SinkError::NotOwner { table });
        }
        match self.get("transactions") {
            Some(transactions) if !transactions.has_key && !self.has("anomalies") => {
                Err(SinkError::TableDoesNotFit {
                    table: "transactions",
                    problem:
                        "it has no key of `transaction_id` alone, which the foreign key of `anomalies` needs"
                            .into(),
                    help: WITHOUT_FOREIGN_KEY.into(),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_privileges(&self, needed: &[(&str, &[Privilege])]) -> Result<(), SinkError> {
        let mut grants = Vec::new();
        for (name, needed) in needed {
            let Some(relation) = self.get(name) else { continue };
            let missing: Vec<_> = needed.iter().filter_map(|privilege| relation.lacks(*privilege)).collect();
            if !missing.is_empty() {
                grants.push(format!("{} ON {name}", missing.join(", ")));
            }
        }
        if !self.locked_sequences.is_empty() {
            grants.push(format!("USAGE ON SEQUENCE {}", self.locked_sequences.join(", ")));
        }
        if grants.is_empty() {
            return Ok(());
        }
        Err(SinkError::PrivilegesMissing { role: self.role.clone(), grants })
    }
}

const WITHOUT_FOREIGN_KEY: &str = "`ALTER TABLE transactions ADD PRIMARY KEY (transaction_id)`; where that is impossible, as in a table \
    that is partitioned by something else, create the other table without it: `CREATE TABLE anomalies (anomaly_id SERIAL PRIMARY KEY, \
    transaction_id INT UNIQUE NOT NULL, user_id INT NOT NULL, amount DECIMAL(10, 2) NOT NULL, \
    transaction_timestamp TIMESTAMP NOT NULL)`";

impl Relation {
    fn of(row: &Row) -> Relation {
        Relation {
            name: row.get(0),
            kind: row.get(1),
            has_row_security: row.get(2),
            is_owned: row.get(3),
            may_select: row.get(4),
            may_insert: row.get(5),
            may_lock: row.get(6),
            rules: row.get(7),
            has_key: row.get(8),
            may_update: row.get(9),
            may_delete: row.get(10),
        }
    }

    /// It must be an ordinary or a partitioned table: COPY cannot write to a view, nor can LOCK lock a
    /// foreign table.
    fn check_kind(&self, table: &'static str) -> Result<(), SinkError> {
        let kind = match self.kind.as_str() {
            "r" | "p" => return Ok(()),
            "v" => "a view",
            "m" => "a materialized view",
            "f" => "a foreign table",
            "S" => "a sequence",
            "c" => "a type",
            _ => "an index",
        };
        Err(SinkError::TableDoesNotFit {
            table,
            problem: format!("it is {kind}, and the host writes to tables only"),
            help: crate::error::OTHER_SCHEMA.into(),
        })
    }

    fn check_row_security(&self, table: &'static str, role: &str) -> Result<(), SinkError> {
        if !self.has_row_security {
            return Ok(());
        }
        Err(SinkError::TableDoesNotFit {
            table,
            problem: format!(
                "row-level security applies to the role `{role}` there, so it might not see every row, and COPY is refused"
            ),
            help: format!(
                "`ALTER ROLE {role} BYPASSRLS`, or let the host's role own the table without FORCE ROW LEVEL SECURITY"
            ),
        })
    }

    fn check_rules(&self, table: &'static str) -> Result<(), SinkError> {
        if self.rules.is_empty() || COPIED.contains(&table) {
            return Ok(());
        }
        let drop = self.rules.iter().map(|rule| format!("DROP RULE {rule} ON {table}"));
        Err(SinkError::TableDoesNotFit {
            table,
            problem: format!("rules change what is inserted: {}", self.rules.join(", ")),
            help: format!("`{}`", drop.collect::<Vec<_>>().join("; ")),
        })
    }

    /// What must be granted for a privilege that is missing.
    fn lacks(&self, privilege: Privilege) -> Option<&'static str> {
        let (may, name) = match privilege {
            Privilege::Select => (self.may_select, "SELECT"),
            Privilege::Insert => (self.may_insert, "INSERT"),
            Privilege::Lock => (self.may_lock, "UPDATE"),
            Privilege::Update => (self.may_update, "UPDATE"),
            Privilege::Delete => (self.may_delete, "DELETE"),
        };
        (!may).then_some(name)
    }
}

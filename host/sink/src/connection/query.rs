//! Queries without names. A named statement lives in the server's session, and behind a pooler in
//! transaction mode the next transaction of this connection may be in another session, where the
//! name means nothing, or somebody else's statement. So every query is parsed, bound and run in one
//! round trip, as the session's unnamed statement, which belongs to nobody.
//!
//! Texts are adapted to the database's [encoding](crate::connection::encoding) on their way.
//!
//! COPY is the exception: tokio-postgres only offers it with a named statement. It is only used within a
//! transaction, which has its session to itself; see [`Connection::skip_names`].

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, SimpleQueryMessage, SimpleQueryRow};

use crate::connection::connect::Connection;
use crate::connection::encoding::Encoding;
use crate::error::SinkError;

/// A value for a query whose type is known without asking the server.
pub(crate) trait Parameter: Sync {
    /// Its type on the server.
    fn sql_type(&self) -> Type;
    /// For tokio-postgres.
    fn as_sql(&self) -> &(dyn ToSql + Sync);
    /// What replaces it in a database that cannot hold all of its text; `None` if it can.
    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>>;
}

impl<T: SqlType + ToSql + Sync> Parameter for T {
    fn sql_type(&self) -> Type {
        T::TYPE
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }

    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        SqlType::storable(self, encoding)
    }
}

/// A Rust type that always maps to the same type on the server.
pub(crate) trait SqlType {
    const TYPE: Type;

    /// See [`Parameter::storable`].
    fn storable(&self, _: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        None
    }
}

macro_rules! sql_types {
    ($($rust:ty => $sql:ident),* $(,)?) => {
        $(impl SqlType for $rust { const TYPE: Type = Type::$sql; })*
    };
}

sql_types! {
    bool => BOOL,
    i32 => INT4,
    i64 => INT8,
    f64 => FLOAT8,
    [u8] => BYTEA,
    Vec<u8> => BYTEA,
    [i32] => INT4_ARRAY,
    Vec<i32> => INT4_ARRAY,
    [i64] => INT8_ARRAY,
    Vec<i64> => INT8_ARRAY,
    Vec<Option<i64>> => INT8_ARRAY,
    Vec<bool> => BOOL_ARRAY,
}

impl SqlType for String {
    const TYPE: Type = Type::TEXT;

    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        Some(Box::new(encoding.replaced(self)?))
    }
}

impl SqlType for Vec<String> {
    const TYPE: Type = Type::TEXT_ARRAY;

    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        let storable: Vec<_> = self.iter().map(|text| encoding.storable(text).into_owned()).collect();
        (storable != *self).then(|| Box::new(storable) as _)
    }
}

impl SqlType for Vec<Option<String>> {
    const TYPE: Type = Type::TEXT_ARRAY;

    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        let storable = |text: &Option<String>| Some(encoding.storable(text.as_ref()?).into_owned());
        let storable: Vec<_> = self.iter().map(storable).collect();
        (storable != *self).then(|| Box::new(storable) as _)
    }
}

impl<T: SqlType + ?Sized> SqlType for &T {
    const TYPE: Type = T::TYPE;

    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        T::storable(self, encoding)
    }
}

impl<T: SqlType> SqlType for Option<T> {
    const TYPE: Type = T::TYPE;

    fn storable(&self, encoding: &Encoding) -> Option<Box<dyn ToSql + Sync + Send>> {
        self.as_ref().and_then(|value| value.storable(encoding))
    }
}

impl Connection {
    /// The rows of a query; see [`answer`](Self::answer).
    pub(crate) async fn query(
        &self,
        doing: &'static str,
        query: &str,
        parameters: &[&dyn Parameter],
    ) -> Result<Vec<Row>, SinkError> {
        let storable: Vec<_> = parameters.iter().map(|value| value.storable(&self.encoding)).collect();
        let typed: Vec<_> = parameters
            .iter()
            .zip(&storable)
            .map(|(value, storable)| match storable {
                Some(storable) => (&**storable as &(dyn ToSql + Sync), value.sql_type()),
                None => (value.as_sql(), value.sql_type()),
            })
            .collect();
        self.answer(doing, self.client.query_typed(query, &typed)).await
    }

    /// The rows of one or several statements without parameters, as text, with a single message.
    pub(crate) async fn simple_query(
        &self,
        doing: &'static str,
        statements: &str,
    ) -> Result<Vec<SimpleQueryRow>, SinkError> {
        let answer = self.answer(doing, self.client.simple_query(statements)).await?;
        Ok(rows(answer))
    }

    /// Keeps tokio-postgres from choosing a statement name up to `s{taken}`: these are in use in the
    /// transaction's session. It counts names for the whole process, from 0, and the only way to move the
    /// counter on is to have it name statements that cannot be sent.
    pub(crate) async fn skip_names(&self, taken: u32) -> Result<(), SinkError> {
        /// Far more than any program leaves behind.
        const MOST: u32 = 1_000_000;
        if taken > MOST {
            return Err(SinkError::StatementNames);
        }
        for _ in 0..=taken {
            // A statement has no NUL, so this fails before anything is sent.
            let _ = self.client.prepare("\0").await;
        }
        Ok(())
    }
}

/// The rows among the messages of an answer.
pub(crate) fn rows(answer: Vec<SimpleQueryMessage>) -> Vec<SimpleQueryRow> {
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    answer.into_iter().filter_map(row).collect()
}

//! The numbers of users whose ids are texts.

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;

const QUERY: &str = "
    SELECT wanted.place, users.user_id::bigint
    FROM unnest($1::text[]) WITH ORDINALITY AS wanted (source_key, place) JOIN users USING (source_key)";

/// The numbers of these users; `None` for those who have none.
pub(crate) async fn numbers(connection: &Connection, keys: &[String]) -> Result<Vec<Option<i64>>, SinkError> {
    let keys = keys.to_vec();
    let parameters: [&dyn Parameter; 1] = [&keys];
    let mut numbers = vec![None; keys.len()];
    for row in connection.query("look up users", QUERY, &parameters).await? {
        let place = usize::try_from(row.get::<_, i64>(0) - 1).ok();
        if let Some(number) = place.and_then(|place| numbers.get_mut(place)) {
            *number = Some(row.get(1));
        }
    }
    Ok(numbers)
}

//! The clinic application's own tables: made and filled for the sandbox and the tests, never in an operator's database.
//!
//! The SQL stands in `application.sql` and `application_indexes.sql`, as the application's migrations leave it. Rows
//! go in by COPY; what is sealed arrives sealed.

use super::connect::Session;
use super::error::DbError;
use super::quote::{ident, table};
use std::io::Write;

/// Which deployment of the application is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With `"Client".ssn` and `"healthConditions"`.
    Full,
    /// Without them, as some deployments are.
    WithoutClientTier2,
}

/// The tables alone.
pub fn tables(shape: Shape) -> String {
    let sql = include_str!("application.sql");
    match shape {
        Shape::Full => sql.to_owned(),
        Shape::WithoutClientTier2 => {
            sql.lines().filter(|line| !line.ends_with("-- high tier")).map(|line| format!("{line}\n")).collect()
        }
    }
}

/// Indexes and foreign keys: after a bulk load, or at once.
pub fn indexes() -> &'static str {
    include_str!("application_indexes.sql")
}

/// Everything, in the order of a new deployment.
pub fn schema(shape: Shape) -> String {
    format!("{}\n{}", tables(shape), indexes())
}

/// Rows in COPY's text format, value by value.
#[derive(Default)]
pub struct Rows {
    bytes: Vec<u8>,
    inside: bool,
}

impl Rows {
    /// A value; the empty string is not NULL.
    pub fn text(&mut self, text: &str) -> &mut Rows {
        self.next();
        escape(&mut self.bytes, text);
        self
    }

    /// A sealed cell of a jsonb column: the envelope as a JSON string. An envelope has nothing to escape.
    pub fn json_string(&mut self, envelope: &str) -> &mut Rows {
        self.next();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(envelope.as_bytes());
        self.bytes.push(b'"');
        self
    }

    /// NULL.
    pub fn null(&mut self) -> &mut Rows {
        self.next();
        self.bytes.extend_from_slice(b"\\N");
        self
    }

    /// The end of a row.
    pub fn end(&mut self) {
        self.inside = false;
        self.bytes.push(b'\n');
    }

    /// Bytes held now.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn next(&mut self) {
        if self.inside {
            self.bytes.push(b'\t');
        }
        self.inside = true;
    }
}

fn escape(buffer: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'\\' => buffer.extend_from_slice(b"\\\\"),
            b'\t' => buffer.extend_from_slice(b"\\t"),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'\r' => buffer.extend_from_slice(b"\\r"),
            other => buffer.push(other),
        }
    }
}

impl Session {
    /// Makes a database beside the one this session is in, replacing one of that name.
    pub fn replace_database(&mut self, name: &str) -> Result<(), DbError> {
        self.client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name)))?;
        Ok(self.client.batch_execute(&format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", ident(name)))?)
    }

    /// True when a database of this name is on the server.
    pub fn has_database(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self
            .client
            .query_one("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", &[&name])?
            .get(0))
    }

    /// Makes the application's tables, without indexes.
    pub fn make_application_tables(&mut self, shape: Shape) -> Result<(), DbError> {
        Ok(self.client.batch_execute(&format!("SET search_path = public; {}", tables(shape)))?)
    }

    /// Adds indexes and foreign keys, then the statistics a living database would have.
    pub fn finish_application_tables(&mut self) -> Result<(), DbError> {
        self.client.batch_execute(&format!("SET search_path = public; {}", indexes()))?;
        Ok(self.client.batch_execute("VACUUM (ANALYZE)")?)
    }

    /// COPYs rows into a table of the application. `next` appends some rows to what it is given; none ends it.
    /// Returns the rows that went in.
    pub fn copy_into<E: From<DbError>>(
        &mut self,
        into: &str,
        columns: &[&str],
        mut next: impl FnMut(&mut Rows) -> Result<(), E>,
    ) -> Result<u64, E> {
        let columns: Vec<String> = columns.iter().map(|c| ident(c)).collect();
        let statement = format!("COPY {} ({}) FROM STDIN", table("public", into), columns.join(", "));
        let mut writer = self.client.copy_in(&statement).map_err(DbError::from)?;
        let mut rows = Rows::default();
        loop {
            rows.bytes.clear();
            next(&mut rows)?;
            if rows.is_empty() {
                break;
            }
            writer.write_all(&rows.bytes).map_err(|e| DbError {
                kind: super::DbErrorKind::Unreachable,
                sqlstate: None,
                message: e.to_string(),
            })?;
        }
        Ok(writer.finish().map_err(DbError::from)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_deployment_lacks_exactly_the_two_columns() {
        let (full, small) = (tables(Shape::Full), tables(Shape::WithoutClientTier2));
        assert!(full.contains("\"ssn\"") && full.contains("\"healthConditions\""));
        assert!(!small.contains("\"ssn\"") && !small.contains("\"healthConditions\""));
        assert_eq!(full.lines().count(), small.lines().count() + 2);
    }

    #[test]
    fn copy_text_escapes_what_copy_reads() {
        let mut rows = Rows::default();
        rows.text("a\tb\\c\nd").null().json_string("enc:v1:AA==").text("").end();
        rows.text("x").end();
        assert_eq!(rows.bytes, b"a\\tb\\\\c\\nd\t\\N\t\"enc:v1:AA==\"\t\nx\n");
    }
}

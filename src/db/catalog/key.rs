//! The columns that name a row, and the SQL they become: a row's name, ranges of rows, one row again.
//!
//! A row's name is text. Of one column: the value as PostgreSQL prints it. Of several: a JSON array of those texts, `["north","17"]`,
//! in the key's order, since any separator could stand in a value. The name is read back by casts to the columns' own types, so ranges
//! follow the types' own order, and several columns are compared as a row, which their index can answer. Never a value in the SQL text.

use crate::db::ident;

/// The columns of a key, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Vec<KeyColumn>);

/// A column of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    pub name: String,
    /// PostgreSQL's name of its type, for casts.
    pub type_name: String,
}

impl Key {
    /// Panics without a column: a map without one is refused before.
    pub(super) fn new(columns: Vec<KeyColumn>) -> Key {
        assert!(!columns.is_empty(), "a key has a column");
        Key(columns)
    }

    /// Its columns, in the order in which rows are compared.
    pub fn columns(&self) -> &[KeyColumn] {
        &self.0
    }

    /// The name of row `t`, as text.
    pub fn name(&self) -> String {
        name_from(&self.sql("t"))
    }

    /// `t."a", t."b"`: what rows are ordered by.
    pub fn order(&self) -> String {
        self.sql("t").join(", ")
    }

    /// The columns of row `t` under the names `k0`, `k1`, …, for a query around this one.
    pub fn numbered(&self) -> String {
        self.sql("t").iter().enumerate().map(|(n, column)| format!("{column} AS k{n}")).collect::<Vec<_>>().join(", ")
    }

    /// The name of row `s`, whose columns are `numbered`.
    pub fn numbered_name(&self) -> String {
        name_from(&(0..self.0.len()).map(|n| format!("s.k{n}")).collect::<Vec<_>>())
    }

    /// True of row `t` when it has the name that the expression `text` holds.
    pub fn is(&self, text: &str) -> String {
        let columns = self.sql("t").into_iter().zip(self.values(text));
        columns.map(|(column, value)| format!("{column} = {value}")).collect::<Vec<_>>().join(" AND ")
    }

    /// True of row `t` when its key compares so (`>`, `<=`) with the name in `text`.
    pub fn compares(&self, operator: &str, text: &str) -> String {
        let (columns, values) = (self.sql("t"), self.values(text));
        match (columns.as_slice(), values.as_slice()) {
            ([column], [value]) => format!("{column} {operator} {value}"),
            _ => format!("({}) {operator} ({})", columns.join(", "), values.join(", ")),
        }
    }

    /// True of row `t` when its name is one of the text array `names`.
    pub fn among(&self, names: &str) -> String {
        match self.0.as_slice() {
            [one] => format!("t.{} = ANY (({names})::{}[])", ident(&one.name), one.type_name),
            _ => format!(
                "({}) IN (SELECT {} FROM unnest({names}) AS n(name))",
                self.order(),
                self.values("n.name").join(", ")
            ),
        }
    }

    fn sql(&self, row: &str) -> Vec<String> {
        self.0.iter().map(|column| format!("{row}.{}", ident(&column.name))).collect()
    }

    fn values(&self, text: &str) -> Vec<String> {
        match self.0.as_slice() {
            [one] => vec![format!("{text}::{}", one.type_name)],
            several => several
                .iter()
                .enumerate()
                .map(|(n, column)| format!("({text}::json->>{n})::{}", column.type_name))
                .collect(),
        }
    }
}

fn name_from(columns: &[String]) -> String {
    match columns {
        [one] => format!("{one}::text"),
        several => {
            let texts: Vec<String> = several.iter().map(|column| format!("{column}::text")).collect();
            format!("to_json(ARRAY[{}])::text", texts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(columns: &[(&str, &str)]) -> Key {
        let column = |(name, type_name): &(&str, &str)| KeyColumn {
            name: (*name).to_owned(),
            type_name: (*type_name).to_owned(),
        };
        Key::new(columns.iter().map(column).collect())
    }

    #[test]
    fn one_column_is_compared_as_itself() {
        let one = key(&[("id", "uuid")]);
        assert_eq!(one.name(), "t.\"id\"::text");
        assert_eq!(one.is("u.id"), "t.\"id\" = u.id::uuid");
        assert_eq!(one.compares(">", "($2::text)"), "t.\"id\" > ($2::text)::uuid");
        assert_eq!(one.among("$2::text[]"), "t.\"id\" = ANY (($2::text[])::uuid[])");
    }

    #[test]
    fn several_columns_are_compared_as_a_row() {
        let two = key(&[("org", "text"), ("n", "bigint")]);
        assert_eq!(two.name(), "to_json(ARRAY[t.\"org\"::text, t.\"n\"::text])::text");
        assert_eq!(two.is("u.id"), "t.\"org\" = (u.id::json->>0)::text AND t.\"n\" = (u.id::json->>1)::bigint");
        let row = "(t.\"org\", t.\"n\") <= ((($2::text)::json->>0)::text, (($2::text)::json->>1)::bigint)";
        assert_eq!(two.compares("<=", "($2::text)"), row);
        assert_eq!(two.numbered(), "t.\"org\" AS k0, t.\"n\" AS k1");
    }
}

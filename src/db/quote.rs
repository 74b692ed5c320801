//! The one function that turns a configured name into SQL.

/// A quoted identifier: `we"ird` becomes `"we""ird"`. NUL cannot occur in PostgreSQL text and is dropped.
pub fn ident(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars().filter(|c| *c != '\0') {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A schema-qualified, quoted table name.
pub fn table(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(ident("Note"), "\"Note\"");
        assert_eq!(ident("a\"; drop table x; --"), "\"a\"\"; drop table x; --\"");
        assert_eq!(ident("n\0ul"), "\"nul\"");
        assert_eq!(table("public", "Note"), "\"public\".\"Note\"");
    }
}

//! libpq's password file: lines of `host:port:database:user:password`, `*` for any, `\:` and `\\` for the characters themselves.
//! Pure: whoever reads the file also checks that nobody else can. The first line that fits wins (PostgreSQL docs, 34.16).

use zeroize::Zeroizing;

/// The password for a place, if a line fits. A Unix socket is asked for as `localhost`.
pub fn password_in(text: &str, host: &str, port: u16, dbname: &str, user: &str) -> Option<Zeroizing<String>> {
    let host = if host.starts_with('/') { "localhost" } else { host };
    let port = port.to_string();
    let wanted = [host, &port, dbname, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line).into_iter();
        for want in wanted {
            let (field, literal) = fields.next()?;
            if *field != *want && (literal || field.as_str() != "*") {
                return None;
            }
        }
        fields.next().map(|(password, _)| password)
    })
}

/// The fields of a line, each with whether it held an escape (an escaped `*` is not a wildcard).
fn fields(line: &str) -> Vec<(Zeroizing<String>, bool)> {
    let mut all = vec![(Zeroizing::new(String::new()), false)];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let count = all.len();
        let (field, literal) = &mut all[count - 1];
        match c {
            '\\' => {
                *literal = true;
                field.extend(chars.next());
            }
            ':' if count < 5 => all.push((Zeroizing::new(String::new()), false)),
            c => field.push(c),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let text = "# comment\ndb1:5432:clinic:app:first\n*:*:*:app:any\n*:*:*:od\\:d:with\\:colon\\\\s:x\n";
        let find = |host, port, db, user| password_in(text, host, port, db, user).map(|p| p.to_string());
        assert_eq!(find("db1", 5432, "clinic", "app").as_deref(), Some("first"));
        assert_eq!(find("db2", 5432, "clinic", "app").as_deref(), Some("any"));
        assert_eq!(find("/tmp", 1, "x", "od:d").as_deref(), Some("with:colon\\s:x"));
        assert_eq!(find("db1", 5432, "clinic", "nobody"), None);
    }
}

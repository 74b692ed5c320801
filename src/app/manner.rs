//! For whom a run answers: told from the words themselves, before clap has spoken, so that even a wrong command line is answered to
//! whoever reads it. `health --format` alone has a choice; `--json` goes before it.

/// Who reads the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Person,
    Json,
    /// One line with a status word, and Nagios's exit codes.
    Nagios,
}

impl Manner {
    /// What these words ask for.
    pub(super) fn of<'w>(words: impl Iterator<Item = &'w str>) -> Manner {
        let words: Vec<&str> = words.collect();
        let format = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--format") {
            Some("") => words.get(at + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        });
        match format.filter(|_| words.contains(&"health")) {
            _ if words.contains(&"--json") => Manner::Json,
            Some("json") => Manner::Json,
            Some("nagios") => Manner::Nagios,
            _ => Manner::Person,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_told_from_the_words() {
        let of = |line: &str| Manner::of(line.split(' '));
        assert_eq!(of("health"), Manner::Person);
        assert_eq!(of("health --format nagios"), Manner::Nagios);
        assert_eq!(of("-q health --deep --format=nagios"), Manner::Nagios);
        assert_eq!(of("health --format json"), Manner::Json);
        assert_eq!(of("health --format nagios --json"), Manner::Json);
        assert_eq!(of("keys list --format nagios"), Manner::Person);
        assert_eq!(of("health --format"), Manner::Person);
    }
}

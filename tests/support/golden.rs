//! Golden files under `tests/golden`: what was said, with everything that differs from run to run replaced by its name.
//!
//! `UPDATE_GOLDEN=1` writes them anew; otherwise a difference fails and shows both. One `Golden` stands for one folder, and a
//! file in it that no test made fails too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One folder of golden files. `finish` says all differences at once.
pub struct Golden {
    folder: PathBuf,
    update: bool,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Golden {
    /// The files of `tests/golden/<folder>`.
    pub fn of(folder: &str) -> Golden {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        std::fs::create_dir_all(&folder).unwrap();
        Golden { folder, update, seen: BTreeSet::new(), wrong: Vec::new() }
    }

    /// Compares with `<name>.txt`. Control characters but the line feed are written out.
    pub fn compare(&mut self, name: &str, text: &str) {
        let file = format!("{name}.txt");
        let text: String = text.chars().fold(String::new(), |mut out, c| {
            if c.is_control() && c != '\n' {
                out.extend(c.escape_unicode())
            } else {
                out.push(c)
            }
            out
        });
        let path = self.folder.join(&file);
        assert!(self.seen.insert(file), "{name} was compared before");
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if kept == text {
            return;
        }
        if self.update {
            std::fs::write(&path, text).unwrap();
        } else {
            self.wrong.push(format!("{}\n--- kept\n{kept}--- now\n{text}", path.display()));
        }
    }

    /// Panics with every difference, and with files that are not compared with anything any more.
    pub fn finish(self) {
        let mut wrong = self.wrong;
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let entry = entry.unwrap();
            if self.seen.contains(&*entry.file_name().to_string_lossy()) {
                continue;
            }
            if self.update {
                std::fs::remove_file(entry.path()).unwrap();
            } else {
                wrong.push(format!("{} is compared with nothing", entry.path().display()));
            }
        }
        assert!(
            wrong.is_empty(),
            "{}\nIf that is what it should say: UPDATE_GOLDEN=1 cargo nextest run -E 'test(golden)'",
            wrong.join("\n\n")
        );
    }
}

/// What differs from run to run, and the name it gets instead.
#[derive(Default)]
pub struct Mask(Vec<(String, &'static str)>);

impl Mask {
    /// With these texts masked too, wherever they stand as a whole.
    pub fn with(known: impl IntoIterator<Item = (String, &'static str)>) -> Mask {
        let mut known: Vec<_> = known.into_iter().collect();
        known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        assert!(known.iter().all(|(text, _)| !text.is_empty()));
        Mask(known)
    }

    /// `text` with names in place of what differs. Columns stay columns.
    pub fn apply(&self, text: &str) -> String {
        text.lines().map(|line| self.line(line) + "\n").collect()
    }

    fn line(&self, line: &str) -> String {
        // Columns that this line's names have won (or lost) so far; the next gap between columns pays them back.
        let (mut out, mut at, mut won) = (String::new(), 0, 0_isize);
        while at < line.len() {
            let rest = &line[at..];
            let gap = rest.len() - rest.trim_start_matches(' ').len();
            if gap >= 2 {
                let wanted = (gap as isize + won).max(2);
                won += gap as isize - wanted;
                out.push_str(&" ".repeat(wanted as usize));
                at += gap;
                continue;
            }
            let inside = out.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
            if let Some((length, name)) = self.find(rest).filter(|_| !inside) {
                won += rest[..length].chars().count() as isize - name.chars().count() as isize;
                out.push_str(name);
                at += length;
            } else {
                let c = rest.chars().next().unwrap();
                out.push(c);
                at += c.len_utf8();
            }
        }
        out
    }

    /// Length and name of what begins here.
    fn find(&self, rest: &str) -> Option<(usize, &'static str)> {
        let whole = |length: usize| !rest[length..].starts_with(|c: char| c.is_ascii_alphanumeric());
        if let Some((text, name)) = self.0.iter().find(|(text, _)| rest.starts_with(text.as_str()) && whole(text.len()))
        {
            return Some((text.len(), name));
        }
        let finders =
            [(uuid as fn(&str) -> Option<usize>, "<uuid>"), (time, "<time>"), (digest, "<digest>"), (measured, "<n>")];
        let known =
            |(find, name): &(fn(&str) -> Option<usize>, &'static str)| Some((find(rest).filter(|n| whole(*n))?, *name));
        finders.iter().find_map(known).or_else(|| Some((server_version(rest)?, "PostgreSQL <version>")))
    }
}

/// Length of `pattern` at the beginning: `x` is a hexadecimal digit, `0` a decimal one, everything else itself.
fn shape(rest: &str, pattern: &str) -> Option<usize> {
    let head = rest.get(..pattern.len())?;
    let fits = |(c, p): (char, char)| match p {
        'x' => matches!(c, '0'..='9' | 'a'..='f'),
        '0' => c.is_ascii_digit(),
        p => c == p,
    };
    head.chars().zip(pattern.chars()).all(fits).then_some(pattern.len())
}

fn uuid(rest: &str) -> Option<usize> {
    shape(rest, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

fn time(rest: &str) -> Option<usize> {
    let length = shape(rest, "0000-00-00T00:00:00").or_else(|| shape(rest, "0000-00-00 00:00:00"))?;
    let tail = &rest[length..];
    let fraction =
        tail.strip_prefix('.').map_or(0, |t| 1 + t.len() - t.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    Some(length + fraction + usize::from(tail[fraction..].starts_with('Z')))
}

/// Twelve hexadecimal digits or more; an account's number is none.
fn digest(rest: &str) -> Option<usize> {
    let length = rest.len() - rest.trim_start_matches(|c| matches!(c, '0'..='9' | 'a'..='f')).len();
    (length >= 12 && !(length == 12 && rest.starts_with("111122223333"))).then_some(length)
}

/// A number that a clock or the machine decides, by the unit behind it.
fn measured(rest: &str) -> Option<usize> {
    let length = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',' || c == '.').len();
    let unit = rest[length..].strip_prefix(' ')?;
    let units = ["s", "cells/s", "workers"];
    let fits = units.contains(&unit.split([' ', ',', '.', ')', ';']).next()?) || unit.starts_with("rows to go");
    (length > 0 && fits).then_some(length)
}

fn server_version(rest: &str) -> Option<usize> {
    let name = "PostgreSQL ";
    rest.strip_prefix(name).filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))?;
    rest.find(',')
}

//! Tables for stdout: a light form fitted to the terminal, and a borderless one in a pipe that `awk` and `cut` can read.
//! Cells are plain text and escaped here.

use super::{Ui, escaped};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

impl Ui {
    /// A table for stdout, fitted to `width`. Cells are plain text; right-aligned columns by index.
    /// Without rows there is nothing to show but the header.
    pub fn table(&self, header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty();
        if self.out_is_terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(self.width()).unwrap_or(u16::MAX));
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(header.iter().map(|text| Cell::new(text.to_uppercase())));
        for row in rows {
            table.add_row(row.iter().map(|text| Cell::new(escaped(text))));
        }
        for index in right {
            if let Some(column) = table.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let mut text = lines.join("\n");
        if let Some(first) = lines.first() {
            text.replace_range(..first.len(), &self.strong(first));
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Flags;
    use crate::ui::{Terminal, Ui};

    fn table_at(width: usize) -> String {
        let (terminal, _, _) = Terminal::for_test(width);
        let ui = Ui::new(&terminal, &Flags::default(), true);
        let long = "a sentence that is much too long for a narrow terminal and has to be wrapped somewhere";
        ui.table(
            &["name", "cells", "what"],
            &[vec!["acme".into(), "12".into(), long.into()], vec!["b\x1b[1m".into(), "3456".into(), "short".into()]],
            &[1],
        )
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let text = table_at(60);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.lines().count() > 3);
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn in_a_pipe_one_row_is_one_line() {
        let text = table_at(0);
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("NAME"));
        assert!(text.contains("acme           12  a sentence"), "{text}");
    }
}

//! One table: a line for each figure, with the median of its rounds and how far they lie apart.

use std::fmt::Write as _;

use serde::Serialize;

/// Everything that a run has found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub figures: Vec<Figure>,
    /// Why the run scores zero: what was lost, doubled, reordered, or did not run.
    pub failures: Vec<String>,
}

/// One figure over its rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// What was done, under which conditions.
    pub line: String,
    pub name: String,
    pub unit: &'static str,
    /// In the order of the rounds.
    pub rounds: Vec<f64>,
}

impl Figure {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted[..] {
            [] => 0.0,
            _ => f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]),
        }
    }

    fn extent(&self) -> (f64, f64) {
        self.rounds.iter().fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(*value), max.max(*value)))
    }
}

impl Report {
    /// One more round of a figure. Says it at once: runs are long.
    pub(crate) fn add(&mut self, line: &str, name: &str, unit: &'static str, value: f64) {
        eprintln!("  {line}: {name} {} {unit}", short(value));
        match self.figures.iter_mut().find(|figure| figure.line == line && figure.name == name) {
            Some(figure) => figure.rounds.push(value),
            None => self.figures.push(Figure {
                line: line.to_owned(),
                name: name.to_owned(),
                unit,
                rounds: vec![value],
            }),
        }
    }

    /// The median of a figure, if it was measured.
    pub(crate) fn median(&self, line: &str, name: &str) -> Option<f64> {
        let found = self.figures.iter().find(|figure| figure.line == line && figure.name == name);
        found.map(Figure::median)
    }

    /// How one figure stands to another of the same run: round by round, because both move with the machine.
    pub(crate) fn ratio(&mut self, line: &str, name: &str, of: (&str, &str), to: (&str, &str)) {
        let rounds = |(line, name): (&str, &str)| {
            let found = self.figures.iter().find(|figure| figure.line == line && figure.name == name);
            found.map(|figure| figure.rounds.clone()).unwrap_or_default()
        };
        let ratios: Vec<f64> = rounds(of).iter().zip(rounds(to)).map(|(of, to)| of / to).collect();
        for ratio in ratios {
            self.add(line, name, "×", ratio);
        }
    }

    pub(crate) fn fail(&mut self, what: String) {
        eprintln!("FAILED {what}");
        self.failures.push(what);
    }

    /// The table as Markdown, aligned, so that it reads in a terminal too.
    pub(crate) fn to_markdown(&self) -> String {
        let mut rows =
            vec![["what".to_owned(), "figure".to_owned(), "median".to_owned(), "min to max".to_owned()]];
        let mut last = "";
        for figure in &self.figures {
            let line = if figure.line == last { "" } else { &figure.line };
            last = &figure.line;
            let (min, max) = figure.extent();
            let extent = if figure.rounds.len() > 1 {
                format!("{} to {}", short(min), short(max))
            } else {
                String::new()
            };
            rows.push([
                line.to_owned(),
                figure.name.clone(),
                format!("{} {}", short(figure.median()), figure.unit),
                extent,
            ]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        let mut text = String::new();
        for (n, row) in rows.iter().enumerate() {
            let cells: Vec<_> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if n == 0 {
                let _ = writeln!(text, "| {} |", widths.map(|width| "-".repeat(width)).join(" | "));
            }
        }
        for failure in &self.failures {
            let _ = writeln!(text, "\n**Failed**: {failure}");
        }
        text
    }
}

/// A number with the digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        1000.0.. => {
            let digits = format!("{value:.0}");
            let head = digits.len() % 3;
            let mut groups: Vec<&str> = Vec::new();
            groups.extend((head > 0).then_some(&digits[..head]));
            groups.extend((head..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
            groups.join(",")
        }
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        for (value, text) in
            [(0.123, "0.12"), (12.34, "12.3"), (999.4, "999"), (1234.5, "1,234"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_line_has_the_median_and_how_far_the_rounds_lie_apart() {
        let mut report = Report::default();
        for value in [3.0, 1.0, 2.0] {
            report.add("sends", "rate", "/s", value);
            report.add("peer", "rate", "/s", value / 2.0);
        }
        report.ratio("ratio", "sends to the peer's", ("sends", "rate"), ("peer", "rate"));
        assert_eq!(report.median("sends", "rate"), Some(2.0));
        let text = report.to_markdown();
        assert!(text.contains("| 2.00 /s | 1.00 to 3.00 |"), "{text}");
        assert!(text.contains("| 2.00 ×  | 2.00 to 2.00 |"), "{text}");
    }
}

//! A screen as an SVG: text in the colours of a dark terminal, to be scaled and searched.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// Pixels of a character, and around all of them.
const COLUMN: f32 = 7.83;
const ROW: u32 = 18;
const MARGIN: u32 = 16;

const BACKGROUND: &str = "#0d1117";
const FOREGROUND: &str = "#e6edf3";
const FONT: &str = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";
/// The first eight colours, then their bright ones.
const PALETTE: [&str; 16] = [
    "#484f58", "#ff7b72", "#7ee787", "#d29922", "#79c0ff", "#d2a8ff", "#76e3ea", "#b1bac4", "#6e7681", "#ffa198",
    "#56d364", "#e3b341", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#f0f6fc",
];

/// How a cell looks.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    ink: &'static str,
    paper: Option<&'static str>,
    bold: bool,
    dim: bool,
}

/// Draws the screen.
pub fn picture(screen: &Screen, label: &str) -> String {
    let (rows, columns) = screen.size();
    let width = (f32::from(columns.get()) * COLUMN).ceil() + 2.0 * MARGIN as f32;
    let height = u32::from(rows.get()) * ROW + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"{FONT}\" font-size=\"13\" fill=\"{FOREGROUND}\">\n",
        escaped(label)
    );
    for row in 0..rows.get() {
        for run in runs(screen, row, columns.get()) {
            draw(&mut svg, row, &run);
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Cells side by side that look the same.
struct Run {
    column: u16,
    text: String,
    look: Look,
}

fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else { continue };
        let text = if cell.has_contents() { cell.contents() } else { " " };
        let look = look(cell);
        match runs.last_mut() {
            Some(run) if run.look == look => run.text.push_str(text),
            _ => runs.push(Run { column, text: text.to_owned(), look }),
        }
    }
    runs
}

/// A run is stretched to its cells, whatever font there is.
fn draw(svg: &mut String, row: u16, run: &Run) {
    let Run { column, text, look } = run;
    let (x, y) = (MARGIN as f32 + f32::from(*column) * COLUMN, MARGIN + u32::from(row) * ROW);
    let width = text.chars().count() as f32 * COLUMN;
    if let Some(paper) = look.paper {
        let _ = writeln!(svg, "<rect x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" height=\"{ROW}\" fill=\"{paper}\"/>");
    }
    if text.trim().is_empty() {
        return;
    }
    let bold = if look.bold { " font-weight=\"bold\"" } else { "" };
    let dim = if look.dim { " opacity=\"0.6\"" } else { "" };
    let _ = writeln!(
        svg,
        "<text x=\"{x:.2}\" y=\"{}\" textLength=\"{width:.2}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{bold}{dim} \
         xml:space=\"preserve\">{}</text>",
        y + 14,
        look.ink,
        escaped(text)
    );
}

fn look(cell: &Cell) -> Look {
    let ink = colour(cell.fgcolor()).unwrap_or(FOREGROUND);
    let paper = colour(cell.bgcolor());
    let (bold, dim) = (cell.bold(), cell.dim());
    if cell.inverse() {
        Look { ink: paper.unwrap_or(BACKGROUND), paper: Some(ink), bold, dim }
    } else {
        Look { ink, paper, bold, dim }
    }
}

fn colour(colour: Color) -> Option<&'static str> {
    match colour {
        Color::Idx(index) => PALETTE.get(usize::from(index)).copied(),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use vt100::Parser;

    use super::*;

    #[test]
    fn colours_and_text() {
        let mut parser = Parser::new(2.try_into().unwrap(), 10.try_into().unwrap(), 0);
        parser.process(b"a<b\x1b[31;1mred\x1b[0m\r\n\x1b[7mrev\x1b[0m");
        let svg = picture(parser.screen(), "a \"screen\"");
        for part in
            ["aria-label=\"a &quot;screen&quot;\"", ">a&lt;b</text>", "fill=\"#ff7b72\" font-weight=\"bold\"", ">rev<"]
        {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert!(svg.contains(&format!("height=\"18\" fill=\"{FOREGROUND}\"/>")), "{svg}");
    }
}

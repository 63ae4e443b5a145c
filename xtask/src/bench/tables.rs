//! The tables, in Markdown, to be read as they are and to be put into BENCHMARKS.md.

use indicatif::HumanCount;

use super::contenders::Contender;
use super::loads::{Loads, median, median_seconds};
use super::machine::Machine;
use super::measure::Measured;
use super::memory::Memory;
use super::spec::Bench;

const MIB: f64 = (1 << 20) as f64;
/// The sizes that the budgets are about.
const FEW_ROWS: u64 = 1_800;
const MANY_ROWS: u64 = 2_000_000;

/// Everything on standard output.
#[allow(clippy::print_stdout, reason = "a benchmark prints what it found")]
pub fn print(before: &Machine, load_after: &str, bench: &Bench, sizes: &[Loads], memory: &[Memory]) {
    println!("### Machine\n\n{}", machine(before, load_after, bench));
    println!("### Loads\n\n{}", loads(sizes));
    println!("### Peak memory of `host run`\n\n{}", peaks(memory));
    println!("### Budgets\n\n{}", budgets(sizes, memory));
}

fn machine(before: &Machine, load_after: &str, bench: &Bench) -> String {
    let load = format!("{} at the beginning, {load_after} at the end", before.load_average);
    let facts = before.facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
    let others =
        [vec!["Python".into(), bench.python.description()], vec!["load of 1, 5, 15 minutes".into(), load]];
    table(&["", ""], &facts.chain(others).collect::<Vec<_>>())
}

fn loads(sizes: &[Loads]) -> String {
    let mut lines = Vec::new();
    for loads in sizes {
        for (who, measured) in &loads.by_contender {
            lines.push(load(loads, *who, measured));
        }
    }
    table(
        &[
            "rows",
            "rounds",
            "loaded by",
            "rows/s",
            "wall s",
            "from – to",
            "× CSV",
            "× binary",
            "client CPU s",
            "µs/row",
            "server CPU s",
            "peak RSS MiB",
        ],
        &lines,
    )
}

fn load(loads: &Loads, who: Contender, measured: &[Measured]) -> Vec<String> {
    let wall = median_seconds(measured, |load| load.wall);
    let client_cpu = median_seconds(measured, |load| load.client_cpu);
    let walls = || measured.iter().map(|load| load.wall.as_secs_f64());
    let ratio = |to| loads.ratio(who, to).map_or("–".into(), |ratio| format!("{ratio:.2}"));
    vec![
        HumanCount(loads.rows).to_string(),
        loads.rounds.to_string(),
        who.name().to_owned(),
        HumanCount((loads.rows as f64 / wall).round() as u64).to_string(),
        format!("{wall:.3}"),
        format!("{:.3} – {:.3}", walls().fold(f64::NAN, f64::min), walls().fold(f64::NAN, f64::max)),
        ratio(Contender::CopyCsv),
        ratio(Contender::CopyBinary),
        format!("{client_cpu:.3}"),
        format!("{:.2}", client_cpu * 1e6 / loads.rows as f64),
        format!("{:.2}", median_seconds(measured, |load| load.server_cpu)),
        format!("{:.1}", median(measured.iter().map(|load| load.peak_rss_bytes as f64 / MIB).collect())),
    ]
}

fn peaks(memory: &[Memory]) -> String {
    let lines = memory.iter().map(|line| {
        vec![
            HumanCount(line.rows).to_string(),
            line.case.clone(),
            format!("{:.1}", line.peak_rss_bytes as f64 / MIB),
            line.own_peak_rss_bytes.map_or("–".into(), |bytes| format!("{:.1}", bytes as f64 / MIB)),
            format!("{:.3}", line.wall_seconds),
        ]
    });
    table(&["rows", "what", "peak RSS MiB (most)", "as the host says", "wall s"], &lines.collect::<Vec<_>>())
}

/// Those that this benchmark measures, where a size that they are about was loaded.
fn budgets(sizes: &[Loads], memory: &[Memory]) -> String {
    let of = |rows| sizes.iter().find(|loads| loads.rows == rows);
    let mut lines = Vec::new();
    let mut line = |what: &str, budget: &str, measured: String| {
        lines.push(vec![what.to_owned(), budget.to_owned(), measured]);
    };
    if let Some(loads) = of(MANY_ROWS) {
        for (to, name, budget) in [
            (Contender::CopyCsv, "2M rows, wall time, to `\\copy` of CSV", "≤ 0.85"),
            (Contender::CopyBinary, "2M rows, wall time, to `\\copy` of binary", "≤ 1.10"),
        ] {
            if let Some(ratio) = loads.ratio(Contender::Host, to) {
                line(name, budget, format!("{ratio:.2}"));
            }
        }
        if let Some(measured) = loads.of(Contender::Host) {
            let micros = median_seconds(measured, |load| load.client_cpu) * 1e6 / MANY_ROWS as f64;
            line("2M rows, client CPU", "≤ 1 µs a row", format!("{micros:.2} µs a row"));
        }
    }
    if let Some(measured) = of(FEW_ROWS).and_then(|loads| loads.of(Contender::Host)) {
        let milliseconds = median_seconds(measured, |load| load.wall) * 1e3;
        line("1,800 rows, start to exit", "≤ 50 ms", format!("{milliseconds:.0} ms"));
    }
    let most = memory.iter().map(|line| line.peak_rss_bytes).max().unwrap_or(0) as f64 / MIB;
    let largest = HumanCount(memory.iter().map(|line| line.rows).max().unwrap_or(0));
    line(&format!("peak memory, all cases, up to {largest} rows"), "≤ 64 MiB", format!("{most:.1} MiB"));
    table(&["what", "budget", "measured"], &lines)
}

/// Aligned, for those who read it as text: numbers to the right, words to the left.
fn table(header: &[&str], lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column)).map(String::as_str);
        cells.chain([header[column], "---"]).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let is_number = |column: usize| {
        let is_numeric = |text: &str| text.chars().all(|c| c.is_ascii_digit() || " ,.–".contains(c));
        lines.iter().filter_map(|line| line.get(column)).all(|cell| is_numeric(cell))
    };
    let shape: Vec<(usize, bool)> = (0..header.len()).map(|i| (width(i), is_number(i))).collect();
    let row = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&shape).map(|(cell, &(width, is_number))| match is_number {
            true => format!("| {cell:>width$} "),
            false => format!("| {cell:<width$} "),
        });
        format!("{}|\n", cells.collect::<String>())
    };
    let rule = shape.iter().map(|&(width, is_number)| match is_number {
        true => format!("| {}: ", "-".repeat(width - 1)),
        false => format!("| {} ", "-".repeat(width)),
    });
    let rule = format!("{}|\n", rule.collect::<String>());
    let body = lines.iter().map(|line| row(&mut line.iter().map(String::as_str)));
    row(&mut header.iter().copied()) + &rule + &body.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn numbers_stand_to_the_right() {
        let lines = [vec!["1".into(), "a".into()], vec!["1,800".into(), "bcd".into()]];
        assert_eq!(
            table(&["n", "what"], &lines),
            "|     n | what |\n| ----: | ---- |\n|     1 | a    |\n| 1,800 | bcd  |\n"
        );
    }
}

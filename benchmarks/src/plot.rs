//! Line plots as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;
const COLORS: [&str; 8] = ["#1b6ca8", "#d1495b", "#2e933c", "#e08e0b", "#6d4c9f", "#008b8b", "#7a5230", "#555555"];

/// A plot of lines over a logarithmic axis of x and of y, each from the least to the greatest value.
pub struct Plot<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot<'_> {
    pub fn svg(&self) -> String {
        let xs = ticks_between(self.points().map(|point| point.0));
        let ys = ticks_between(self.points().map(|point| point.1));
        let place = |x: f64, y: f64| (along(&xs, x, LEFT, WIDTH - RIGHT), along(&ys, y, HEIGHT - BOTTOM, TOP));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        text(&mut svg, LEFT, 24.0, "start", &format!("<tspan font-weight=\"bold\" font-size=\"14\">{}</tspan>", self.title));
        for &y in &ys {
            let (_, at) = place(xs[0], y);
            let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#ddd\"/>", WIDTH - RIGHT);
            text(&mut svg, LEFT - 8.0, at + 4.0, "end", &short(y));
        }
        for &x in &self.marks(&xs) {
            let (at, _) = place(x, ys[0]);
            let _ = writeln!(svg, "<path d=\"M{at:.1} {TOP}V{}\" stroke=\"#ddd\"/>", HEIGHT - BOTTOM);
            text(&mut svg, at, HEIGHT - BOTTOM + 18.0, "middle", &short(x));
        }
        text(&mut svg, f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 14.0, "middle", self.x);
        let middle = f64::midpoint(TOP, HEIGHT - BOTTOM);
        let _ = writeln!(
            svg,
            "<text transform=\"translate(18 {middle}) rotate(-90)\" text-anchor=\"middle\" fill=\"#222\">{}</text>",
            self.y
        );
        for (index, (name, points)) in self.lines.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let places: Vec<_> = points.iter().map(|&(x, y)| place(x, y)).collect();
            let line: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ =
                writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>", line.join(" "));
            for (x, y) in places {
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
            }
            let at = TOP + 10.0 + 20.0 * index as f64;
            let legend = WIDTH - RIGHT + 14.0;
            let _ = writeln!(svg, "<path d=\"M{legend} {at}h18\" stroke=\"{color}\" stroke-width=\"3\"/>");
            text(&mut svg, legend + 24.0, at + 4.0, "start", name);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.lines.iter().flat_map(|(_, points)| points.iter().copied())
    }

    /// Where the x axis is marked: at the values, where they are few.
    fn marks(&self, ticks: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = self.points().map(|point| point.0).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        if values.len() <= 8 { values } else { ticks.to_vec() }
    }
}

/// 1, 2 and 5 of each power of ten, from the last below the values to the first above them.
fn ticks_between(values: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let greatest = values.fold(0.0, f64::max);
    if !least.is_finite() || least <= 0.0 {
        return vec![1.0, 10.0];
    }
    let all: Vec<f64> = (0..=12).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power))).collect();
    let first = all.iter().rposition(|tick| *tick <= least * 1.001).unwrap_or(0);
    let end = all.iter().position(|tick| *tick >= greatest * 0.999).unwrap_or(all.len() - 1).max(first + 1);
    all[first..=end].to_vec()
}

/// The place of a value on an axis from the first tick to the last.
fn along(ticks: &[f64], value: f64, from: f64, to: f64) -> f64 {
    let (first, last) = (ticks[0].ln(), ticks[ticks.len() - 1].ln());
    from + (to - from) * (value.max(ticks[0]).ln() - first) / (last - first)
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{text}</text>");
}

fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", value / 1e6),
        1e3.. => format!("{} k", value / 1e3),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_enclose_the_values() {
        let ticks: Vec<_> = ticks_between([130.0, 900.0].into_iter()).into_iter().map(short).collect();
        assert_eq!(ticks, ["100", "200", "500", "1 k"]);
    }
}

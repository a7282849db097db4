//! Runs the comparison.

fn main() {
    benchmarks::instructions::send_if_asked();
}

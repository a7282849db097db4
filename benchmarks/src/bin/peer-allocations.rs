//! Prints, for each contender and work, the allocations of one request and their bytes: `contender work count bytes`, one a line.

use benchmarks::contender::Contender;
use workloads::allocations::{self, CountingAllocator};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    for contender in Contender::ALL {
        allocations::print(contender.name(), || contender.router());
    }
}

//! Prints the allocations of one request and their bytes, for each router of this library and each work.

use workloads::Subject;
use workloads::allocations::{self, CountingAllocator};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    for subject in Subject::ALL {
        allocations::print(subject.name(), || subject.router());
    }
}

//! Prints, for each contender and work, the allocations of one request and their bytes: `contender work count bytes`, one a line.
//!
//! A program of its own, since the allocator that counts would slow the others down.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use benchmarks::client::{Client, end};
use benchmarks::contender::Contender;
use benchmarks::work::Work;

const REQUESTS: u64 = 1000;

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    COUNT.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    for contender in Contender::ALL {
        for work in Work::ALL {
            let mut client = Client::of(contender, work);
            for _ in 0..REQUESTS {
                client.send();
            }
            let [count, bytes] = counted(&mut client);
            println!("{contender} {work} {count} {bytes}");
        }
    }
}

/// What the router allocates for one request. What the client does between the requests does not count.
fn counted(client: &mut Client) -> [f64; 2] {
    let mut sum = [0; 2];
    for _ in 0..REQUESTS {
        let request = client.request();
        let (response, calling) = between(|| client.call(request));
        client.keep_cookie(&response);
        let ((), ending) = between(|| end(response));
        for (sum, counts) in sum.iter_mut().zip(calling.into_iter().zip(ending)) {
            *sum += counts.0 + counts.1;
        }
    }
    sum.map(|sum| sum as f64 / REQUESTS as f64)
}

fn between<R>(step: impl FnOnce() -> R) -> (R, [u64; 2]) {
    let counts = || [&COUNT, &BYTES].map(|counter| counter.load(Relaxed));
    let before = counts();
    let result = step();
    let after = counts();
    (result, [after[0] - before[0], after[1] - before[1]])
}

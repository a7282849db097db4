//! Allocations per request, counted by the program's allocator.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::Router;

use crate::client::{Client, end};
use crate::work::Work;

const REQUESTS: u64 = 1000;

/// The allocator of the programs that count. It slows them down, so they do nothing else.
pub struct CountingAllocator;

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn count_one(bytes: usize) {
    COUNT.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_one(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one(size.saturating_sub(layout.size()));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Prints, for each work, the allocations of one request and their bytes: `name work count bytes`, one a line.
///
/// The program that calls this has [`CountingAllocator`] for its allocator.
pub fn print(name: &str, router: impl Fn() -> Router) {
    for work in Work::ALL {
        let mut client = Client::of(router(), 1);
        for _ in 0..REQUESTS {
            client.send(work, 0);
        }
        let [count, bytes] = counted(&mut client, work);
        println!("{name} {work} {count} {bytes}");
    }
}

/// What the router allocates for one request. What the client does between the requests does not count.
fn counted(client: &mut Client, work: Work) -> [f64; 2] {
    let mut sum = [0; 2];
    for _ in 0..REQUESTS {
        let request = client.request(work, 0);
        let (response, calling) = between(|| client.call(request));
        client.keep_cookie(0, &response);
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

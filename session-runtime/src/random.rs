//! Properties, for tests: what has to hold for all inputs, tried with random ones.
//!
//! They are the same in every run. `PROPTEST_CASES` sets how many are tried, `PROPTEST_RNG_SEED` tries others:
//!
//! ```sh
//! PROPTEST_CASES=100000 PROPTEST_RNG_SEED=1 cargo test -p session-runtime --lib --all-features
//! ```

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Runs `test`, which panics where the property does not hold, with random `inputs`, and shows the smallest that it fails for.
pub(crate) fn for_all<S>(inputs: S, test: impl Fn(S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    run(1, inputs, test);
}

/// The same with a quarter of the inputs, for a test that takes its time.
#[cfg(feature = "sqlite")]
pub(crate) fn for_fewer<S>(inputs: S, test: impl Fn(S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    run(4, inputs, test);
}

fn run<S>(share: u32, inputs: S, test: impl Fn(S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    let mut config = Config { failure_persistence: None, ..Config::default() };
    config.cases = config.cases.div_ceil(share);
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0);
    }
    let result = TestRunner::new(config).run(&inputs, |input| {
        test(input);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

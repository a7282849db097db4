//! What threads write to side by side.

/// Alone on its cache lines, two of which processors fetch together.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Padded<V>(pub(super) V);

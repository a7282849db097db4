pub fn run(_: super::Settings, _: &mut crate::report::Report) {}

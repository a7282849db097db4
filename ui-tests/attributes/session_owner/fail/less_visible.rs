//! An owner's type that is less visible than the data.

mod visits {
    use session_runtime::{OwnerBytes, OwnerId, session_owner};

    #[derive(Clone, Default)]
    pub struct Visit;

    struct Account(u64);

    impl OwnerId for Account {
        fn write(&self, out: &mut OwnerBytes) {
            self.0.write(out);
        }
    }

    #[session_owner(Visit)]
    fn owner(_: &Visit) -> Option<Account> {
        None
    }
}

fn main() {
    let _ = visits::Visit;
}

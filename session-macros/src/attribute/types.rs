//! Types as their tokens show them.

use syn::{GenericArgument, PathArguments, Type};

/// The type without parentheses, also without the invisible ones of a `$t:ty`.
pub(super) fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        _ => ty,
    }
}

/// Types that are used without an import, or commonly with one, and that nothing can be registered for.
const OF_OTHER_CRATES: &[&str] = &[
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64",
    "String", "Option", "Result", "Vec", "VecDeque", "HashSet", "BTreeSet", "HashMap", "BTreeMap",
];

/// Whether the type is called as one of the standard library's, or by a path that starts as its paths do: only the compiler knows whether it is that one.
pub(super) fn may_be_of_another_crate(data: &Type) -> bool {
    let Type::Path(path) = plain(data) else { return false };
    let Some(first) = path.path.segments.first().filter(|_| path.qself.is_none()) else { return false };
    let name = first.ident.to_string();
    if path.path.segments.len() > 1 {
        return matches!(name.as_str(), "std" | "core" | "alloc");
    }
    OF_OTHER_CRATES.contains(&name.as_str())
}

/// The last segment of the type's path, also behind `&`, and inside of `Option`, `Result`, `Box` and `Arc`.
pub(super) fn last_segment(ty: &Type) -> Option<String> {
    let segment = match plain(ty) {
        Type::Reference(reference) => return last_segment(&reference.elem),
        Type::Path(path) => path.path.segments.last()?,
        _ => return None,
    };
    if matches!(segment.ident.to_string().as_str(), "Option" | "Result" | "Box" | "Arc")
        && let PathArguments::AngleBracketed(arguments) = &segment.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return last_segment(inner);
    }
    Some(segment.ident.to_string())
}

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

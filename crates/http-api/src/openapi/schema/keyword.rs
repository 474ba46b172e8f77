//! The keywords of JSON Schema 2020-12, and what each takes.

/// What a keyword takes. A value that is something else is left out, so that every schema compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Type,
    Description,
    Text,
    Flag,
    Number,
    Positive,
    Count,
    /// A number, or a flag that makes the bound of this name exclusive.
    ExclusiveBound(&'static str),
    Names,
    Enum,
    Any,
    /// Anything that is short.
    Small,
    Example,
    Examples,
    Pattern,
    /// A schema for a part of the value.
    Schema,
    /// A schema for the value itself.
    SchemaOfSame,
    SchemaOrFlag,
    Items,
    SchemasOfSame,
    Tuple,
    Properties,
    PatternProperties,
    NamesOf,
    SchemasOf,
}

impl Takes {
    /// Whether it narrows values in a way that answers need not keep.
    pub(super) fn is_bound(self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::Positive
                | Self::Count
                | Self::ExclusiveBound(_)
                | Self::Pattern
                | Self::Flag
                | Self::Small
                | Self::NamesOf
                | Self::SchemasOf
        )
    }
}

/// What a keyword takes; none if it is not one that is kept.
pub(super) fn find(key: &str) -> Option<Takes> {
    Some(match key {
        "type" => Takes::Type,
        "description" => Takes::Description,
        "format" | "contentEncoding" | "contentMediaType" => Takes::Text,
        "deprecated" | "uniqueItems" => Takes::Flag,
        "maximum" | "minimum" => Takes::Number,
        "multipleOf" => Takes::Positive,
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties"
        | "maxContains" | "minContains" => Takes::Count,
        "exclusiveMaximum" => Takes::ExclusiveBound("maximum"),
        "exclusiveMinimum" => Takes::ExclusiveBound("minimum"),
        "required" => Takes::Names,
        "enum" => Takes::Enum,
        "const" => Takes::Any,
        "default" => Takes::Small,
        "example" => Takes::Example,
        "examples" => Takes::Examples,
        "pattern" => Takes::Pattern,
        "propertyNames" | "contains" => Takes::Schema,
        "not" | "if" | "then" | "else" => Takes::SchemaOfSame,
        "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems" => Takes::SchemaOrFlag,
        "items" => Takes::Items,
        "allOf" | "anyOf" | "oneOf" => Takes::SchemasOfSame,
        "prefixItems" => Takes::Tuple,
        "properties" => Takes::Properties,
        "patternProperties" => Takes::PatternProperties,
        "dependentRequired" => Takes::NamesOf,
        "dependentSchemas" => Takes::SchemasOf,
        _ => return None,
    })
}

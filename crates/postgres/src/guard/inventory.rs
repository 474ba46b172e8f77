//! Counts the nodes of a parse tree by kind, and knows which kinds there may be.
//!
//! The guard reads a tree twice. This pass goes through every field of every node, because the
//! traversal is derived together with the types, and refuses kinds that are not listed here. The
//! walk that judges what nodes mean counts what it visits. Where the two counts differ, the walk
//! has missed a part of the tree, and the statement is refused.

use std::fmt;
use std::sync::LazyLock;

use pg_query::protobuf::ParseResult;
use serde::ser::{self, Serialize, Serializer};

/// How many nodes of each kind a tree has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counts([u32; Kind::COUNT]);

macro_rules! kinds {
    ($($kind:ident)*) => {
        /// The nodes that a statement which only reads is made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($kind),* }

        impl Kind {
            const ALL: &[(&'static str, Self)] = &[$((stringify!($kind), Self::$kind)),*];
            const COUNT: usize = Self::ALL.len();
        }
    };
}

kinds! {
    Node RawStmt SelectStmt ExplainStmt VariableShowStmt
    Alias RangeVar RangeSubselect RangeFunction RangeTableFunc RangeTableFuncCol RangeTableSample
    JoinExpr WithClause CommonTableExpr CteSearchClause CteCycleClause
    ColumnRef ParamRef AExpr AConst AStar AIndices AIndirection AArrayExpr TypeCast TypeName
    CollateClause FuncCall NamedArgExpr WindowDef ResTarget SortBy ColumnDef DefElem
    BoolExpr SubLink NullTest BooleanTest CaseExpr CaseWhen CoalesceExpr MinMaxExpr
    SqlValueFunction RowExpr GroupingSet GroupingFunc XmlExpr XmlSerialize
    JsonOutput JsonReturning JsonFormat JsonValueExpr JsonArgument JsonFuncExpr JsonBehavior
    JsonTablePathSpec JsonTable JsonTableColumn JsonKeyValue JsonParseExpr JsonScalarExpr
    JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor
    JsonAggConstructor JsonObjectAgg JsonArrayAgg JsonIsPredicate
    List Integer Float Boolean String BitString
}

impl Counts {
    pub(super) const fn new() -> Self {
        Self([0; Kind::COUNT])
    }

    pub(super) fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// Counts every node.
    ///
    /// # Errors
    ///
    /// The name of the first kind that is not allowed.
    pub(super) fn of(tree: &ParseResult) -> Result<Self, &'static str> {
        let mut counts = Self::new();
        for statement in &tree.stmts {
            statement.serialize(&mut counts).map_err(|Unlisted(kind)| kind)?;
        }
        Ok(counts)
    }

    fn count(&mut self, name: &'static str) -> Result<&mut Self, Unlisted> {
        // By length first: one of a handful then, instead of one of eighty.
        static BY_LENGTH: LazyLock<Vec<Vec<(&'static str, Kind)>>> = LazyLock::new(|| {
            let mut table = Vec::new();
            for &(name, kind) in Kind::ALL {
                if table.len() <= name.len() {
                    table.resize(name.len() + 1, Vec::new());
                }
                table[name.len()].push((name, kind));
            }
            table
        });
        let same_length = BY_LENGTH.get(name.len()).map_or(&[][..], Vec::as_slice);
        let kind = same_length.iter().find(|(known, _)| *known == name).ok_or(Unlisted(name))?.1;
        self.add(kind);
        Ok(self)
    }
}

/// A node whose kind is not in the list.
#[derive(Debug)]
pub(super) struct Unlisted(&'static str);

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unlisted {}

impl ser::Error for Unlisted {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("unreadable node")
    }
}

macro_rules! leaves {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, _: $type) -> Result<(), Unlisted> { Ok(()) })*
    };
}

impl Serializer for &mut Counts {
    type Ok = ();
    type Error = Unlisted;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    leaves! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32)
        serialize_i64(i64) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32)
        serialize_u64(u64) serialize_f32(f32) serialize_f64(f64) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8])
    }

    fn serialize_none(self) -> Result<(), Unlisted> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Unlisted> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unlisted> {
        value.serialize(self)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Unlisted> {
        self.count(name).map(drop)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Unlisted> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unlisted> {
        value.serialize(self.count(name)?)
    }

    /// A choice of nodes; the node in it is a struct and says its own name.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unlisted> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Unlisted> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Unlisted> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self, Unlisted> {
        self.count(name)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Unlisted> {
        self.count(variant)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Unlisted> {
        Ok(self)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self, Unlisted> {
        self.count(name)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Unlisted> {
        self.count(variant)
    }
}

macro_rules! compounds {
    ($($trait:ident: $method:ident $(($key:ty))?;)*) => {
        $(impl ser::$trait for &mut Counts {
            type Ok = ();
            type Error = Unlisted;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> Result<(), Unlisted> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Unlisted> {
                Ok(())
            }
        })*
    };
}

compounds! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}

impl ser::SerializeMap for &mut Counts {
    type Ok = ();
    type Error = Unlisted;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unlisted> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unlisted> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Unlisted> {
        Ok(())
    }
}

//! Between bytes and requests. What differs from revision to revision stands here and nowhere else.

mod cursor;
mod decode;
mod encode;
mod header;
mod negotiate;
mod scan;

pub(crate) use cursor::Cursor;
pub(crate) use decode::decode_params;
pub use decode::{DecodeError, Message, decode};
pub use encode::encode;
pub(crate) use encode::{
    Identity, ListHints, discovery, encode_custom_result, encode_tool_result, initialization, tool_pages,
};
pub use header::{HeaderParams, decode_header_value};
pub use negotiate::{Agreed, negotiate};
pub use scan::Limits;

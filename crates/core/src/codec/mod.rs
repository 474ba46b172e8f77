//! Between bytes and requests. What differs from revision to revision stands here and nowhere else.

mod batch;
mod cursor;
mod cut;
mod decode;
mod encode;
mod header;
mod identity;
mod list;
mod negotiate;
mod result;
mod scan;
mod task;

pub use batch::{is_batch, join_batch, split_batch};
pub(crate) use cursor::{Cursor, CursorKey};
pub use cut::id_of_cut;
pub(crate) use decode::decode_params;
pub use decode::{DecodeError, Message, Response, decode};
pub use encode::encode;
pub(crate) use encode::{client_message, encode_custom_result, end_of_subscription, notification};
pub use header::{HeaderParams, decode_header_value};
pub(crate) use identity::{Identity, discovery, initialization};
pub(crate) use list::{List, Listed};
pub use negotiate::{Agreed, negotiate};
pub(crate) use result::{
    encode_completion, encode_prompt_result, encode_resource_result, encode_tool_result,
};
pub use scan::Limits;
pub(crate) use task::{encode_task, encode_task_note, task_changed, task_failure, task_result};

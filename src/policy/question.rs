//! What a policy is asked.

use crate::domain::{Action, Caller};

use super::{Context, Resource};

/// Who wants to do what to what, and when and from where.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) caller: &'q Caller,
    pub(super) action: Action,
    pub(super) resource: &'q Resource<'q>,
    pub(super) context: &'q Context,
}

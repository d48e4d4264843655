//! A policy while it is read.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use super::super::actions::Actions;
use super::super::findings::Findings;
use super::super::index::{Draft, Entry};
use super::super::principal::Principal;
use super::super::review::Remark;
use super::super::statement::Statement;
use super::super::{Policy, digest};
use crate::domain::{Mistake, Mistakes, nearest};

/// A policy is read in seconds, also if it has thousands of groups that no statement names.
const GROUPS_COMPARED: usize = 200;

/// What is known of a policy so far, over all of its texts.
#[derive(Default)]
pub(super) struct Build {
    draft: Draft,
    statements: Vec<Arc<Statement>>,
    short_forms: usize,
    /// How many statements were met, those that were left out too.
    met: usize,
    /// The ids so far, and where each stands first.
    ids: HashMap<Arc<str>, usize>,
    mistakes: Vec<Mistake>,
    remarks: Vec<Remark>,
    /// The names and texts of what is attached.
    attached: Vec<String>,
}

impl Build {
    /// The position of the next statement, from 1.
    pub(super) fn next(&mut self) -> usize {
        self.met += 1;
        self.met
    }

    /// Takes an id as it stands at byte `at` of the policy's own text: attached statements have none.
    ///
    /// # Errors
    /// Where it stands already.
    pub(super) fn take_id(&mut self, id: &Arc<str>, at: usize) -> Result<(), usize> {
        match self.ids.entry(Arc::clone(id)) {
            Slot::Occupied(taken) => Err(*taken.get()),
            Slot::Vacant(free) => {
                free.insert(at);
                Ok(())
            }
        }
    }

    pub(super) fn add<'t>(&mut self, principals: impl IntoIterator<Item = Principal<'t>>, statement: Statement) {
        let statement = Arc::new(statement);
        for principal in principals {
            self.draft.add(principal, Entry::new(Arc::clone(&statement)));
        }
        self.statements.push(statement);
    }

    pub(super) fn allow_everywhere(&mut self, user: &str, actions: Actions) {
        self.short_forms += 1;
        self.draft.allow_everywhere(user, actions);
    }

    pub(super) fn names_group(&self, name: &str) -> bool {
        self.draft.names_group(name)
    }

    /// A group that statements name, with nearly this name; not looked for among very many.
    pub(super) fn group_like(&self, name: &str) -> Option<&str> {
        let mut groups: Vec<&str> = self.draft.groups().take(GROUPS_COMPARED + 1).collect();
        groups.sort_unstable();
        if groups.len() > GROUPS_COMPARED { None } else { nearest(name, groups) }
    }

    /// How many statements mean something.
    pub(super) fn count(&self) -> usize {
        self.statements.len()
    }

    pub(super) fn attach(&mut self, name: &str, text: String) {
        self.attached.extend([name.to_owned(), text]);
    }

    /// Takes over what was found in one text.
    pub(super) fn note(&mut self, findings: Findings<'_>) {
        let (mistakes, remarks) = findings.into_parts();
        self.mistakes.extend(mistakes);
        self.remarks.extend(remarks);
    }

    /// The policy, whose own text is `text`.
    ///
    /// # Errors
    /// Every mistake that was noted; the policy's own come first.
    pub(super) fn finish<'t>(
        mut self,
        text: &str,
        members: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Policy, Mistakes> {
        self.statements.shrink_to_fit();
        let policy = Policy {
            index: self.draft.finish(members),
            statements: self.statements.into(),
            short_forms: self.short_forms,
            remarks: self.remarks.into(),
            digest: digest(text, self.attached.iter().map(String::as_str)),
        };
        Mistakes::unless_any(self.mistakes, policy)
    }
}

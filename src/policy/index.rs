//! Which statements concern whom.
//!
//! A request looks up its caller and the caller's groups, so its cost does not grow with the number of
//! callers, nor with statements about others.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::domain::{Action, Caller};

use super::actions::Actions;
use super::principal::Principal;
use super::question::Question;
use super::statement::{Effect, Part, Statement};

/// How a line of `[users]` is named as a statement.
pub(super) const SHORT_FORM: &str = "users.";

/// One statement as it concerns one principal.
///
/// Effect and actions stand here and not behind the pointer: most entries are passed over by them.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    effect: Effect,
    actions: Actions,
    statement: Arc<Statement>,
}

impl Entry {
    pub(super) fn new(statement: Arc<Statement>) -> Self {
        Self { effect: statement.effect, actions: statement.actions, statement }
    }

    pub(super) fn effect(&self) -> Effect {
        self.effect
    }

    pub(super) fn is_about(&self, action: Action) -> bool {
        self.actions.contains(action)
    }

    pub(super) fn statement(&self) -> &Arc<Statement> {
        &self.statement
    }

    /// How the statement takes part in the decision about `question`.
    pub(super) fn part(&self, question: &Question<'_>) -> Part<'_> {
        if self.is_about(question.action) { self.statement.part(question) } else { Part::OtherAction }
    }
}

/// The principal by which a statement concerns a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via<'p> {
    /// `*`.
    Everyone,
    /// The caller's own name.
    User(&'p str),
    /// A group, of the caller's token or of `[groups]`.
    Group(&'p str),
}

/// The place of a principal among others: its kind, and its name.
pub(super) type Rank<'p> = (u8, &'p str);

impl Via<'_> {
    /// The order in which people are told of principals: everyone, groups, users, each by name.
    pub(super) fn rank(&self) -> Rank<'_> {
        match self {
            Self::Everyone => (0, ""),
            Self::Group(name) => (1, name),
            Self::User(name) => (2, name),
        }
    }
}

impl fmt::Display for Via<'_> {
    /// As a policy writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

/// What concerns one group.
pub(super) struct Group {
    pub(super) name: Box<str>,
    pub(super) entries: Box<[Entry]>,
}

/// The statements, by whom they concern.
#[derive(Default)]
pub(super) struct Index {
    everyone: Vec<Entry>,
    groups: HashMap<Box<str>, Arc<Group>>,
    users: HashMap<UserName, User>,
}

impl Index {
    /// Every entry that concerns the caller, and by which principal; a statement may come twice, if two of its
    /// principals fit.
    pub(super) fn concerning<'i, 'c>(&'i self, caller: &'c Caller) -> impl Iterator<Item = (Via<'i>, &'i Entry)> + 'c
    where
        'i: 'c,
    {
        let everyone = self.everyone.iter().map(|entry| (Via::Everyone, entry));
        let own = self.users.get_key_value(caller.name()).into_iter().flat_map(|(name, user)| user.concerning(name));
        let by_token = caller.groups().filter_map(|group| self.groups.get(group)).flat_map(|group| group.concerning());
        everyone.chain(own).chain(by_token)
    }

    /// The name of the caller's line in `[users]`, and what it allows.
    pub(super) fn short_form(&self, caller: &Caller) -> Option<(&Arc<str>, Actions)> {
        let (name, user) = self.users.get_key_value(caller.name())?;
        (!user.short_form.is_empty()).then_some((&name.0, user.short_form))
    }
}

impl Index {
    /// What `*` is told.
    pub(super) fn everyone(&self) -> &[Entry] {
        &self.everyone
    }

    /// The groups that statements name, in no order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().map(AsRef::as_ref)
    }

    /// The users whom statements, `[users]` or `[groups]` name, in no order.
    pub(super) fn users(&self) -> impl Iterator<Item = (&str, &User)> {
        self.users.iter().map(|(name, user)| (name.borrow(), user))
    }

    /// The names of the lines of `[users]`, in no order.
    pub(super) fn short_forms(&self) -> impl Iterator<Item = &Arc<str>> {
        self.users.iter().filter(|(_, user)| !user.short_form.is_empty()).map(|(name, _)| &name.0)
    }

    /// What concerns the user by name.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// What concerns the group.
    pub(super) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name).map(AsRef::as_ref)
    }

    /// The user's line in `[users]` as a statement's name.
    pub(super) fn line_of(&self, user: &str) -> Option<&Arc<str>> {
        self.users.get_key_value(user).map(|(name, _)| &name.0)
    }
}

impl Group {
    fn concerning(&self) -> impl Iterator<Item = (Via<'_>, &Entry)> {
        self.entries.iter().map(|entry| (Via::Group(&self.name), entry))
    }
}

/// The index while it is made: groups grow until every statement is read.
#[derive(Default)]
pub(super) struct Draft {
    everyone: Vec<Entry>,
    groups: HashMap<Box<str>, Vec<Entry>>,
    users: HashMap<UserName, User>,
}

impl Draft {
    /// Adds a statement for one of its principals.
    pub(super) fn add(&mut self, principal: Principal<'_>, entry: Entry) {
        match principal {
            Principal::Everyone => self.everyone.push(entry),
            Principal::User(name) => user(&mut self.users, name).entries.push(entry),
            Principal::Group(name) => match self.groups.get_mut(name) {
                Some(group) => group.push(entry),
                None => drop(self.groups.insert(name.into(), vec![entry])),
            },
        }
    }

    /// Adds a line of `[users]`.
    pub(super) fn allow_everywhere(&mut self, name: &str, actions: Actions) {
        let user = user(&mut self.users, name);
        user.short_form = user.short_form.and(actions);
    }

    /// Whether a statement names the group.
    pub(super) fn names_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// The groups that statements name, in no order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(AsRef::as_ref)
    }

    /// Closes the lists and puts the members of `[groups]` to the groups that statements name; a group that
    /// none names changes nothing.
    pub(super) fn finish<'t>(self, members: impl IntoIterator<Item = (&'t str, &'t str)>) -> Index {
        let Self { everyone, groups, mut users } = self;
        let closed =
            |(name, entries): (Box<str>, Vec<Entry>)| (name.clone(), Arc::new(Group { name, entries: entries.into() }));
        let groups: HashMap<_, _> = groups.into_iter().map(closed).collect();
        for (group, member) in members {
            if let Some(group) = groups.get(group) {
                let of_member = &mut user(&mut users, member).groups;
                // A group's members come together, so one that is listed twice has the group last.
                if of_member.last().is_none_or(|last| !Arc::ptr_eq(last, group)) {
                    of_member.push(Arc::clone(group));
                }
            }
        }
        users.shrink_to_fit();
        Index { everyone, groups, users }
    }
}

/// What concerns one user by name.
#[derive(Default)]
pub(super) struct User {
    /// What the line in `[users]` allows on every bucket.
    pub(super) short_form: Actions,
    pub(super) entries: Vec<Entry>,
    /// The groups that `[groups]` puts the user into, as far as statements name them.
    pub(super) groups: Vec<Arc<Group>>,
}

impl User {
    fn concerning<'i>(&'i self, name: &'i UserName) -> impl Iterator<Item = (Via<'i>, &'i Entry)> {
        let own = self.entries.iter().map(|entry| (Via::User(name.borrow()), entry));
        own.chain(self.groups.iter().flat_map(|group| group.concerning()))
    }
}

fn user<'u>(users: &'u mut HashMap<UserName, User>, name: &str) -> &'u mut User {
    users.entry(UserName::new(name)).or_default()
}

/// A user's name that is kept as the name of its line in `[users]`: one text serves the look-up and the
/// decision, for a hundred thousand users.
struct UserName(Arc<str>);

impl UserName {
    fn new(name: &str) -> Self {
        Self([SHORT_FORM, name].concat().into())
    }
}

impl Borrow<str> for UserName {
    fn borrow(&self) -> &str {
        self.0.strip_prefix(SHORT_FORM).unwrap_or(&self.0)
    }
}

impl PartialEq for UserName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for UserName {}

impl Hash for UserName {
    /// As the name alone, which is what is looked up.
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<str>::borrow(self).hash(state);
    }
}

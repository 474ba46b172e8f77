//! Whom a statement runs for: roles and settings of PostgreSQL by principal.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::Principal;

/// What PostgreSQL is told of who calls, in the transaction of each call: the section `[databases.NAME.principal]`.
///
/// Row-level security then gives each caller rows of their own. The role and the settings hold for the one transaction, and no
/// statement of a caller can change them: the guard lets through nothing that could. It also keeps from callers what would tell
/// of rows that policies hide (`EXPLAIN`), or of what others do (`pg_locks`, `pg_stat_activity` and other statistics).
///
/// A call without a principal, as over stdio, is refused, unless [`anonymous`](Self::anonymous) says what holds for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PrincipalConfig {
    /// Which role a caller's statements run as (`SET LOCAL ROLE`): that of the first rule that fits. A caller whom none fits is
    /// refused. The role of the database's URL must be a member of each. Default: none, and all run as the role of the URL.
    pub roles: Vec<RoleRule>,
    /// Settings of one's own that policies read with `current_setting`, and what of the principal each of them gets, such as
    /// `"app.user_id" = "subject"`. A caller of whom that is not known is refused. Default: none.
    pub settings: BTreeMap<String, PrincipalField>,
    /// What holds for a call without a principal. Default: such a call is refused.
    pub anonymous: Option<AnonymousConfig>,
}

/// Which callers' statements run as a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RoleRule {
    /// The role. In it, `{id}`, `{subject}`, `{issuer}`, `{scopes}` and `{claims.NAME}` stand for what is known of the caller.
    pub role: String,
    /// The roles that a role with braces may turn out to be; a caller for whom it is another is refused. Needed with braces, and
    /// only with them.
    #[serde(default)]
    pub among: Vec<String>,
    /// The rule fits only who has this scope. Default: whoever is known.
    #[serde(default)]
    pub scope: Option<String>,
    /// The rule fits only the principal of this id: `key:` and the id of an API key, or a token's issuer, `#` and its subject.
    /// Default: whoever is known.
    #[serde(default)]
    pub principal: Option<String>,
}

/// What holds for calls without a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AnonymousConfig {
    /// The role. Needed if there are rules for roles. Default: the role of the URL.
    pub role: Option<String>,
    /// A value for each of the settings.
    #[serde(serialize_with = "super::names_alone")]
    pub settings: BTreeMap<String, String>,
}

/// What of a principal a setting or a role gets: `id`, `subject`, `issuer`, `scopes` (with spaces between them) or `claims.NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
#[non_exhaustive]
pub enum PrincipalField {
    /// What is unique of it.
    Id,
    /// Its name among those whom its issuer knows; of an API key, the key's id.
    Subject,
    /// The issuer of its token.
    Issuer,
    /// Its scopes, in order, with spaces between them.
    Scopes,
    /// A claim, which the settings of authentication must let through.
    Claim(Box<str>),
}

impl FromStr for PrincipalField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "id" => Ok(Self::Id),
            "subject" => Ok(Self::Subject),
            "issuer" => Ok(Self::Issuer),
            "scopes" => Ok(Self::Scopes),
            _ => match text.strip_prefix("claims.") {
                Some(name) if !name.is_empty() => Ok(Self::Claim(name.into())),
                _ => Err("expected `id`, `subject`, `issuer`, `scopes` or `claims.NAME`".to_owned()),
            },
        }
    }
}

impl TryFrom<String> for PrincipalField {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PrincipalField> for String {
    fn from(field: PrincipalField) -> Self {
        match field {
            PrincipalField::Id => "id".into(),
            PrincipalField::Subject => "subject".into(),
            PrincipalField::Issuer => "issuer".into(),
            PrincipalField::Scopes => "scopes".into(),
            PrincipalField::Claim(name) => format!("claims.{name}"),
        }
    }
}

impl PrincipalField {
    /// What that is for this principal, if it is known.
    pub(crate) fn of<'a>(&self, principal: &'a Principal) -> Option<Cow<'a, str>> {
        match self {
            Self::Id => Some(principal.id().into()),
            Self::Subject => Some(principal.subject().into()),
            Self::Issuer => principal.issuer().map(Cow::Borrowed),
            Self::Scopes => Some(principal.scopes().collect::<Vec<_>>().join(" ").into()),
            Self::Claim(name) => principal.claim(name).map(Cow::Borrowed),
        }
    }
}

impl RoleRule {
    /// Whether the rule is for this principal.
    pub(crate) fn fits(&self, principal: &Principal) -> bool {
        self.scope.as_deref().is_none_or(|scope| principal.has_scope(scope))
            && self.principal.as_deref().is_none_or(|id| principal.id() == id)
    }

    /// The role for this principal. `None` if what it says makes none that is allowed.
    pub(crate) fn role_of(&self, principal: &Principal) -> Option<String> {
        let mut role = String::new();
        for piece in pieces(&self.role).ok()? {
            match piece {
                Piece::Text(text) => role.push_str(text),
                Piece::Field(field) => role.push_str(&field.of(principal)?),
            }
        }
        (self.among.is_empty() || self.among.contains(&role)).then_some(role)
    }

    /// Every role that the rule may lead to.
    fn names(&self) -> impl Iterator<Item = &String> {
        let own = self.among.is_empty().then_some(&self.role);
        own.into_iter().chain(&self.among)
    }

    fn check(&self) -> Result<(), String> {
        let has_fields = pieces(&self.role)?.iter().any(|piece| matches!(piece, Piece::Field(_)));
        match (has_fields, self.among.is_empty()) {
            (true, true) => {
                Err("has a role with braces, so it must list the allowed roles in `among`".into())
            }
            (false, false) => Err("has `among`, which only a role with braces needs".into()),
            _ => self.names().try_for_each(|name| check_role(name)),
        }
    }
}

impl PrincipalConfig {
    /// Every role that statements of callers may run as, each once.
    pub(crate) fn role_names(&self) -> Vec<String> {
        let anonymous = self.anonymous.iter().filter_map(|anonymous| anonymous.role.as_ref());
        let mut names: Vec<String> =
            self.roles.iter().flat_map(RoleRule::names).chain(anonymous).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What cannot work: the key within the section, and why.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if self.roles.is_empty() && self.settings.is_empty() {
            return Err((
                String::new(),
                "must have `roles` or `settings`: else it tells callers not apart".into(),
            ));
        }
        for (at, rule) in self.roles.iter().enumerate() {
            rule.check().map_err(|problem| (format!(".roles[{at}]"), problem))?;
        }
        for name in self.settings.keys() {
            // Those without a dot are PostgreSQL's own.
            if !super::check::is_setting_name(name) || !name.contains('.') {
                let problem = "must be a setting of your own, with a dot in its name: `app.user_id`";
                return Err((format!(".settings.{name}"), problem.into()));
            }
        }
        let Some(AnonymousConfig { role, settings }) = &self.anonymous else { return Ok(()) };
        let wrong = |key: &str, problem: String| Err((format!(".anonymous{key}"), problem));
        match role {
            Some(role) => {
                if let Err(problem) = check_role(role) {
                    return wrong(".role", problem);
                }
            }
            None if !self.roles.is_empty() => {
                return wrong(".role", "is missing: callers without a principal need one too".into());
            }
            None => {}
        }
        if !settings.keys().eq(self.settings.keys()) {
            return wrong(".settings", "must give a value to each of `settings`, and to nothing else".into());
        }
        if settings.values().any(|value| value.contains('\0')) {
            return wrong(".settings", "must not hold a NUL character".into());
        }
        Ok(())
    }
}

/// A part of a role's name as it stands in the settings.
enum Piece<'a> {
    Text(&'a str),
    Field(PrincipalField),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, after) = after.split_once('}').ok_or("has a role whose `{` is never closed")?;
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Field(
            field.parse().map_err(|error| format!("has a role with wrong braces: {error}"))?,
        ));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// Whether a role of that name may be one of callers.
fn check_role(name: &str) -> Result<(), String> {
    // A longer name would be cut to one that may be another's.
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        return Err("must name a role: 1 to 63 bytes".into());
    }
    if ["none", "public"].iter().any(|word| name.eq_ignore_ascii_case(word)) {
        return Err("must name a role, which `none` and `public` are not".into());
    }
    if name.starts_with("pg_") {
        return Err(
            "must not name a role of PostgreSQL's own: grant what callers need to a role of yours".into()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> PrincipalConfig {
        serde_json::from_value(section).unwrap()
    }

    fn ann() -> Principal {
        let scopes = Arc::new(["a".into(), "b".into()].into());
        Principal::new("i#ann").with_subject("ann", Some("i")).with_scopes(scopes).with_claim("tenant", "t1")
    }

    #[test]
    fn each_field_is_what_the_principal_says() {
        let of = |field: &str| field.parse::<PrincipalField>().unwrap().of(&ann()).map(Cow::into_owned);
        assert_eq!(of("id").as_deref(), Some("i#ann"));
        assert_eq!(of("subject").as_deref(), Some("ann"));
        assert_eq!(of("issuer").as_deref(), Some("i"));
        assert_eq!(of("scopes").as_deref(), Some("a b"));
        assert_eq!(of("claims.tenant").as_deref(), Some("t1"));
        assert_eq!(of("claims.other"), None);
        assert!("claims.".parse::<PrincipalField>().is_err() && "sub".parse::<PrincipalField>().is_err());
    }

    #[test]
    fn a_role_with_braces_is_one_of_those_that_are_listed() {
        let rule = |role: &str, among: &[&str]| RoleRule {
            role: role.into(),
            among: among.iter().map(|name| (*name).to_owned()).collect(),
            ..RoleRule::default()
        };
        let among = &["app_ann", "t_t1"];
        assert_eq!(rule("app_{subject}", among).role_of(&ann()).as_deref(), Some("app_ann"));
        assert_eq!(rule("t_{claims.tenant}", among).role_of(&ann()).as_deref(), Some("t_t1"));
        assert_eq!(rule("{subject}", among).role_of(&ann()), None);
        assert_eq!(rule("t_{claims.other}", among).role_of(&ann()), None);
        assert_eq!(rule("reader", &[]).role_of(&ann()).as_deref(), Some("reader"));
    }

    #[test]
    fn a_mistake_names_its_key() {
        let of_settings = json!({"app.id": "id"});
        for (section, key) in [
            (json!({}), ""),
            (json!({"roles": [{"role": "{id}"}]}), ".roles[0]"),
            (json!({"roles": [{"role": "a"}, {"role": "b", "among": ["b"]}]}), ".roles[1]"),
            (json!({"roles": [{"role": "{id", "among": ["a"]}]}), ".roles[0]"),
            (json!({"roles": [{"role": "{sub}", "among": ["a"]}]}), ".roles[0]"),
            (json!({"roles": [{"role": "{id}", "among": ["none"]}]}), ".roles[0]"),
            (json!({"roles": [{"role": "pg_read_all_data"}]}), ".roles[0]"),
            (json!({"roles": [{"role": "x".repeat(64)}]}), ".roles[0]"),
            (json!({"settings": {"role": "id"}}), ".settings.role"),
            (json!({"settings": {"app.id'": "id"}}), ".settings.app.id'"),
            (json!({"roles": [{"role": "a"}], "anonymous": {}}), ".anonymous.role"),
            (json!({"settings": of_settings, "anonymous": {}}), ".anonymous.settings"),
            (
                json!({"settings": of_settings, "anonymous": {"role": "", "settings": {"app.id": "x"}}}),
                ".anonymous.role",
            ),
            (
                json!({"settings": of_settings, "anonymous": {"settings": {"app.id": "x", "app.y": "x"}}}),
                ".anonymous.settings",
            ),
        ] {
            assert_eq!(read(section.clone()).check().unwrap_err().0, key, "{section}");
        }
        let good = json!({"roles": [{"role": "a"}], "settings": of_settings,
                          "anonymous": {"role": "b", "settings": {"app.id": "nobody"}}});
        assert_eq!(read(good.clone()).check(), Ok(()));
        assert_eq!(read(good).role_names(), ["a", "b"]);
    }
}

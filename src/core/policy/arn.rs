//! Principals as policies name them: who is meant, in which account, and whether it can act at all.
//! Source: IAM reference, "AWS JSON policy elements: Principal" and "IAM identifiers".

/// Who a principal element of kind `AWS` means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `*`.
    Anyone,
    /// An account: `111122223333`, or its root ARN. Means everybody whom IAM there allows.
    Account(String),
    /// A role, by its name without path.
    Role { account: String, name: String },
    /// A user, by its name without path.
    User { account: String, name: String },
    /// One session of a role.
    Session { account: String, role: String, session: String },
    /// What is left of a principal that was deleted: `AROA…`, `AIDA…`.
    Deleted(String),
    /// Anything else, kept as it stands.
    Other(String),
}

/// True for the twelve digits of an account id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

impl Who {
    /// What a principal's text means. Never fails: what is not understood is `Other`.
    pub fn parse(text: &str) -> Who {
        if text == "*" {
            return Who::Anyone;
        }
        if is_account(text) {
            return Who::Account(text.to_owned());
        }
        let is_id = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if is_id && ["AROA", "AIDA", "AGPA", "ANPA"].iter().any(|kind| text.starts_with(kind)) {
            return Who::Deleted(text.to_owned());
        }
        let other = || Who::Other(text.to_owned());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", _partition, service @ ("iam" | "sts"), _, account, resource] = parts[..] else { return other() };
        if !is_account(account) || resource.contains('*') {
            return other();
        }
        let account = account.to_owned();
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        match (service, resource.split_once('/')) {
            ("iam", None) if resource == "root" => Who::Account(account),
            ("iam", Some(("role", path))) if !last(path).is_empty() => Who::Role { account, name: last(path) },
            // A federated user is somebody of this account, as a user is.
            ("sts", Some(("federated-user" | "user", name))) if !name.is_empty() => {
                Who::User { account, name: name.to_owned() }
            }
            ("iam", Some(("user", path))) if !last(path).is_empty() => Who::User { account, name: last(path) },
            ("sts", Some(("assumed-role", rest))) => match rest.split_once('/') {
                Some((role, session)) => Who::Session { account, role: role.to_owned(), session: session.to_owned() },
                None => other(),
            },
            _ => other(),
        }
    }

    /// The account it belongs to, where it says.
    pub fn account(&self) -> Option<&str> {
        match self {
            Who::Account(account)
            | Who::Role { account, .. }
            | Who::User { account, .. }
            | Who::Session { account, .. } => Some(account),
            Who::Anyone | Who::Deleted(_) | Who::Other(_) => None,
        }
    }

    /// True when a statement that names `self` applies to `caller` by name. An account names everybody in it, but only
    /// through IAM: that is the caller's question to ask.
    pub fn names(&self, caller: &Who) -> bool {
        match (self, caller) {
            (Who::Anyone, _) => true,
            (Who::Role { account, name }, Who::Session { account: of, role, .. }) => account == of && name == role,
            _ => self == caller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_told_apart() {
        let account = "111122223333".to_owned();
        for (text, who) in [
            ("*", Who::Anyone),
            ("111122223333", Who::Account(account.clone())),
            ("arn:aws-us-gov:iam::111122223333:root", Who::Account(account.clone())),
            (
                "arn:aws:iam::111122223333:role/ops/deep/Admin",
                Who::Role { account: account.clone(), name: "Admin".into() },
            ),
            ("arn:aws:iam::111122223333:user/ann", Who::User { account: account.clone(), name: "ann".into() }),
            (
                "arn:aws:sts::111122223333:assumed-role/Admin/ann@example",
                Who::Session { account, role: "Admin".into(), session: "ann@example".into() },
            ),
            ("AROAEXAMPLEEXAMPLE12", Who::Deleted("AROAEXAMPLEEXAMPLE12".into())),
            ("arn:aws:iam::111122223333:role/*", Who::Other("arn:aws:iam::111122223333:role/*".into())),
            ("arn:aws:iam::1111:root", Who::Other("arn:aws:iam::1111:root".into())),
        ] {
            assert_eq!(Who::parse(text), who, "{text}");
        }
    }

    #[test]
    fn a_session_is_named_by_its_role_whatever_its_path() {
        let session = Who::parse("arn:aws:sts::111122223333:assumed-role/Admin/ann");
        assert!(Who::parse("arn:aws:iam::111122223333:role/ops/Admin").names(&session));
        assert!(!Who::parse("arn:aws:iam::111122223333:role/Other").names(&session));
        assert!(!Who::parse("arn:aws:iam::444455556666:role/Admin").names(&session));
        assert!(!Who::parse("111122223333").names(&session));
        assert!(Who::Anyone.names(&session));
    }
}

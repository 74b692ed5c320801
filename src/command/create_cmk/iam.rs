//! `create-cmk iam`: the roles around the key, as documents for people to apply. Nothing here talks to IAM.

use crate::app::{App, Outcome};
use crate::config::Origin;
use crate::core::kms::Caller;
use crate::core::nearest::nearest;
use crate::core::policy::roles::{ROLES, Role, Site};
use crate::error::Failure;
use crate::ops::provisioning::{self, Asked};
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum What {
    /// Print a role's trust and permission policy, or list the roles; makes no call
    ///
    /// Key, region and names are those of the configuration; what it does not say stands in capitals, to be replaced. The commands that apply the
    /// documents are printed beside them.
    ///
    /// Example: scrybe-keys create-cmk iam show EmergencyKeyAdmin --document trust
    ///
    /// Changes nothing. Exit codes: 0, 2.
    Show(Show),
}

#[derive(clap::Args)]
pub struct Show {
    /// One of the roles; without it they are listed
    role: Option<String>,
    /// Print this document alone, as `aws iam` takes it
    #[arg(long, value_name = "DOCUMENT", requires = "role")]
    document: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Who may assume the role
    Trust,
    /// What the role may do
    Permissions,
}

impl What {
    pub fn run(self, app: &App) -> Result<Outcome, Failure> {
        let What::Show(Show { role, document }) = self;
        let site = site_of(app)?;
        let Some(name) = role else { return list(app, &site) };
        let role = Role::parse(&name).ok_or_else(|| {
            let meant = nearest(&name, ROLES.map(Role::name)).map(|meant| format!("did you mean {meant}?"));
            Failure::usage("unknown-role", format!("there is no role {name}"))
                .hint(meant.unwrap_or("`scrybe-keys create-cmk iam show` lists them".to_owned()))
        })?;
        let (trust, permissions) = (role.trust(&site), role.permissions(&site));
        let text = match document {
            Some(Part::Trust) => trust.to_pretty(),
            Some(Part::Permissions) => permissions.to_pretty(),
            None => format!(
                "{:#}\n",
                json!({
                    "RoleName": role.name(),
                    "TrustPolicy": trust.to_value(),
                    "PermissionPolicy": permissions.to_value(),
                })
            ),
        };
        if document.is_none() {
            app.ui.say(&format!("{}: {}. To apply, as somebody whom IAM lets:", role.name(), role.purpose()));
            app.ui.say(&commands(role));
        }
        Outcome::done(json!({ "roles": [as_json(role, &site)] }), text)
    }
}

fn list(app: &App, site: &Site) -> Result<Outcome, Failure> {
    let who = |role: Role| if role.is_human() { "a person, with MFA" } else { "a service or pipeline" };
    let rows: Vec<Vec<String>> = ROLES
        .into_iter()
        .map(|role| vec![role.name().to_owned(), who(role).to_owned(), role.purpose().to_owned()])
        .collect();
    let roles: Vec<Value> = ROLES.into_iter().map(|role| as_json(role, site)).collect();
    Outcome::done(json!({ "roles": roles }), app.ui.table(&["role", "assumed by", "what for"], &rows, &[]))
}

fn as_json(role: Role, site: &Site) -> Value {
    json!({
        "role": role.name(),
        "purpose": role.purpose(),
        "human": role.is_human(),
        "trustPolicy": role.trust(site).to_value(),
        "permissionPolicy": role.permissions(site).to_value(),
    })
}

/// The two commands that make the role: each fetches its document from here, so that both can be run as they stand.
fn commands(role: Role) -> String {
    let name = role.name();
    let session = if role.is_human() { " --max-session-duration 3600" } else { "" };
    format!(
        "# aws iam create-role --role-name {name}{session} --assume-role-policy-document \
         \"$(scrybe-keys create-cmk iam show {name} --document trust)\"\n\
         # aws iam put-role-policy --role-name {name} --policy-name {name} --policy-document \
         \"$(scrybe-keys create-cmk iam show {name} --document permissions)\""
    )
}

/// What the configuration says of where everything is; what it does not say stays a word to replace.
fn site_of(app: &App) -> Result<Site, Failure> {
    let settings = &app.settings;
    let key = settings.key.as_ref().map(|key| key.value.as_str()).unwrap_or_default();
    let roles = settings.provision.as_ref().and_then(|section| section.value.roles.as_ref());
    let application = roles.map(|roles| roles.application.clone()).unwrap_or_default();
    let arn =
        [key].into_iter().chain(roles.into_iter().flat_map(|roles| roles.all())).find(|arn| account_of(arn).is_some());
    let mut site = match arn {
        Some(arn) => {
            let parts: Vec<&str> = arn.split(':').collect();
            Site::of(parts[1], &settings.region.value, parts[4])
        }
        None if settings.region.origin != Origin::Default => Site::of("aws", &settings.region.value, "ACCOUNT"),
        None => Site::default(),
    };
    if key.starts_with("arn:") && key.contains(":key/") {
        site.key_arn = key.to_owned();
    }
    if !application.is_empty() {
        site.application = application;
    }
    let audit = settings.provision.as_ref().and_then(|section| section.value.audit.as_ref());
    site.logs_role = audit.and_then(|audit| audit.logs_role.clone());
    if let (Some(arn), Some(_), Some(_)) = (arn, &settings.environment, &settings.provision) {
        let caller = Caller { account: site.account.clone(), arn: arn.to_owned() };
        let desired = provisioning::desired(app, caller, &Asked::default())?;
        if let Some(audit) = desired.audit {
            (site.trail_arn, site.bucket) = (audit.trail_arn, audit.bucket);
            if let Some(group) = audit.logs {
                site.log_group = group.name;
            }
        }
        if let Some(alarms) = desired.alarms {
            site.topic_arn = alarms.topic_arn;
        }
    }
    Ok(site)
}

/// The account inside an ARN.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    arn.starts_with("arn:").then(|| arn.split(':').nth(4))?.filter(|account| crate::core::policy::is_account(account))
}

//! The rows of each table: which organization and client they belong to, what is sealed, what is NULL or empty.
//!
//! A row depends on the seed number and its place alone, so any worker may make it. The first organization of several
//! owns half of everything; the others share the rest, interleaved as years of use leave them.

use super::chart;
use super::dice::Dice;
use crate::core::data_map::Tier;
use crate::core::seal::{Bench, Cipher, NoRandomness};
use crate::db::application::{Rows, Shape};

/// How much of everything.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Same number, same data.
    pub seed: u64,
    /// At least 1.
    pub organizations: u64,
    pub clients: u64,
    pub notes: u64,
    pub calls: u64,
    pub messages: u64,
    pub forms: u64,
    /// True for a deployment without `"Client".ssn` and `"healthConditions"`.
    pub without_client_tier2: bool,
}

impl Spec {
    /// Which deployment it is.
    pub fn shape(&self) -> Shape {
        if self.without_client_tier2 { Shape::WithoutClientTier2 } else { Shape::Full }
    }

    /// Clients that are really made: enough for every organization to have one.
    pub fn clients_made(&self) -> u64 {
        self.clients.max(self.block())
    }

    /// Rows in one round of organizations: half of them are the first one's.
    fn block(&self) -> u64 {
        if self.organizations == 1 { 1 } else { 2 * (self.organizations - 1) }
    }

    /// Number of the organization that owns row `index` of any kind.
    pub fn owner(&self, index: u64) -> u64 {
        let slot = index % self.block();
        slot.saturating_sub(self.organizations.saturating_sub(2))
    }

    /// Id of an organization.
    pub fn organization_id(&self, number: u64) -> String {
        Dice::of(self.seed, "Organization", number).id()
    }

    fn id(&self, kind: &str, index: u64) -> String {
        Dice::of(self.seed, kind, index).id()
    }

    /// Some client of an organization.
    fn client_of(&self, organization: u64, dice: &mut Dice) -> u64 {
        let rounds = self.clients_made() / self.block();
        let own = self.organizations.saturating_sub(1).max(1);
        let slot = if organization == 0 { dice.below(own) } else { organization + self.organizations - 2 };
        dice.below(rounds) * self.block() + slot
    }
}

/// A kind of row that workers make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Client,
    ClientInsurance,
    FormSubmission,
    Call,
    Note,
    Message,
}

/// Every kind; the biggest rows first, so that no worker is left alone with them at the end.
pub const KINDS: [Kind; 7] =
    [Kind::Call, Kind::Note, Kind::FormSubmission, Kind::Message, Kind::Client, Kind::ClientInsurance, Kind::User];

const USERS_PER_ORGANIZATION: u64 = 12;

impl Kind {
    /// The table's name, and the name of its dice.
    pub fn table(self) -> &'static str {
        match self {
            Kind::User => "User",
            Kind::Client => "Client",
            Kind::ClientInsurance => "ClientInsurance",
            Kind::FormSubmission => "FormSubmission",
            Kind::Call => "Call",
            Kind::Note => "Note",
            Kind::Message => "Message",
        }
    }

    /// Columns in the order `write` gives them.
    pub fn columns(self, shape: Shape) -> &'static [&'static str] {
        match (self, shape) {
            (Kind::User, _) => &["id", "orgId", "email", "name", "createdAt", "updatedAt"],
            (Kind::Client, Shape::Full) => {
                &["id", "orgId", "assignedTo", "createdAt", "updatedAt", "ssn", "healthConditions"]
            }
            (Kind::Client, Shape::WithoutClientTier2) => &["id", "orgId", "assignedTo", "createdAt", "updatedAt"],
            (Kind::ClientInsurance, _) => &["id", "clientId", "provider", "createdAt", "updatedAt", "memberId"],
            (Kind::FormSubmission, _) => {
                &["id", "orgId", "clientId", "createdAt", "updatedAt", "data", "aiExtractedData"]
            }
            (Kind::Call, _) => &[
                "id",
                "clientId",
                "userId",
                "durationSeconds",
                "createdAt",
                "updatedAt",
                "transcriptRaw",
                "transcriptJson",
                "extractedFields",
                "aiSummary",
                "confidenceScores",
            ],
            (Kind::Note, _) => &["id", "orgId", "clientId", "authorId", "createdAt", "updatedAt", "content"],
            (Kind::Message, _) => &["id", "orgId", "clientId", "senderId", "createdAt", "updatedAt", "content"],
        }
    }

    /// Rows of this kind.
    pub fn count(self, spec: &Spec) -> u64 {
        match self {
            Kind::User => spec.organizations * USERS_PER_ORGANIZATION,
            Kind::Client => spec.clients_made(),
            Kind::ClientInsurance => spec.clients_made() * 3 / 4,
            Kind::FormSubmission => spec.forms,
            Kind::Call => spec.calls,
            Kind::Note => spec.notes,
            Kind::Message => spec.messages,
        }
    }
}

/// One worker's place to write rows: buffers, and the ciphers of every organization by number.
pub struct Pen<'a> {
    spec: &'a Spec,
    ciphers: &'a [Cipher],
    bench: Bench,
    text: String,
}

impl<'a> Pen<'a> {
    /// `ciphers` has one entry per organization.
    pub fn new(spec: &'a Spec, ciphers: &'a [Cipher]) -> Pen<'a> {
        Pen { spec, ciphers, bench: Bench::default(), text: String::new() }
    }

    /// Writes row `index` of a kind.
    pub fn write(&mut self, kind: Kind, index: u64, rows: &mut Rows) -> Result<(), NoRandomness> {
        let spec = self.spec;
        let dice = &mut Dice::of(spec.seed, kind.table(), index);
        let id = dice.id();
        rows.text(&id);
        match kind {
            Kind::User => self.user(index, dice, rows),
            Kind::ClientInsurance => self.insurance(index, dice, rows)?,
            Kind::Client => {
                let owner = self.owned(kind, index, dice, rows);
                if spec.shape() == Shape::Full {
                    self.tier2(owner, dice, rows)?;
                }
            }
            Kind::Call => {
                let owner = spec.owner(index);
                let client = spec.client_of(owner, dice);
                rows.text(&spec.id("Client", client)).text(&self.user_of(owner, dice));
                self.call(owner, dice, rows)?;
            }
            Kind::FormSubmission => {
                let owner = self.owned(kind, index, dice, rows);
                self.json(owner, Tier::Standard, &chart::form(dice), rows)?;
                if dice.chance(60) {
                    self.json(owner, Tier::Standard, &chart::extraction(dice), rows)?;
                } else {
                    rows.null();
                }
            }
            Kind::Note => {
                let owner = self.owned(kind, index, dice, rows);
                if dice.chance(1) {
                    self.text.clear();
                } else {
                    chart::note(dice, &mut self.text);
                }
                self.sealed_text(owner, Tier::Standard, rows)?;
            }
            Kind::Message => {
                let owner = self.owned(kind, index, dice, rows);
                chart::message(dice, &mut self.text);
                self.sealed_text(owner, Tier::Standard, rows)?;
            }
        }
        rows.end();
        Ok(())
    }

    fn user_of(&self, organization: u64, dice: &mut Dice) -> String {
        self.spec.id("User", organization * USERS_PER_ORGANIZATION + dice.below(USERS_PER_ORGANIZATION))
    }

    fn user(&mut self, index: u64, dice: &mut Dice, rows: &mut Rows) {
        self.text.clear();
        chart::name(dice, &mut self.text);
        let organization = self.spec.organization_id(index / USERS_PER_ORGANIZATION);
        rows.text(&organization).text(&format!("user{index}@clinic.example")).text(&self.text);
        times(dice, rows);
    }

    /// Organization, client, member of staff and times: what most tables begin with. Returns the organization.
    fn owned(&mut self, kind: Kind, index: u64, dice: &mut Dice, rows: &mut Rows) -> u64 {
        let spec = self.spec;
        let owner = spec.owner(index);
        rows.text(&spec.organization_id(owner));
        if kind != Kind::Client {
            rows.text(&spec.id("Client", spec.client_of(owner, dice)));
        }
        if kind != Kind::FormSubmission {
            rows.text(&self.user_of(owner, dice));
        }
        times(dice, rows);
        owner
    }

    fn insurance(&mut self, index: u64, dice: &mut Dice, rows: &mut Rows) -> Result<(), NoRandomness> {
        rows.text(&self.spec.id("Client", index)).text(dice.pick(&["Medicaid", "Medicare", "Blue Cross", "None"]));
        times(dice, rows);
        self.text.clear();
        match dice.below(20) {
            0 => {
                rows.null();
                return Ok(());
            }
            1 => {}
            _ => self.text.push_str(&format!("M{:09}", dice.below(1_000_000_000))),
        }
        self.sealed_text(self.spec.owner(index), Tier::High, rows)
    }

    fn tier2(&mut self, owner: u64, dice: &mut Dice, rows: &mut Rows) -> Result<(), NoRandomness> {
        if dice.chance(80) {
            self.text = chart::ssn(dice);
            self.sealed_text(owner, Tier::High, rows)?;
        } else {
            rows.null();
        }
        if dice.chance(70) {
            self.json(owner, Tier::High, &chart::conditions(dice), rows)
        } else {
            rows.null();
            Ok(())
        }
    }

    fn call(&mut self, owner: u64, dice: &mut Dice, rows: &mut Rows) -> Result<(), NoRandomness> {
        rows.text(&dice.between(20, 3_600).to_string());
        times(dice, rows);
        // One call in ten was never answered and has nothing to seal.
        if dice.chance(10) {
            for _ in 0..5 {
                rows.null();
            }
            return Ok(());
        }
        chart::transcript(dice, &mut self.text);
        self.sealed_text(owner, Tier::Standard, rows)?;
        self.json(owner, Tier::Standard, &chart::turns(dice), rows)?;
        for value in chart::findings(dice) {
            self.json(owner, Tier::Standard, &value, rows)?;
        }
        Ok(())
    }

    /// `self.text`, sealed; the empty string is stored as it is, as the application does.
    fn sealed_text(&mut self, owner: u64, tier: Tier, rows: &mut Rows) -> Result<(), NoRandomness> {
        if self.text.is_empty() {
            rows.text("");
            return Ok(());
        }
        rows.text(self.bench.seal(&self.ciphers[owner as usize], tier, self.text.as_bytes())?);
        Ok(())
    }

    fn json(&mut self, owner: u64, tier: Tier, value: &serde_json::Value, rows: &mut Rows) -> Result<(), NoRandomness> {
        rows.json_string(self.bench.seal(&self.ciphers[owner as usize], tier, value.to_string().as_bytes())?);
        Ok(())
    }
}

/// `createdAt` and `updatedAt` somewhere in two years.
fn times(dice: &mut Dice, rows: &mut Rows) {
    let created = 1_704_067_200_000 + dice.below(63_072_000_000) as i64;
    let updated = created + dice.below(2_592_000_000) as i64;
    for at in [created, updated] {
        let at = jiff::Timestamp::from_millisecond(at).expect("a time of this century");
        rows.text(&at.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(organizations: u64) -> Spec {
        Spec {
            seed: 1,
            organizations,
            clients: 100,
            notes: 0,
            calls: 0,
            messages: 0,
            forms: 0,
            without_client_tier2: false,
        }
    }

    #[test]
    fn the_first_organization_owns_half_and_clients_belong_to_who_is_asked_for() {
        for organizations in [1, 2, 3, 5] {
            let spec = spec(organizations);
            let owners: Vec<u64> = (0..1_200).map(|i| spec.owner(i)).collect();
            assert!(owners.iter().all(|&o| o < organizations));
            if organizations > 1 {
                assert_eq!(owners.iter().filter(|&&o| o == 0).count(), 600);
            }
            let dice = &mut Dice::of(1, "test", 0);
            for organization in 0..organizations {
                for _ in 0..50 {
                    let client = spec.client_of(organization, dice);
                    assert!(client < spec.clients_made());
                    assert_eq!(spec.owner(client), organization, "{organizations} organizations");
                }
            }
        }
    }
}

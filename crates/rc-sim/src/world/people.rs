//! The extensions: the configured users first, then colleagues made from the seed.

use serde::Serialize;

use crate::config::User;

use super::{World, draw::Draw};

/// How many extensions the company has, unless more users than that are configured.
const COMPANY_SIZE: u64 = 60;
/// The ids of colleagues begin so far above the account's.
const COLLEAGUES: u64 = 5_000_000_000;
/// Numbers with 555-01 in the middle belong to nobody, 100 in each area code. The area code 650 is left to
/// the configured users.
const AREA_CODES: [u64; 4] = [415, 510, 408, 707];
const LINES: u64 = 100;

const FIRST_NAMES: [&str; 16] = [
    "Alex", "Billie", "Casey", "Dana", "Emery", "Frankie", "Harper", "Jamie", "Kim", "Lou",
    "Morgan", "Noel", "Quinn", "Robin", "Sasha", "Toni",
];
const LAST_NAMES: [&str; 12] = [
    "Example",
    "Fixture",
    "Instance",
    "Mockford",
    "Nobody",
    "Placeholder",
    "Pretend",
    "Sample",
    "Specimen",
    "Stand-In",
    "Testwell",
    "Whatsit",
];

/// An extension of the company.
pub(crate) struct Extension {
    /// Its place in the list of extensions.
    pub(crate) index: u64,
    pub(crate) id: u64,
    pub(crate) number: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) phone_number: String,
    pub(crate) admin: bool,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
}

/// A number that calls or messages of an extension may come from.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhoneNumber {
    pub(crate) id: u64,
    pub(crate) phone_number: String,
    #[serde(rename = "type")]
    kind: &'static str,
    payment_type: &'static str,
    pub(crate) usage_type: &'static str,
    pub(crate) features: &'static [&'static str],
}

impl PhoneNumber {
    pub(crate) fn sends_messages(&self) -> bool {
        self.features.contains(&"SmsSender")
    }
}

impl Extension {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    fn of_user(index: u64, user: &User) -> Self {
        Self {
            index,
            id: user.extension_id,
            number: user.extension_number.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.login.clone(),
            phone_number: user.phone_number.clone(),
            admin: user.is_administrator(),
            kind: "User",
            status: if user.enabled { "Enabled" } else { "Disabled" },
        }
    }
}

impl World<'_> {
    /// How many extensions there are.
    pub(crate) fn size(&self) -> u64 {
        self.users().max(COMPANY_SIZE)
    }

    fn users(&self) -> u64 {
        self.config.users.len() as u64
    }

    /// The extension at a place of the list.
    pub(crate) fn extension(&self, index: u64) -> Option<Extension> {
        let user = usize::try_from(index)
            .ok()
            .and_then(|index| self.config.users.get(index));
        match user {
            Some(user) => Some(Extension::of_user(index, user)),
            None if index < self.size() => Some(self.colleague(index)),
            None => None,
        }
    }

    pub(crate) fn find_extension(&self, id: u64) -> Option<Extension> {
        self.position(|user| user.extension_id == id)
            .or_else(|| self.colleague_with_id(id))
            .and_then(|index| self.extension(index))
    }

    /// The extension that messages to `number` reach.
    pub(crate) fn owner_of(&self, number: &str) -> Option<Extension> {
        self.position(|user| user.phone_number == number)
            .or_else(|| self.colleague_with_number(number))
            .and_then(|index| self.extension(index))
    }

    /// Platform §14: the extension's numbers; only some may send messages. Assumed: which those are.
    pub(crate) fn phone_numbers(&self, extension: &Extension) -> [PhoneNumber; 2] {
        let account = &self.config.account;
        [
            PhoneNumber {
                id: extension.id.saturating_add(10 * COLLEAGUES),
                phone_number: extension.phone_number.clone(),
                kind: "VoiceFax",
                payment_type: "Local",
                usage_type: "DirectNumber",
                features: &["CallerId", "SmsSender", "A2PSmsSender"],
            },
            PhoneNumber {
                id: account.id.saturating_add(10 * COLLEAGUES),
                phone_number: account.main_number.clone(),
                kind: "VoiceFax",
                payment_type: "Local",
                usage_type: "MainCompanyNumber",
                features: &["CallerId"],
            },
        ]
    }

    fn position(&self, wanted: impl Fn(&User) -> bool) -> Option<u64> {
        let index = self.config.users.iter().position(wanted);
        index.map(|index| index as u64)
    }

    fn colleague_with_id(&self, id: u64) -> Option<u64> {
        let first = self.config.account.id.saturating_add(COLLEAGUES);
        id.checked_sub(first)
            .filter(|index| (self.users()..self.size()).contains(index))
    }

    fn colleague_with_number(&self, number: &str) -> Option<u64> {
        let digits: u64 = number.strip_prefix("+1")?.parse().ok()?;
        let (area, rest) = (digits / 10_000_000, digits % 10_000_000);
        let line = rest.checked_sub(555_0100).filter(|line| *line < LINES)?;
        let place = AREA_CODES.iter().position(|code| *code == area)? as u64;
        let index = line * AREA_CODES.len() as u64 + place;
        let owned = (self.users()..self.size()).contains(&index);
        owned.then_some(index)
    }

    fn colleague(&self, index: u64) -> Extension {
        let mut draw = Draw::new(self.key, index);
        let (first, last) = (draw.pick(&FIRST_NAMES), draw.pick(&LAST_NAMES));
        let areas = AREA_CODES.len() as u64;
        let (area, line) = (AREA_CODES[(index % areas) as usize], index / areas);
        Extension {
            index,
            id: self.config.account.id.saturating_add(COLLEAGUES + index),
            number: (2_000 + index).to_string(),
            first_name: first.into(),
            last_name: last.into(),
            email: format!("{first}.{last}.{index}@acme.example").to_ascii_lowercase(),
            phone_number: format!("+1{area}555{:04}", 100 + line % LINES),
            admin: false,
            kind: if index % 20 == 19 {
                "Department"
            } else {
                "User"
            },
            status: match index % 15 {
                7 => "Disabled",
                13 => "NotActivated",
                _ => "Enabled",
            },
        }
    }
}

//! The brands that RingCentral's service is sold under. Platform §1.

/// A brand of the sign-in page.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Brand {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// Where its customers are, for `response_hint`.
    pub(crate) country: &'static str,
}

const fn brand(id: &'static str, name: &'static str, country: &'static str) -> Brand {
    Brand { id, name, country }
}

/// The default first. Those of the guide; the countries are assumed.
static BRANDS: [Brand; 18] = [
    brand("1210", "RingCentral", "US"),
    brand("3610", "RingCentral Canada", "CA"),
    brand("3710", "RingCentral UK", "GB"),
    brand("2010", "RingCentral EU", "FR"),
    brand("5010", "RingCentral Australia", "AU"),
    brand("3420", "AT&T Office@Hand", "US"),
    brand("3460", "AT&T Office@Hand", "US"),
    brand("2210", "RingCentral with Verizon", "US"),
    brand("6010", "Avaya Cloud Office", "US"),
    brand("7710", "BT Cloud Work", "GB"),
    brand("2020", "Unify Office", "DE"),
    brand("7310", "TELUS Business Connect", "CA"),
    brand("2110", "Rainbow Office", "FR"),
    brand("7010", "Vodafone Business", "GB"),
    brand("4910", "Frontier", "US"),
    brand("4810", "Symphony", "US"),
    brand("4710", "1&1", "DE"),
    brand("4210", "ecotel", "DE"),
];

/// The brand of the demo's account.
pub(crate) fn default_brand() -> &'static Brand {
    &BRANDS[0]
}

/// The brand with this id.
pub(crate) fn find(id: &str) -> Option<&'static Brand> {
    BRANDS.iter().find(|brand| brand.id == id)
}

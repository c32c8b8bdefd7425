//! What every page carries: whose it is, and where one can go from it.

/// What a person may do in a realm; the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// Uses the doors that are open to them.
    Member,
    /// Looks after devices.
    Operator,
    /// May do everything.
    Owner,
}

impl Standing {
    /// The role as one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Member => "member",
        }
    }
}

/// Who is signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visitor {
    /// The name the realm knows them by.
    pub name: String,
    /// Their role.
    pub standing: Standing,
}

/// A page of the console to which the navigation leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its path.
    pub path: &'static str,
    /// Its name in the navigation.
    pub label: &'static str,
    /// Who is led to it: whoever has this role, or one that includes it. Who may open it is decided
    /// by its route.
    pub least: Standing,
    /// Where it stands in the navigation: the least comes first.
    pub rank: u8,
}

impl Place {
    /// `/`
    pub const OVERVIEW: Self = Self::of_members("/", "Overview", 0);
    /// `/evidence`
    pub const EVIDENCE: Self = Self::of_members("/evidence", "Evidence", 50);
    /// `/metadata`
    pub const METADATA: Self = Self::of_operators("/metadata", "Metadata", 90);
    /// `/witnesses`
    pub const WITNESSES: Self = Self::of_operators("/witnesses", "Witnesses", 51);
    /// `/refusals`
    pub const REFUSALS: Self = Self::of_operators("/refusals", "Refusals", 52);
    /// The pages that are of no single door.
    pub const OWN: [Self; 5] = [
        Self::OVERVIEW,
        Self::EVIDENCE,
        Self::METADATA,
        Self::WITNESSES,
        Self::REFUSALS,
    ];

    /// A page to which everybody is led.
    #[must_use]
    pub const fn of_members(path: &'static str, label: &'static str, rank: u8) -> Self {
        Self {
            path,
            label,
            least: Standing::Member,
            rank,
        }
    }

    /// A page to which operators and owners are led.
    #[must_use]
    pub const fn of_operators(path: &'static str, label: &'static str, rank: u8) -> Self {
        Self {
            least: Standing::Operator,
            ..Self::of_members(path, label, rank)
        }
    }
}

/// What every page carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The realm, which is its relying party id: `gate.example`.
    pub realm: String,
    /// Who is signed in, if anybody is.
    pub visitor: Option<Visitor>,
    /// The page that is shown, if the navigation leads to it.
    pub here: Option<Place>,
    /// All pages to which the navigation leads somebody, in their order.
    pub places: Vec<Place>,
}

impl Frame {
    /// The pages that this visitor is led to. Which pages they may open is decided by the routes.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let standing = self.visitor.as_ref().map(|visitor| visitor.standing);
        self.places
            .iter()
            .filter(move |place| standing.is_some_and(|standing| standing >= place.least))
    }

    /// Whether `place` is the page that is shown.
    pub fn is_here(&self, place: &Place) -> bool {
        self.here == Some(*place)
    }

    /// Whether the visitor is an owner.
    pub fn is_owner(&self) -> bool {
        self.visitor
            .as_ref()
            .is_some_and(|visitor| visitor.standing == Standing::Owner)
    }
}

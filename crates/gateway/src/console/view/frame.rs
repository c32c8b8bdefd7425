//! What every page carries: whose it is, and where one can go from it.

/// What a person may do in a realm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// May do everything.
    Owner,
    /// Looks after devices.
    Operator,
    /// Uses the doors that are open to them.
    Member,
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

/// A page of the console that the navigation leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// `/`
    Overview,
    /// `/transactions`
    Transactions,
    /// `/devices`
    Devices,
    /// `/halls`
    Halls,
    /// `/partners`
    Partners,
    /// `/evidence`
    Evidence,
    /// `/keys`
    Keys,
    /// `/people`
    People,
    /// `/authorities`
    Authorities,
    /// `/metadata`
    Metadata,
    /// `/witnesses`
    Witnesses,
    /// `/refusals`
    Refusals,
}

impl Place {
    const ALL: [Self; 12] = [
        Self::Overview,
        Self::Transactions,
        Self::Devices,
        Self::Halls,
        Self::Partners,
        Self::Evidence,
        Self::Keys,
        Self::People,
        Self::Authorities,
        Self::Metadata,
        Self::Witnesses,
        Self::Refusals,
    ];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Transactions => "/transactions",
            Self::Devices => "/devices",
            Self::Halls => "/halls",
            Self::Partners => "/partners",
            Self::Evidence => "/evidence",
            Self::Keys => "/keys",
            Self::People => "/people",
            Self::Authorities => "/authorities",
            Self::Metadata => "/metadata",
            Self::Witnesses => "/witnesses",
            Self::Refusals => "/refusals",
        }
    }

    /// Its name in the navigation.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Transactions => "Transactions",
            Self::Devices => "Devices",
            Self::Halls => "Halls",
            Self::Partners => "Partners",
            Self::Evidence => "Evidence",
            Self::Keys => "My keys",
            Self::People => "People",
            Self::Authorities => "Authorities",
            Self::Metadata => "Metadata",
            Self::Witnesses => "Witnesses",
            Self::Refusals => "Refusals",
        }
    }

    const fn shown_to(self, standing: Standing) -> bool {
        match self {
            Self::Partners
            | Self::People
            | Self::Authorities
            | Self::Metadata
            | Self::Witnesses
            | Self::Refusals => !matches!(standing, Standing::Member),
            _ => true,
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
}

impl Frame {
    /// The pages that this visitor is led to. Which pages they may open is decided by the routes.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let standing = self.visitor.as_ref().map(|visitor| visitor.standing);
        Place::ALL
            .into_iter()
            .filter(move |place| standing.is_some_and(|standing| place.shown_to(standing)))
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

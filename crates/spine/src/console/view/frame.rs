//! The frame of every page: the person who sees it, and the navigation.

/// The role of a person in a realm; the lowest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// Uses the doors.
    Member,
    /// Manages devices.
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

/// The person who sees a page, signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Viewer {
    /// The person's name.
    pub name: String,
    /// The person's role.
    pub standing: Standing,
}

/// A page of the console in the navigation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NavigationEntry {
    /// Its path.
    pub path: &'static str,
    /// Its name in the navigation.
    pub label: &'static str,
    /// The least role of the people to whom the navigation shows it. The page's route decides who may
    /// open it.
    pub least: Standing,
    /// Its rank in the navigation: the lowest comes first.
    pub rank: u8,
}

impl NavigationEntry {
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
    /// The pages that belong to no door.
    pub const OWN: [Self; 5] = [
        Self::OVERVIEW,
        Self::EVIDENCE,
        Self::METADATA,
        Self::WITNESSES,
        Self::REFUSALS,
    ];

    /// A page in everybody's navigation.
    #[must_use]
    pub const fn of_members(path: &'static str, label: &'static str, rank: u8) -> Self {
        Self {
            path,
            label,
            least: Standing::Member,
            rank,
        }
    }

    /// A page in the navigation of operators and owners.
    #[must_use]
    pub const fn of_operators(path: &'static str, label: &'static str, rank: u8) -> Self {
        Self {
            least: Standing::Operator,
            ..Self::of_members(path, label, rank)
        }
    }
}

/// The frame of every page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The realm, which is its relying party id: `gate.example`.
    pub realm: String,
    /// The person who sees the page, if signed in.
    pub viewer: Option<Viewer>,
    /// The page that is shown, if the navigation leads to it.
    pub here: Option<NavigationEntry>,
    /// All entries of the navigation, in their order.
    pub navigation: Vec<NavigationEntry>,
}

impl Frame {
    /// The entries that this viewer sees. The routes decide which pages they may open.
    pub fn navigation(&self) -> impl Iterator<Item = &NavigationEntry> {
        let standing = self.viewer.as_ref().map(|viewer| viewer.standing);
        self.navigation
            .iter()
            .filter(move |entry| standing.is_some_and(|standing| standing >= entry.least))
    }

    /// Whether `entry` is the page that is shown.
    pub fn is_here(&self, entry: &NavigationEntry) -> bool {
        self.here == Some(*entry)
    }

    /// Whether the viewer is an owner.
    pub fn is_owner(&self) -> bool {
        self.viewer
            .as_ref()
            .is_some_and(|viewer| viewer.standing == Standing::Owner)
    }
}

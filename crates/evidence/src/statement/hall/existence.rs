//! That a hall is there: making one, and removing it.

use serde::Serialize;

use super::name::HallName;
use crate::fields::{DecodeError, Fields};
use crate::line::Line;

/// The terms of `hall.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Create {
    /// The hall's name, for programs.
    pub hall: HallName,
    /// What it is called, for people.
    pub title: Line,
}

/// The terms of `hall.remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Which hall.
    pub hall: HallName,
}

impl Create {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default()
            .with("hall", &self.hall)
            .with("title", &self.title)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
            title: terms.take("title")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!("make the hall “{}”, called “{}”", self.hall, self.title)
    }
}

impl Named {
    pub(super) fn terms(&self) -> Fields<'_> {
        Fields::default().with("hall", &self.hall)
    }

    pub(super) fn read(terms: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            hall: terms.take("hall")?,
        })
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "remove the hall “{}” and put everybody in it out",
            self.hall
        )
    }
}

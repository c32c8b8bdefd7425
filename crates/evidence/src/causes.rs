//! An error in one line.

use core::error::Error;

/// The message of an error and those of its causes, each once: hyper and reqwest say what failed,
/// and only the cause says why.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let detail = error.to_string();
        if !text.contains(&detail) {
            text.push_str(": ");
            text.push_str(&detail);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Told {
        said: &'static str,
        source: Option<Box<Told>>,
    }

    fn told(said: &'static str, source: Option<Told>) -> Told {
        let source = source.map(Box::new);
        Told { said, source }
    }

    #[test]
    fn each_cause_is_said_once() {
        let refused = told("connection refused", None);
        let error = told(
            "cannot connect",
            Some(told("cannot connect", Some(refused))),
        );
        assert_eq!(causes(&error), "cannot connect: connection refused");
        assert_eq!(causes(&told("no", None)), "no");
    }
}

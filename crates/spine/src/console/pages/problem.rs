//! The page in place of one that could not be shown.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::super::view::{Frame, NavigationEntry, ProblemPage};
use super::{bare_frame, frame, html};
use crate::Gateway;
use crate::http::problem::Problem;
use crate::http::session::{self, Caller, Token};

/// The page that explains a problem, with the problem's status. If the visitor is signed in, the page has
/// the navigation.
pub fn problem_page(gateway: &Gateway, caller: Option<&Caller>, problem: &Problem) -> Response {
    let title = match problem.status().as_u16() {
        400 => "This address makes no sense",
        401 => "Sign in first",
        403 => "This is not for you",
        404 => "There is nothing here",
        405 => "This cannot be done here",
        408 => "That took too long",
        413 => "That is too much",
        429 => "One thing after another",
        502 => "A partner is away",
        503 => "The gateway is busy",
        status if status < 500 => "This did not work",
        _ => "Something went wrong",
    };
    let page = ProblemPage {
        frame: Frame {
            here: None,
            ..caller.map_or_else(
                || bare_frame(gateway),
                |caller| frame(gateway, caller, NavigationEntry::OVERVIEW),
            )
        },
        status: problem.status().as_u16(),
        title: title.to_owned(),
        detail: sentence(&problem.detail),
        request: None,
    };
    match html(&page) {
        Ok(response) => {
            let mut response = (problem.status(), response).into_response();
            problem.say_when(response.headers_mut());
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// The answer for an unknown address: a page for a browser, a problem for a program.
pub async fn nowhere(State(gateway): State<Gateway>, request: HeaderMap) -> Response {
    let caller = match Token::from_headers(&gateway, &request) {
        Some(token) => session::find(&gateway, token).await.ok().flatten(),
        None => None,
    };
    let problem = Problem::not_found("address");
    let reads_pages = request
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if reads_pages {
        problem_page(&gateway, caller.as_ref(), &problem)
    } else {
        problem.into_response()
    }
}

/// A problem's detail as a sentence of its own.
pub fn sentence(detail: &str) -> String {
    let mut characters = detail.chars();
    let first = characters.next().map(char::to_uppercase);
    let mut text: String = first.into_iter().flatten().chain(characters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_become_sentences() {
        assert_eq!(sentence("there is no such page"), "There is no such page.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), ".");
    }
}

//! The style sheet, the script and the icon, built into the program.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::problem::Problem;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 6] = [
    Asset {
        name: "console.css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("../../static/console.css"),
    },
    Asset {
        name: "console.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../../static/console.js"),
    },
    Asset {
        name: "halls.css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("../../static/halls.css"),
    },
    Asset {
        name: "halls.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../../static/halls.js"),
    },
    Asset {
        name: "hall-files.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("../../static/hall-files.js"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        content: include_str!("../../static/icon.svg"),
    },
];

/// An entity tag for each asset, in the same order: the beginning of its SHA-256.
static TAGS: LazyLock<[String; 6]> = LazyLock::new(|| {
    ASSETS.map(|asset| {
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, asset.content.as_bytes());
        format!("\"{}\"", hex::encode(&digest.as_ref()[..12]))
    })
});

/// Serves one asset. Browsers ask again each time; for an unchanged asset, the answer has no body.
pub(super) async fn asset(
    Path(name): Path<String>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let (asset, tag) = ASSETS
        .iter()
        .zip(TAGS.iter())
        .find(|(asset, _)| asset.name == name)
        .ok_or_else(|| Problem::not_found("file"))?;
    let tag = HeaderValue::from_str(tag).map_err(|error| Problem::internal(&error))?;
    let known = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|known| known == tag);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(asset.media_type),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, tag),
    ];
    Ok(if known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, asset.content).into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unchanged_asset_is_not_sent_again() {
        let path = || Path("console.css".to_owned());
        let first = asset(path(), HeaderMap::new()).await.unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        let mut request = HeaderMap::new();
        request.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let second = asset(path(), request).await.unwrap();
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn unknown_assets_are_not_served() {
        for name in ["../Cargo.toml", "", "console.css.map"] {
            let problem = asset(Path(name.to_owned()), HeaderMap::new())
                .await
                .unwrap_err();
            assert_eq!(problem.status(), StatusCode::NOT_FOUND);
        }
    }
}

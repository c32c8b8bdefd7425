//! Pictures, small: for lists.

use std::io::Cursor;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use hallway_hall::foreign::{Content, MediaType};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};

use crate::Gateway;
use crate::doors::device::{payload, transactions};
use crate::http::foreign::FileRequest;
use crate::http::problem::Problem;
use crate::http::session::Caller;

/// The longer side of a thumbnail, in pixels: twice what lists show, for dense screens.
const SIDE: u32 = 192;
/// Bounds what a hostile picture can cost.
const MAX_SIDE: u32 = 16_384;
const MAX_ALLOC: u64 = 256 << 20;

/// The thumbnail of a transaction's picture.
pub async fn get(
    State(gateway): State<Gateway>,
    caller: Caller,
    request: FileRequest,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let (_, transaction) = transactions::seen(&gateway, &caller, &hash).await?;
    let no_picture = || Problem::not_found("picture");
    if transaction.media_type != "image/jpeg" {
        return Err(no_picture());
    }
    let bytes = payload::bytes(&gateway, &transaction).await?;
    // One at a time: decoding is the most memory that a request can cost.
    let _turn = gateway
        .thumbnails
        .acquire()
        .await
        .map_err(|_| no_picture())?;
    let small = tokio::task::spawn_blocking(move || shrink(&bytes))
        .await
        .map_err(|_| no_picture())?;
    let small = small.map_err(|_| no_picture())?;
    let content = Content {
        media_type: MediaType::JPEG,
        name: "thumbnail.jpg",
        cache: "private, max-age=31536000, immutable",
    };
    Ok(request.answer(content, Body::from(small)))
}

fn shrink(jpeg: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    let mut reader = ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
    reader.limits(limits);
    let small = DynamicImage::ImageRgb8(reader.decode()?.thumbnail(SIDE, SIDE).to_rgb8());
    let mut out = Cursor::new(Vec::new());
    small.write_to(&mut out, ImageFormat::Jpeg)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_becomes_small_and_keeps_its_shape() {
        let small = shrink(include_bytes!("../../cli/photographs/cat.jpg")).unwrap();
        let picture = image::load_from_memory(&small).unwrap();
        assert_eq!(picture.width(), SIDE);
        assert!((120..135).contains(&picture.height()));
        assert!(small.len() < 16_000);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(shrink(b"\xff\xd8\xff\xe0 not a picture").is_err());
    }
}

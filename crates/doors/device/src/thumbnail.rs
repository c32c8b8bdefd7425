//! Thumbnails of pictures, for lists.
//!
//! A picture is the largest thing that a request makes the gateway hold in memory. So pictures are
//! decoded one after the other, and the newest thumbnails are kept.

use std::collections::{HashMap, VecDeque};
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use hallway_hall::foreign::{Content, MediaType};
use hallway_spine::Gateway;
use hallway_spine::http::foreign::FileRequest;
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{DevicesOf, payload, transactions};

/// The longer side of a thumbnail, in pixels: twice what lists show, for dense screens.
const SIDE_PIXELS: u32 = 192;
/// The longest side of a picture that is decoded, in pixels: bounds the cost of a hostile picture.
const MAX_SIDE_PIXELS: u32 = 16_384;
const MAX_ALLOC_BYTES: u64 = 256 << 20;
/// How many thumbnails are kept: about 10 KB each.
const MOST_KEPT: usize = 512;

/// The newest thumbnails, and the turn at holding a whole payload in memory.
#[derive(Debug)]
pub struct Thumbnails {
    turn: Arc<Semaphore>,
    made: Mutex<Made>,
}

/// By the SHA-256 of the picture, the oldest first. Nothing for what is no picture.
#[derive(Debug, Default)]
struct Made {
    small: HashMap<[u8; 32], Option<Bytes>>,
    order: VecDeque<[u8; 32]>,
}

impl Default for Thumbnails {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            made: Mutex::default(),
        }
    }
}

impl Thumbnails {
    /// Waits for the turn at holding a whole payload in memory. There is one turn.
    ///
    /// # Errors
    /// 503 when the gateway stops.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        turn.map_err(|error| Problem::internal(&error))
    }

    fn made(&self, sha256: &[u8; 32]) -> Option<Option<Bytes>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.small.get(sha256).cloned()
    }

    fn keep(&self, sha256: [u8; 32], small: Option<Bytes>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.small.insert(sha256, small).is_none() {
            made.order.push_back(sha256);
        }
        if made.order.len() > MOST_KEPT
            && let Some(oldest) = made.order.pop_front()
        {
            made.small.remove(&oldest);
        }
    }
}

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
    let sha256 = transaction.sha256;
    let small = match gateway.devices().thumbnails.made(&sha256) {
        Some(small) => small,
        None => {
            let turn = gateway.devices().thumbnails.turn().await?;
            match gateway.devices().thumbnails.made(&sha256) {
                // Another request has made the same thumbnail meanwhile.
                Some(small) => small,
                None => {
                    let most = gateway.devices().settings.payload_bytes.get();
                    let jpeg = payload::bytes(&gateway, &transaction, most).await?;
                    let small = tokio::task::spawn_blocking(move || {
                        // The turn ends with the work, also if the request was given up.
                        let _turn = turn;
                        shrink(&jpeg).ok().map(Bytes::from)
                    });
                    let small = small.await.map_err(|_| no_picture())?;
                    gateway.devices().thumbnails.keep(sha256, small.clone());
                    small
                }
            }
        }
    };
    let small = small.ok_or_else(no_picture)?;
    let content = Content {
        media_type: MediaType::JPEG,
        name: "thumbnail.jpg",
        length: small.len() as u64,
        cache: "private, max-age=31536000, immutable",
    };
    Ok(request.answer(content, Body::from(small)))
}

fn shrink(jpeg: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE_PIXELS);
    limits.max_image_height = Some(MAX_SIDE_PIXELS);
    limits.max_alloc = Some(MAX_ALLOC_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
    reader.limits(limits);
    let small = DynamicImage::ImageRgb8(
        reader
            .decode()?
            .thumbnail(SIDE_PIXELS, SIDE_PIXELS)
            .to_rgb8(),
    );
    let mut out = Cursor::new(Vec::new());
    small.write_to(&mut out, ImageFormat::Jpeg)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_becomes_small_and_keeps_its_shape() {
        let small = shrink(include_bytes!("../../../cli/photographs/cat.jpg")).unwrap();
        let picture = image::load_from_memory(&small).unwrap();
        assert_eq!(picture.width(), SIDE_PIXELS);
        assert!((120..135).contains(&picture.height()));
        assert!(small.len() < 16_000);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let thumbnails = Thumbnails::default();
        let name = |number: usize| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_be_bytes());
            name
        };
        for number in 0..=MOST_KEPT {
            thumbnails.keep(name(number), None);
            thumbnails.keep(name(number), None);
        }
        assert_eq!(thumbnails.made(&name(0)), None);
        assert_eq!(thumbnails.made(&name(1)), Some(None));
        assert_eq!(thumbnails.made(&name(MOST_KEPT)), Some(None));
    }

    #[test]
    fn bytes_that_are_no_picture_are_refused() {
        assert!(shrink(b"\xff\xd8\xff\xe0 not a picture").is_err());
    }
}

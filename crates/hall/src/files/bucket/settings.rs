//! Where a bucket is, and how it is opened.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use zeroize::Zeroizing;

/// Where a bucket is and how it is opened.
#[derive(Clone)]
pub struct BucketSettings {
    /// `https://HOST` of the object store; absent for Amazon's own. `http://` only where the
    /// network in between is trusted.
    pub endpoint: Option<String>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// The part of the bucket that is the store, such as `team/data`; absent for all of it.
    pub prefix: Option<String>,
    /// The access key's id.
    pub access_key: String,
    /// The access key's secret.
    pub secret_key: Zeroizing<String>,
}

impl BucketSettings {
    /// Makes ready. What is not answered, or answered with 5xx, is tried again first after `pause`,
    /// then after twice as long, until `end`.
    pub(super) fn connect(
        &self,
        pause: Duration,
        end: Duration,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: pause,
                max_backoff: pause * 20,
                base: 2.0,
            },
            max_retries: 6,
            retry_timeout: end,
        };
        let mut builder = AmazonS3Builder::new()
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_access_key_id(&self.access_key)
            .with_secret_access_key(self.secret_key.as_str())
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        Ok(Arc::new(builder.build()?))
    }
}

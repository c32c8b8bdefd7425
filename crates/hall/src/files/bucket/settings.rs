//! Where a bucket is, and how it is opened.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hallway_client::SecureUrl;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use reqwest::redirect::Policy;
use zeroize::Zeroizing;

use super::super::store::StoreError;

/// How long a connection to an object store on this machine may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// How long its answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to an object store on this machine over plain HTTP: by no proxy, following no
/// redirection, and taking its name for this machine whatever the system says. object_store's own
/// options turn none of these off.
#[derive(Debug)]
struct OnThisMachine {
    endpoint: SecureUrl,
}

impl HttpConnector for OnThisMachine {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE);
        if let Some(name) = self.endpoint.as_url().domain() {
            // The port is that of the endpoint.
            let loopback = [
                SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
            ];
            client = client.resolve_to_addrs(name, &loopback);
        }
        match client.build() {
            Ok(client) => Ok(HttpClient::new(client)),
            Err(error) => Err(object_store::Error::Generic {
                store: "S3",
                source: Box::new(error),
            }),
        }
    }
}

/// Where a bucket is and how it is opened.
#[derive(Clone)]
pub struct BucketSettings {
    /// `https://HOST` of the object store; absent for Amazon's own. `http://` only on this machine
    /// ([`SecureUrl`]).
    pub endpoint: Option<SecureUrl>,
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
    ///
    /// # Errors
    /// The settings contradict one another.
    pub(super) fn connect(
        &self,
        pause: Duration,
        end: Duration,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
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
            builder = builder.with_endpoint(endpoint.to_string().trim_end_matches('/'));
            if endpoint.as_url().scheme() == "http" {
                let endpoint = endpoint.clone();
                builder = builder
                    .with_allow_http(true)
                    .with_http_connector(OnThisMachine { endpoint });
            }
        }
        let store = builder.build().map_err(StoreError::from)?;
        Ok(Arc::new(store))
    }
}

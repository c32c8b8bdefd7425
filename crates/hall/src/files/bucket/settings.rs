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
use super::lists::Readable;

/// How long a connection to an object store may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer of the object store may take, as in the library object_store.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Where an object store is.
#[derive(Debug)]
enum Whereabouts {
    /// On this machine, over plain HTTP, at this address.
    Here(SecureUrl),
    /// Elsewhere, over HTTPS.
    Elsewhere,
}

/// Connects to an object store and follows no redirection: what is written goes where the
/// configuration says, and what is read comes from there. A store on this machine is reached
/// without a proxy, and its name means this machine whatever the system says. object_store's own
/// options can do none of this.
#[derive(Debug)]
struct Straight(Whereabouts);

impl HttpConnector for Straight {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("hallway/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        let client = match &self.0 {
            Whereabouts::Elsewhere => client.https_only(true),
            Whereabouts::Here(endpoint) => match endpoint.as_url().domain() {
                None => client.no_proxy(),
                Some(name) => {
                    // The port is that of the endpoint.
                    let loopback = [
                        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                    ];
                    client.no_proxy().resolve_to_addrs(name, &loopback)
                }
            },
        };
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
    /// The name of the bucket.
    pub bucket: String,
    /// The part of the bucket that is the store, such as `team/data`; absent for all of it.
    pub prefix: Option<String>,
    /// The access key's id.
    pub access_key: String,
    /// The access key's secret.
    pub secret_key: Zeroizing<String>,
}

impl BucketSettings {
    /// Prepares the object store. A request that is not answered, or answered with 5xx, is tried
    /// again first after `pause`, then after twice as long, until `end`.
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
        let mut whereabouts = Whereabouts::Elsewhere;
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.to_string().trim_end_matches('/'));
            if endpoint.as_url().scheme() == "http" {
                builder = builder.with_allow_http(true);
                whereabouts = Whereabouts::Here(endpoint.clone());
            }
        }
        let builder = builder.with_http_connector(Readable(Straight(whereabouts)));
        let store = builder.build().map_err(StoreError::from)?;
        Ok(Arc::new(store))
    }
}

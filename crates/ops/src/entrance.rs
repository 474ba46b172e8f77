//! The layer that finds out who calls, to be replaced while requests go through it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tower::Layer;
use towline_auth::{Auth, AuthLayer};

use crate::{AuthConfig, Current, Failure, ServerConfig};

/// The layer that finds out who calls. A clone is a handle to the same.
#[derive(Clone)]
pub(crate) struct Entrance(Arc<Mutex<Inner>>);

struct Inner {
    layer: AuthLayer,
    /// Puts another layer where this one stands, once it does.
    replace: Option<Box<Replace>>,
}

type Replace = dyn Fn(&AuthLayer) + Send + Sync;

impl Entrance {
    /// The entrance of these settings; none if nobody is asked who they are.
    pub(crate) fn of(auth: &AuthConfig, server: &ServerConfig) -> Result<Option<Self>, Failure> {
        let layer = layer(auth, server)?;
        Ok(layer.map(|layer| Self(Arc::new(Mutex::new(Inner { layer, replace: None })))))
    }

    /// Lets in from now on whom this layer knows.
    pub(crate) fn replace(&self, layer: AuthLayer) {
        let mut inner = self.lock();
        if let Some(replace) = &inner.replace {
            replace(&layer);
        }
        inner.layer = layer;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer of these settings; none if nobody is asked who they are.
pub(crate) fn layer(auth: &AuthConfig, server: &ServerConfig) -> Result<Option<AuthLayer>, Failure> {
    let origins = server.allowed_origins.iter().map(ToString::to_string);
    Ok(auth.layer()?.map(|layer| origins.fold(layer, AuthLayer::readable_by)))
}

impl<S: Clone + Send + Sync + 'static> Layer<S> for Entrance {
    type Service = Current<Auth<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        let mut entrance = self.lock();
        let current = Current::new(entrance.layer.layer(inner.clone()));
        let standing = current.clone();
        entrance.replace = Some(Box::new(move |layer| standing.replace(layer.layer(inner.clone()))));
        current
    }
}

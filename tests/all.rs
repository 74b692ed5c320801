//! The one integration binary: linking the AWS SDK many times is the slowest thing we could choose.
//! `architecture` fails when a file under `tests/` is not listed here.

mod support;

mod sandbox_application;
mod sandbox_cluster;

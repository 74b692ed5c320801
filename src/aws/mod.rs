//! Adapters over the AWS SDK: the only async room but the endpoint's server. One runtime, `block_on` only here. May not import `db`.


mod sandbox_cluster;

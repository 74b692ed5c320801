mod sandbox_application;
mod sandbox_cluster;

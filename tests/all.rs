<<<<<<< HEAD
mod sandbox_application;
=======
>>>>>>> 2d7e1d7 (db: catalog, cells, jobs, flip and census)
mod sandbox_cluster;

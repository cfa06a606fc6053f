//! Test grounds of keepalived-rs, from the simulator to real kernels.

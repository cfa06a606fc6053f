//! Test grounds of keepalived-rs, from the simulator to real kernels.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod bed;
pub mod bench;
pub mod cases;
pub mod corpus;
pub mod edges;
pub mod exporters;
pub mod lab;
pub mod options;
pub mod reports;
pub mod routers;
pub mod sim;
pub mod tables;
pub mod text_diff;

//! The seam between the pure node and the world, as data.
//!
//! Owns: `Event` (what the world tells), `Effect` (what the node asks for) and the kernel objects
//! that both speak of. Never does: carry anything out. Driven by: `node` and its domains on one
//! side, `host` and the simulator on the other.

mod ipvs;
pub mod kernel;
mod notice;
pub mod process;
pub mod world;

pub use kernel::{
    AddressSpec, AddressTraits, Blocked, DestinationSpec, FirewallOp, ForwardMethod, IpvsOp,
    IpvsService, KernelOp, LinkKind, LinkSpec, Marked, OpOwner, OpTag, Place, RoutingChange,
    RoutingOp, ServiceName, ServiceSpec, SyncDaemon, SyncRole, Timeouts,
};
pub use notice::{Alert, AlertKind, Lasting, Line, Notice, Speaker};
pub use process::{
    Asker, ChildEnd, ChildId, ChildSignal, Command, FifoCmd, FifoFailure, FifoId, FifoIo, Process,
    ProcessNews, WatchId,
};
pub use world::{
    AddressChange, ConnectSpec, Datagram, Dial, Effect, Event, Frame, HostFact, LinkChange,
    LinkProbe, LinkState, Pattern, ProbeCmd, ProbeFailure, ProbeId, ProbeIo, RoutingNews, RxMeta,
    Search, Searched, SocketId, SocketSpec, Transport,
};

//! Interfaces that come and go, and sockets that break.

use super::super::{Event, State};
use super::{Bench, Step, US, address, config, facts, index, ms, vip};
use crate::base::IfIndex;
use crate::conf::model::{ReceivePolicy, Vrid};
use crate::ops::SocketId;

#[test]
fn a_master_whose_link_fails_resigns_and_listens_again_when_it_is_back() {
    let mut bench = Bench::master(config());
    let down = bench.tell(Event::Interface(facts(false)));
    assert_eq!(down, ["advert 0", "-192.0.2.101/32"]);
    assert_eq!(bench.state(), State::Fault);
    assert_eq!(bench.run(ms(60_000)), [""; 0]);
    assert_eq!(bench.tell(Event::Interface(facts(true))), [""; 0]);
    assert_eq!(bench.run(ms(4000)).first().unwrap(), "3609375 advert 100");
}

#[test]
fn without_an_address_there_is_nothing_to_speak_from() {
    let mut bench = Bench::master(config());
    let gone = bench.tell(Event::Address(address(US, 24, false)));
    assert_eq!(gone, ["advert 0", "-192.0.2.101/32"]);
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::Address(address("192.0.2.7", 24, true)));
    assert_eq!(bench.state(), State::Backup);
}

// Input: a second address, then the first goes. Output: still master, speaking from the second.
#[test]
fn a_master_goes_on_from_its_next_address() {
    let mut bench = Bench::master(config());
    bench.tell(Event::Address(address("192.0.2.7", 24, true)));
    assert_eq!(bench.tell(Event::Address(address(US, 24, false))), [""; 0]);
    assert_eq!(bench.state(), State::Master);
    // What was our address before is a stranger's now.
    let said = bench.hear(US, 50);
    assert_eq!(said, ["advert 100", "garp 192.0.2.101"]);
}

#[test]
fn an_interface_that_is_made_anew_gets_a_new_socket() {
    let mut bench = Bench::master(config());
    // The kernel takes the addresses first, then the link.
    bench.tell(Event::Address(address("192.0.2.101", 32, false)));
    assert_eq!(
        bench.tell(Event::Address(address(US, 24, false))),
        ["advert 0"]
    );
    assert_eq!(bench.tell(Event::InterfaceGone(index())), ["close"]);
    assert_eq!(bench.run(ms(9000)), [""; 0]);
    let mut new = facts(true);
    new.index = IfIndex::new(9).unwrap();
    assert_eq!(bench.tell(Event::Interface(new.clone())), ["open"]);
    let mut own = address(US, 24, true);
    own.index = new.index;
    bench.tell(Event::Address(own));
    assert_eq!(bench.run(ms(4000)).first().unwrap(), "3609375 advert 100");
}

#[test]
fn an_instance_waits_for_an_interface_that_does_not_exist_yet() {
    let mut bench = Bench::new();
    let mut early = config();
    early.interface = "eth7".into();
    assert_eq!(bench.apply(vec![Step::Add(early)]), ["open"]);
    assert_eq!(bench.state(), State::Fault);
    let mut new = facts(true);
    new.name = "eth7".into();
    new.index = IfIndex::new(7).unwrap();
    let mut own = address(US, 24, true);
    own.index = new.index;
    assert_eq!(bench.tell(Event::Interface(new)), ["open"]);
    bench.tell(Event::Address(own));
    assert_eq!(bench.state(), State::Backup);
}

// Input: the interface is renamed while the instance is master. Output: for the instance it is
// gone, and back when it gets its name again.
#[test]
fn a_renamed_interface_is_another_one() {
    let mut bench = Bench::master(config());
    let mut renamed = facts(true);
    renamed.name = "lan0".into();
    bench.tell(Event::Interface(renamed));
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::Interface(facts(true)));
    assert_eq!(bench.state(), State::Backup);
}

#[test]
fn a_socket_that_breaks_is_opened_anew_until_it_holds() {
    let mut bench = Bench::with(config());
    let first = bench.socket();
    assert_eq!(bench.tell(Event::SocketFailed(first, 24)), [""; 0]);
    assert_eq!(bench.state(), State::Fault);
    assert_eq!(bench.run(ms(1000)), ["1000000 open"]);
    let second = SocketId(first.0 + 1);
    bench.tell(Event::SocketFailed(second, 24));
    // A failure that is reported for a socket of the past is no news.
    bench.tell(Event::SocketFailed(first, 24));
    assert_eq!(bench.run(ms(1000)), ["1000000 open"]);
    assert_eq!(bench.state(), State::Fault);
    bench.run(ms(100));
    assert_eq!(bench.state(), State::Backup);
}

#[test]
fn a_broken_socket_for_announcements_does_not_stop_elections() {
    let mut bench = Bench::master(config());
    assert_eq!(bench.tell(Event::SocketFailed(SocketId(1), 12)), [""; 0]);
    assert_eq!(bench.state(), State::Master);
    let lines = bench.run(ms(1000));
    assert!(lines.iter().any(|line| line == "1000000 open"));
}

#[test]
fn an_instance_of_ipv6_says_that_it_cannot_and_stays_in_fault() {
    let mut v6 = config();
    v6.family = crate::base::Family::V6;
    v6.addresses = vec![vip("2001:db8::1")];
    let mut bench = Bench::with(v6);
    assert_eq!(bench.state(), State::Fault);
    assert_eq!(bench.run(ms(9000)), [""; 0]);
    assert_eq!(bench.tell(Event::Stop), [""; 0]);
}

// Input: `vrrp_rx_bufs_policy` in its forms, and instances with and without `kernel_rx_buf_size` on
// one socket, of which one leaves. Output: the sums that 2.2.7 sets; the driver's choice where
// nothing is said.
#[test]
fn the_users_of_a_socket_add_up_their_receive_buffers() {
    let mut bench = Bench::new();
    let buffers = |said: Vec<String>| -> Vec<String> {
        let about = |line: &String| line.starts_with("buffer");
        said.into_iter().filter(about).collect()
    };
    let mut two = config();
    two.addresses.push(vip("192.0.2.102"));
    let mut other = config();
    (other.name, other.vrid) = ("VI_2".into(), Vrid::new(52).unwrap());
    bench.config.global.vrrp.receive_policy = ReceivePolicy::Advert;
    let said = bench.apply(vec![Step::Add(two.clone()), Step::Add(other.clone())]);
    assert_eq!(buffers(said), ["buffer 132", "buffer 252"]);
    let keep = || vec![Step::Keep(two.clone()), Step::Keep(other.clone())];
    bench.config.global.vrrp.receive_policy = ReceivePolicy::Mtu;
    let said = bench.apply(keep());
    assert_eq!(buffers(said), ["buffer 4620", "buffer 9000"]);
    bench.config.global.vrrp.receive_policy = ReceivePolicy::Bytes(12345);
    let said = bench.apply(keep());
    assert_eq!(buffers(said).last().unwrap(), "buffer 24690");
    assert_eq!(buffers(bench.apply(keep())), [""; 0]);
    bench.config.global.vrrp.receive_policy = ReceivePolicy::Kernel;
    let said = bench.apply(keep());
    assert_eq!(buffers(said), ["buffer 12345", "buffer as ever"]);
    let mut own = config();
    (own.name, own.vrid) = ("VI_3".into(), Vrid::new(53).unwrap());
    own.options.receive_buffer = Some(100_000);
    let said = bench.apply(vec![
        Step::Keep(two.clone()),
        Step::Keep(other.clone()),
        Step::Add(own.clone()),
    ]);
    assert_eq!(buffers(said), ["buffer 100000"]);
}

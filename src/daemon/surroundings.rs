//! What happens to the machine: its network changes, it has slept, its clock was set. The kernel tells; nothing here polls.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::sync::Engine;

/// A network that comes up sends a dozen messages.
const SETTLE: Duration = Duration::from_millis(300);

/// Messages of one read; what is longer is cut, which the first bytes do not suffer from.
const BUFFER: usize = 16 * 1024;

/// Bytes before the body of a message.
const HEADER: usize = 16;

/// What a batch of routing messages says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct News {
    /// An address or route is new.
    came: bool,
    /// An address is gone or an interface is down, and connections by way of it are dead.
    went: bool,
}

/// Starts a thread that tells the engine of every change for the life of the process. A kernel that does not tell is done
/// without: the engine tries again by itself.
pub(super) fn follow(engine: Arc<Engine>) {
    let body = move || {
        if let Err(error) = tell(&engine) {
            tracing::warn!(%error, "changes of the network and the end of a suspension are not heard of");
        }
    };
    let spawned = thread::Builder::new()
        .name("surroundings".to_owned())
        .spawn(body);
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread to hear of changes of the network");
    }
}

fn tell(engine: &Engine) -> io::Result<()> {
    let (routes, clock) = (routing_socket()?, clock_timer()?);
    loop {
        let mut polled = [
            PollFd::new(&routes, PollFlags::IN),
            PollFd::new(&clock, PollFlags::IN),
        ];
        match rustix::event::poll(&mut polled, None) {
            Err(Errno::INTR) => continue,
            done => done?,
        };
        thread::sleep(SETTLE);
        if clock_was_set(&clock)? {
            tracing::debug!("the clock was set or the machine was suspended");
            engine.reconnect();
            engine.nudge();
        }
        let news = read_news(&routes)?;
        if news.went {
            engine.reconnect();
        }
        if news.came || news.went {
            engine.network_changed();
        }
    }
}

/// Hears of addresses and routes of both kinds (rtnetlink(7)).
fn routing_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Routing is the protocol of number 0, which stands for none.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    let groups = libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_ROUTE;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups.unsigned_abs()))?;
    Ok(socket)
}

/// Everything that has come so far.
fn read_news(socket: &OwnedFd) -> io::Result<News> {
    let mut news = News::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => news.take(buffer.get(..length).unwrap_or_default()),
            // Too much at once: some was lost, and something has happened.
            Err(Errno::NOBUFS) => news.came = true,
            Err(Errno::AGAIN) => return Ok(news),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl News {
    /// Reads messages: a header with length (4 bytes), type (2 bytes) and more, and a body, padded to 4 (netlink(7)).
    fn take(&mut self, mut messages: &[u8]) {
        while let Some((length, rest)) = messages.split_first_chunk::<4>()
            && let Some(kind) = rest.first_chunk::<2>()
        {
            let length = (u32::from_ne_bytes(*length) as usize).max(HEADER);
            let body = messages.get(HEADER..).unwrap_or_default();
            match u16::from_ne_bytes(*kind) {
                libc::RTM_NEWADDR | libc::RTM_NEWROUTE => self.came = true,
                libc::RTM_DELADDR => self.went = true,
                libc::RTM_NEWLINK if !is_running(body) => self.went = true,
                _ => {}
            }
            messages = messages
                .get(length.next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }
}

/// Whether an interface works: its flags follow 8 bytes of other things (rtnetlink(7), `ifinfomsg`).
fn is_running(link: &[u8]) -> bool {
    let flags = link.get(8..).and_then(|rest| rest.first_chunk::<4>());
    flags.is_some_and(|flags| u32::from_ne_bytes(*flags) & libc::IFF_RUNNING.unsigned_abs() != 0)
}

/// A timer that would go off in the far future is cancelled when the clock is set, which the end of a suspension counts
/// as (timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`).
fn clock_timer() -> io::Result<OwnedFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
    arm(&timer)?;
    Ok(timer)
}

fn arm(timer: &OwnedFd) -> io::Result<()> {
    let never = Timespec {
        tv_sec: i64::MAX / 1_000_000_000,
        tv_nsec: 0,
    };
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: never,
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(timer, flags, &once)?;
    Ok(())
}

/// Whether the timer was cancelled; it waits for the next time then.
fn clock_was_set(timer: &OwnedFd) -> io::Result<bool> {
    match rustix::io::read(timer, &mut [0; 8]) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Ok(_) | Err(Errno::CANCELED) => arm(timer).map(|()| true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32, kind: u16, content: &[u8]) -> Vec<u8> {
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(content);
        message
    }

    #[test]
    fn messages_are_told_apart() {
        let mut messages = message(20, libc::RTM_DELROUTE, &[0; 4]);
        messages.extend(message(17, libc::RTM_DELADDR, &[0; 4]));
        let mut news = News::default();
        news.take(&messages);
        assert_eq!(
            news,
            News {
                came: false,
                went: true
            }
        );
        news.take(&message(16, libc::RTM_NEWROUTE, &[]));
        assert!(news.came);
    }

    #[test]
    fn an_interface_that_is_down_takes_its_connections_along() {
        let link = |flags: i32| {
            let mut body = vec![0; 8];
            body.extend(flags.to_ne_bytes());
            message(28, libc::RTM_NEWLINK, &body)
        };
        let mut news = News::default();
        news.take(&link(libc::IFF_UP | libc::IFF_RUNNING));
        assert!(!news.went);
        news.take(&link(libc::IFF_UP));
        assert!(news.went);
    }

    #[test]
    fn nonsense_ends() {
        let mut news = News::default();
        news.take(&[0; 64]);
        news.take(&message(u32::MAX, 0, &[]));
        news.take(&[1, 2, 3]);
        assert_eq!(news, News::default());
    }

    /// An address of the loopback interface, for the time of a test.
    struct Address(String);

    impl Address {
        fn add() -> Self {
            let [_, a, b, c] = std::process::id().to_be_bytes();
            let address = Self(format!("127.{}.{b}.{}/32", a | 1, c | 1));
            assert!(address.ip("add"));
            address
        }

        fn ip(&self, verb: &str) -> bool {
            let status = std::process::Command::new("ip")
                .args(["address", verb, &self.0, "dev", "lo"])
                .status();
            status.unwrap().success()
        }
    }

    impl Drop for Address {
        fn drop(&mut self) {
            self.ip("delete");
        }
    }

    /// Needs root.
    #[test]
    fn the_kernel_tells_of_addresses() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let socket = routing_socket().unwrap();
        let address = Address::add();
        hears(&socket, |news| news.came);
        drop(address);
        hears(&socket, |news| news.went);
    }

    fn hears(socket: &OwnedFd, wanted: impl Fn(News) -> bool) {
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while !wanted(read_news(socket).unwrap()) {
            assert!(std::time::Instant::now() < until);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Setting the clock to what it says counts as setting it. Needs root.
    #[test]
    fn the_kernel_tells_of_a_clock_that_is_set() {
        let timer = clock_timer().unwrap();
        assert!(!clock_was_set(&timer).unwrap());
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        if rustix::time::clock_settime(rustix::time::ClockId::Realtime, now).is_ok() {
            assert!(clock_was_set(&timer).unwrap());
            assert!(!clock_was_set(&timer).unwrap());
        }
    }
}

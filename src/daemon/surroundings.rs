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

/// Starts a thread that tells the engine of every change for the life of the process. What the kernel does not tell is done
/// without: the engine tries again by itself.
pub(super) fn follow(engine: Arc<Engine>) {
    let body = move || {
        let mut ears = Ears {
            routes: heard_of(routing_socket(), ROUTES),
            clock: heard_of(clock_timer(), CLOCK),
        };
        while ears.wait() {
            thread::sleep(SETTLE);
            tell(&engine, &ears.listen());
        }
    };
    let spawned = thread::Builder::new()
        .name("surroundings".to_owned())
        .spawn(body);
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread to hear of changes of the network");
    }
}

const ROUTES: &str = "changes of the network";
const CLOCK: &str = "the end of a suspension";

/// What was heard, or `None` from a kernel that does not tell.
fn heard_of<T>(heard: io::Result<T>, what: &str) -> Option<T> {
    heard
        .inspect_err(|error| tracing::warn!(%error, "not heard of: {what}"))
        .ok()
}

/// What tells; each may be missing.
struct Ears {
    routes: Option<OwnedFd>,
    clock: Option<OwnedFd>,
}

/// What was told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    clock_was_set: bool,
    news: News,
}

impl Ears {
    /// Waits until there is something to hear; `false` if there never will be.
    fn wait(&self) -> bool {
        let ears = [&self.routes, &self.clock];
        let ears = ears.into_iter().flatten();
        let mut polled: Vec<PollFd<'_>> = ears.map(|ear| PollFd::new(ear, PollFlags::IN)).collect();
        if polled.is_empty() {
            return false;
        }
        match rustix::event::poll(&mut polled, None) {
            Err(Errno::INTR) => true,
            done => heard_of(done.map_err(Into::into), "anything").is_some(),
        }
    }

    /// Everything that was told so far; what fails is not listened to any more.
    fn listen(&mut self) -> Heard {
        let clock = self.clock.as_ref().map(clock_was_set);
        let news = self.routes.as_ref().map(read_news);
        let clock = clock.and_then(|was_set| heard_of(was_set, CLOCK));
        let news = news.and_then(|news| heard_of(news, ROUTES));
        self.clock.take_if(|_| clock.is_none());
        self.routes.take_if(|_| news.is_none());
        Heard {
            clock_was_set: clock.unwrap_or_default(),
            news: news.unwrap_or_default(),
        }
    }
}

fn tell(engine: &Engine, heard: &Heard) {
    if heard.clock_was_set {
        tracing::debug!("the clock was set or the machine was suspended");
        engine.reconnect();
        engine.nudge();
    }
    if heard.news.went {
        engine.reconnect();
    }
    if heard.news.came || heard.news.went {
        engine.network_changed();
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

    /// As in a service that may use some families of addresses only.
    #[test]
    fn one_ear_does_without_the_other() {
        let refused = || Err(io::Error::from(Errno::AFNOSUPPORT));
        let mut ears = Ears {
            routes: heard_of(refused(), ROUTES),
            clock: heard_of(clock_timer(), CLOCK),
        };
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        if rustix::time::clock_settime(rustix::time::ClockId::Realtime, now).is_ok() {
            assert!(ears.wait());
            assert!(ears.listen().clock_was_set);
        }
        assert_eq!(ears.listen(), Heard::default());
        // A descriptor of another kind fails, and is not asked again.
        ears.routes = Some(std::fs::File::open("/dev/null").unwrap().into());
        ears.listen();
        assert!(ears.routes.is_none() && ears.clock.is_some());
        ears.clock = None;
        assert!(!ears.wait());
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

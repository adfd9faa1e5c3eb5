//! One exchange under way: its place on the mailbox, the failure it meets, and its line in the log, which is written also
//! when the caller hangs up before there is a reply.

use super::faults::FaultAction;
use super::http::{Refusal, Reply, Request};
use super::log::{About, Slot};
use super::seats::Seat;
use super::service::Service;

/// A request that has come and is not answered yet.
pub(super) struct Exchange<'a> {
    service: &'a Service,
    request: &'a Request,
    slot: Slot,
    seat: Option<Seat<'a>>,
    fault: Option<&'static str>,
    is_logged: bool,
}

impl<'a> Exchange<'a> {
    /// Begins, with the failure that the request is to meet.
    pub(super) fn begin(service: &'a Service, request: &'a Request) -> (Self, Option<FaultAction>) {
        let (slot, strike, budget) = {
            let mut state = service.state();
            let strike = state.faults.strike(request);
            (state.log.arrive(), strike, state.switches.budget)
        };
        // A member of a batch sits with the batch.
        let is_alone = request.batch.is_none();
        let seat = is_alone.then(|| service.seats.take(request, budget));
        let exchange = Self {
            service,
            request,
            slot,
            seat: seat.flatten(),
            fault: strike.as_ref().map(FaultAction::name),
            is_logged: false,
        };
        (exchange, strike)
    }

    /// Order of arrival.
    pub(super) fn seq(&self) -> u64 {
        self.slot.seq
    }

    /// For how many of the requests there is room; the others are refused so.
    pub(super) fn room(&self) -> (usize, Refusal) {
        let Some(seat) = &self.seat else {
            return (usize::MAX, self.service.throttled(None));
        };
        let granted = if seat.spent.is_some() {
            0
        } else {
            seat.granted
        };
        (granted, self.service.throttled(seat.spent))
    }

    /// Ends with a reply, or by closing the connection.
    pub(super) fn end(mut self, reply: Option<&Reply>) {
        self.log(reply);
    }

    fn log(&mut self, reply: Option<&Reply>) {
        self.is_logged = true;
        let about = About {
            fault: self.fault,
            app: self.seat.as_ref().map(|seat| seat.app().to_owned()),
            open: self.seat.as_ref().map_or(0, |seat| seat.open),
        };
        let mut state = self.service.state();
        state.log.write(self.slot, self.request, about, reply);
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !self.is_logged {
            self.log(None);
        }
    }
}

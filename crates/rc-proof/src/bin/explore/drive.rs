//! Gives a machine its inputs and carries out what it wants, as the driver of production does.

use rc_auth_core::{Gate, GrantRecord, Input, Output, RecordState, Secret};

use crate::{
    defects::Defect,
    invariants::{Broken, broken},
    platform::{name_of_secret, presented},
    world::{Request, StoreCall, World, version_of},
};

impl World {
    /// Gives an input, and takes all outputs.
    pub(crate) fn feed(&mut self, p: u8, input: Input) -> Result<(), Broken> {
        let mut next = Some(input);
        let now = self.now;
        while let Some(input) = next.take() {
            if self.process(p).machine.handle_input(input, now).is_err() {
                return Err(broken(
                    "the driver's contract",
                    "an answer was not expected",
                ));
            }
            while let Some(output) = self.process(p).machine.poll_output() {
                if let Some(input) = self.carry_out(p, output)? {
                    next = Some(input);
                }
            }
        }
        self.check_shown(p)
    }

    /// The rate gate answers at once; where it may be closed, that is an event.
    fn carry_out(&mut self, p: u8, output: Output) -> Result<Option<Input>, Broken> {
        match output {
            Output::Load => {
                self.process(p).must_read = false;
                self.call(p, StoreCall::Load)?;
            }
            Output::Save { record, expect, .. } => {
                if let RecordState::Refreshing { intent, .. } = &record.state {
                    self.process(p).claimed = Some(intent.attempt);
                }
                let record = std::rc::Rc::new(*record);
                let expect = version_of(expect);
                self.call(p, StoreCall::Save { record, expect })?;
            }
            Output::AskGate { .. } => {
                if self.left.closings > 0 {
                    self.process(p).is_at_gate = true;
                    return Ok(None);
                }
                let name = self.attempt();
                return Ok(Some(Input::Gate(Gate::Open(name))));
            }
            Output::Send { request, .. } => self.send(p, request.body())?,
            Output::Revoke { token } => self.revoke(p, &token)?,
            Output::Report(_) => {}
        }
        Ok(None)
    }

    fn call(&mut self, p: u8, call: StoreCall) -> Result<(), Broken> {
        let before = self.process(p).call.replace(call);
        match before {
            None => Ok(()),
            Some(_) => Err(broken(
                "the driver's contract",
                "two calls of the store at once",
            )),
        }
    }

    fn send(&mut self, p: u8, body: &[u8]) -> Result<(), Broken> {
        let Some((chain, refresh)) = presented(body) else {
            return Err(broken(
                "the model itself",
                "a request without a refresh token",
            ));
        };
        self.check_send(p, chain, refresh)?;
        self.chains[usize::from(chain)].send(refresh);
        let request = Request::Out { chain, refresh };
        self.process(p).was_refused = false;
        match self.process(p).request.replace(request) {
            None => Ok(()),
            Some(_) => Err(broken(
                "7 one refresh in flight",
                "two requests of one process",
            )),
        }
    }

    fn revoke(&mut self, p: u8, token: &Secret) -> Result<(), Broken> {
        let Some((chain, _)) = name_of_secret(token) else {
            return Err(broken("the model itself", "a token of no chain is revoked"));
        };
        let holds = self.record.as_ref().is_some_and(|it| it.pair().is_some());
        if self.process(p).must_read || (holds && self.current_chain() == Some(chain)) {
            return Err(broken(
                "3 losers only read",
                "the chain of the record is revoked",
            ));
        }
        if self.chains[usize::from(chain)].alive {
            self.to_revoke |= 1 << chain;
        }
        Ok(())
    }

    /// A record that a defect only pretends to write.
    pub(crate) fn forges(&self, record: &GrantRecord) -> bool {
        match record.state {
            RecordState::Refreshing { .. } => self.defect == Defect::NoIntent,
            RecordState::Idle { .. } => self.defect == Defect::NoCommit,
            RecordState::SignedOut { .. } | RecordState::Ended { .. } => false,
        }
    }
}

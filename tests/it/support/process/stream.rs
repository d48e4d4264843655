//! What a process writes, read as it comes.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::PATIENCE;

/// One of a process's two outputs; a thread reads it, so that the process never waits for us.
pub(crate) struct Stream {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    at_end: bool,
}

impl Stream {
    pub(super) fn of(source: impl Read + Send + 'static) -> Self {
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || read(source, &shared));
        Self { state }
    }

    /// What `find` makes of the text so far, as soon as it makes something of it; `None` if the text ends before.
    pub(crate) fn find<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (state, changed) = &*self.state;
        let began = Instant::now();
        let mut state = state.lock().unwrap();
        loop {
            let found = find(&String::from_utf8_lossy(&state.bytes));
            if found.is_some() || state.at_end {
                return found;
            }
            let left = PATIENCE.checked_sub(began.elapsed()).expect("the process says no more");
            state = changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// The first whole line that `find` makes something of.
    pub(crate) fn find_line<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.find(|text| text.split_inclusive('\n').filter(|line| line.ends_with('\n')).find_map(&find))
    }

    /// Everything, when there is no more.
    pub(crate) fn whole(&self) -> String {
        let (state, changed) = &*self.state;
        let mut state = state.lock().unwrap();
        while !state.at_end {
            state = changed.wait(state).unwrap();
        }
        String::from_utf8_lossy(&state.bytes).into_owned()
    }
}

fn read(mut source: impl Read, (state, changed): &(Mutex<State>, Condvar)) {
    let mut room = [0; 8192];
    loop {
        let count = source.read(&mut room).unwrap_or(0);
        let mut state = state.lock().unwrap();
        state.bytes.extend_from_slice(&room[..count]);
        state.at_end = count == 0;
        changed.notify_all();
        if state.at_end {
            return;
        }
    }
}

//! A worker process: how it is started, spoken to, and ended.
//!
//! Its stdin is a socket for requests and answers, its stdout a shared memory file, its stderr a
//! pipe for whatever it prints. So nothing has to be inherited by number, and an environment that
//! prints cannot disturb the protocol.

use super::options::{WorkerLine, WorkerOutput};
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SOURCE: &str = include_str!("worker.py");
/// Receives the source over the socket: on the command line it would fill the process list. In
/// traces the worker's own frames have a file name of their own, by which it leaves them out.
const BOOT: &str = "import os,socket,struct,sys
c=socket.socket(fileno=os.dup(0))
n,p=struct.unpack('<II',c.recv(8,socket.MSG_WAITALL))
s=c.recv(n,socket.MSG_WAITALL)
f='<contrail worker>'
exec(compile(s,f,'exec'),{'__name__':'contrail_worker','__file__':f,'CHANNEL':c,'PARENT':p})";
/// Lines of its output that an error shows.
const TAIL_LINES: usize = 30;
/// Longest line that is kept.
const MAX_LINE_BYTES: u64 = 2000;
/// How long an answer is waited for without sleeping. Waking up takes as long as some vector steps
/// do: 50 us where an idle core has to be woken on a virtual machine. The worker does the same.
const SPIN: Duration = Duration::from_micros(100);
/// How long a worker may take to close its environments.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a dead worker's last words may take to arrive.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(500);

/// A request as the worker reads it.
pub(super) type Request<'a> = (u8, &'a [u8]);

/// Why a worker gave no answer. It is gone after either.
#[derive(Debug)]
pub(super) enum Silence {
    /// The process ended.
    Ended(String),
    /// It did not answer in time and was killed.
    TimedOut(String),
}

/// An answer: `D` or `F`, and what came with it.
pub(super) struct Answer {
    pub(super) letter: u8,
    pub(super) payload: Vec<u8>,
}

/// A running worker.
pub(super) struct Process {
    /// Number of this worker among all that this process started, from 0.
    pub(super) number: u64,
    child: Child,
    channel: Option<UnixStream>,
    timeout: Duration,
    tail: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `interpreter` with `memory` as its shared memory; `label` shows in process lists.
    pub(super) fn start(
        (interpreter, label): (&Path, &str),
        memory: File,
        output: WorkerOutput,
    ) -> Result<Self, String> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let (mut channel, theirs) =
            UnixStream::pair().map_err(|e| format!("cannot make a socket: {e}"))?;
        let mut command = Command::new(interpreter);
        command.args(["-c", BOOT, "contrail-worker", label, &number.to_string()]);
        command.stdin(OwnedFd::from(theirs)).stdout(memory).stderr(Stdio::piped());
        command.env("PYTHONUNBUFFERED", "1");
        // Workers fill the cores by their number, not each by itself.
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            command.env("OMP_NUM_THREADS", "1");
        }
        // Ctrl-C in a terminal goes to a whole group; what follows from it is for us to say.
        command.process_group(0);
        let mut child =
            spawn(command).map_err(|e| format!("cannot start {}: {e}", interpreter.display()))?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let reader = child.stderr.take().map(|stderr| {
            let tail = Arc::clone(&tail);
            std::thread::spawn(move || read_lines(stderr, number, &tail, &output))
        });
        let source = [
            &u32::try_from(SOURCE.len()).unwrap_or(u32::MAX).to_le_bytes()[..],
            &std::process::id().to_le_bytes(),
            SOURCE.as_bytes(),
        ];
        // A worker that is gone already is noticed with the first request.
        let _ = channel.write_all(&source.concat());
        let timeout = Duration::ZERO;
        Ok(Self { number, child, channel: Some(channel), timeout, tail, reader })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request.
    pub(super) fn send(&mut self, (letter, payload): Request<'_>) -> Result<(), Silence> {
        let Some(channel) = &mut self.channel else { return Err(self.ended()) };
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut head = [letter, 0, 0, 0, 0];
        head[1..].copy_from_slice(&length.to_le_bytes());
        let sent = if payload.is_empty() {
            channel.write_all(&head)
        } else {
            channel.write_all(&[&head[..], payload].concat())
        };
        sent.map_err(|_| self.ended())
    }

    /// Waits for the answer to a request; a worker that is late is killed.
    pub(super) fn receive(&mut self, timeout: Duration) -> Result<Answer, Silence> {
        match self.read_answer(timeout) {
            Ok(answer) => Ok(answer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(self.timed_out(timeout))
            }
            Err(_) => Err(self.ended()),
        }
    }

    fn read_answer(&mut self, timeout: Duration) -> std::io::Result<Answer> {
        let Some(channel) = &mut self.channel else { return Err(ErrorKind::NotConnected.into()) };
        if self.timeout != timeout {
            channel.set_read_timeout(Some(timeout))?;
            self.timeout = timeout;
        }
        let mut head = [0; 5];
        let begun = receive_soon(channel, &mut head)?;
        channel.read_exact(&mut head[begun..])?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut payload = vec![0; length];
        channel.read_exact(&mut payload)?;
        Ok(Answer { letter: head[0], payload })
    }

    fn ended(&mut self) -> Silence {
        self.channel = None; // nothing more will come, and it may be waiting for us
        let status = self.wait(LAST_WORDS_TIMEOUT);
        self.kill();
        let how = status.map_or_else(|| "closed its connection".to_owned(), |s| s.to_string());
        Silence::Ended(format!("the worker ended ({how}){}", self.last_words()))
    }

    fn timed_out(&mut self, timeout: Duration) -> Silence {
        // Python's fault handler answers even where the interpreter is stuck in foreign code.
        if let Some(pid) = self.rustix_pid() {
            let _ = kill_process(pid, Signal::USR1);
            std::thread::sleep(LAST_WORDS_TIMEOUT);
        }
        self.kill();
        Silence::TimedOut(format!("no answer within {timeout:?}{}", self.last_words()))
    }

    /// What it printed last. The reader ends when the last process of the group has closed the
    /// pipe, so it is not waited for without limit.
    fn last_words(&mut self) -> String {
        let deadline = Instant::now() + LAST_WORDS_TIMEOUT;
        while self.reader.as_ref().is_some_and(|r| !r.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let tail = self.tail.lock();
        if tail.is_empty() {
            return "; it printed nothing".to_owned();
        }
        let lines: Vec<&str> = tail.iter().map(String::as_str).collect();
        format!("; it printed last:\n{}", lines.join("\n"))
    }

    fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn rustix_pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Kills the worker and whatever it started, and takes its exit status from the system.
    fn kill(&mut self) {
        self.channel = None;
        let running = matches!(self.child.try_wait(), Ok(None));
        if let Some(pid) = self.rustix_pid().filter(|_| running) {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.channel = None; // it closes its environments when it sees that
        if self.wait(CLOSE_TIMEOUT).is_none() {
            self.kill();
        }
    }
}

/// Reads into `buffer` what arrives within [`SPIN`]; 0 if nothing does.
fn receive_soon(channel: &UnixStream, buffer: &mut [u8]) -> std::io::Result<usize> {
    let begin = Instant::now();
    loop {
        match recv(channel, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok((count, _)) => return Ok(count),
            Err(Errno::AGAIN) if begin.elapsed() < SPIN => std::thread::yield_now(),
            Err(Errno::AGAIN) => return Ok(0),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Keeps the last lines for errors and passes all to `output`.
fn read_lines(
    stderr: impl Read,
    worker: u64,
    tail: &Mutex<VecDeque<String>>,
    output: &WorkerOutput,
) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stderr).take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut tail = tail.lock();
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(text.clone());
        drop(tail);
        output.push(WorkerLine { worker, text });
    }
}

type Spawn = (Command, SyncSender<std::io::Result<Child>>);

/// Spawns from a thread that lives as long as this process: Linux sends the parent-death signal,
/// by which workers die with us, when the *thread* that started them ends.
fn spawn(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<SyncSender<Spawn>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests): (_, Receiver<Spawn>) = sync_channel(0);
        std::thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let gone = || std::io::Error::other("the thread that starts workers is gone");
    let (reply, child) = sync_channel(1);
    spawner.send((command, reply)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

//! Standard streams: log, attached clients, input, terminal.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use berth_shim_proto::{Attach, Event, Log, Reply, Request, Stdio};
use common::{Fixture, read_attached};

const OUTPUT: Attach = Attach { stdin: false, stdout: true, stderr: true, close_stdin_on_eof: false };
const ALL: Attach = Attach { stdin: true, stdout: true, stderr: true, close_stdin_on_eof: true };

#[test]
fn attached_clients_get_all_output_from_the_start() {
    let fixture = Fixture::new(&["sh", "-c", "echo one; echo two >&2; echo three"]);
    let (shim, _, _) = fixture.create();
    let both = shim.attach(OUTPUT);
    let errors = shim.attach(Attach { stdout: false, ..OUTPUT });
    shim.call(2, Request::Start);
    assert!(matches!(shim.event(), Event::Started { .. }));
    assert_eq!(read_attached(&both), ("one\nthree\n".to_owned(), "two\n".to_owned()));
    assert_eq!(read_attached(&errors), (String::new(), "two\n".to_owned()));
    assert_eq!(shim.wait().code, 0);
}

#[test]
fn input_reaches_the_program_and_its_end_too() {
    let mut fixture = Fixture::new(&["sh", "-c", "cat; echo end"]);
    fixture.launch.stdio = Stdio { open_stdin: true, ..Stdio::default() };
    let (shim, _, _) = fixture.create();
    let mut client = shim.attach(ALL);
    shim.call(2, Request::Start);
    assert!(matches!(shim.event(), Event::Started { .. }));
    let block = "0123456789abcdef".repeat(64 << 10);
    let sender = {
        let (mut client, block) = (client.try_clone().unwrap(), block.clone());
        std::thread::spawn(move || {
            client.write_all(block.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    let (out, _) = read_attached(&client);
    sender.join().unwrap();
    assert!(out == block + "end\n", "{} bytes came back", out.len());
    assert_eq!(shim.wait().code, 0);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn input_stays_open_without_a_client_and_can_be_closed_by_request() {
    let mut fixture = Fixture::new(&["cat"]);
    fixture.launch.stdio = Stdio { open_stdin: true, ..Stdio::default() };
    let (shim, _) = fixture.start();
    // A client that only looks, and one whose leaving does not matter.
    drop(shim.attach(OUTPUT));
    let mut client = shim.attach(Attach { close_stdin_on_eof: false, ..ALL });
    client.write_all(b"still here\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    common::eventually("the line is logged", || fixture.log().len() == 1);
    assert_eq!(shim.ask(Request::CloseStdin), Reply::Done);
    assert_eq!(shim.wait().code, 0);
}

#[test]
fn a_client_that_leaves_while_nobody_reads_its_input_costs_nothing() {
    let mut fixture = Fixture::new(&["sh", "-c", "sleep 1; wc -c"]);
    fixture.launch.stdio = Stdio { open_stdin: true, ..Stdio::default() };
    let (shim, _) = fixture.start();
    let mut client = shim.attach(ALL);
    // More than pipe and shim take; the rest waits in the socket.
    client.write_all(&[b'x'; 150_000]).unwrap();
    drop(client);
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", shim.child.id())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum::<u64>()
    };
    std::thread::sleep(Duration::from_millis(500));
    assert!(ticks() < 10, "{}", ticks());
    assert_eq!(shim.wait().code, 0);
    assert_eq!(fixture.log()[0].1, "150000\n");
}

#[test]
fn a_terminal_is_a_terminal() {
    let script = "tty; test -t 0 && test -t 1 && test -t 2 && echo all; stat -c '%u %g %a' /dev/pts/0; \
        stat -c '%t,%T' /dev/console; stty size; read x; echo \"got $x\"; ps -o tty,comm | grep -c 136";
    let mut fixture = Fixture::new(&["sh", "-c", script]);
    fixture.launch.stdio = Stdio { tty: true, open_stdin: true, size: Some((30, 100)) };
    fixture.launch.user = "1000".to_owned();
    let (shim, _, _) = fixture.create();
    let mut client = shim.attach(ALL);
    assert_eq!(shim.ask(Request::Resize { height: 40, width: 120 }), Reply::Done);
    shim.call(2, Request::Start);
    assert!(matches!(shim.event(), Event::Started { .. }));
    client.write_all(b"word\n").unwrap();
    let (out, err) = read_attached(&client);
    assert_eq!(err, "");
    let lines: Vec<&str> = out.split("\r\n").collect();
    assert!(lines.contains(&"/dev/pts/0") || lines.contains(&"/dev/console"), "{lines:?}");
    for line in ["all", "1000 5 620", "88,0", "40 120", "got word"] {
        assert!(lines.contains(&line), "{line} in {lines:?}");
    }
    shim.wait();
    assert_eq!(fixture.log().iter().filter(|(stream, _)| stream != "stdout").count(), 0);
    assert!(fixture.log().contains(&("stdout".to_owned(), "all\r\n".to_owned())));
}

#[test]
fn resizing_a_container_without_terminal_is_refused() {
    let fixture = Fixture::new(&["sleep", "100"]);
    let (shim, _) = fixture.start();
    assert!(matches!(shim.ask(Request::Resize { height: 1, width: 1 }), Reply::Error { .. }));
    assert_eq!(shim.ask(Request::Unknown), Reply::Unsupported);
    assert!(matches!(shim.ask(Request::Start), Reply::Error { .. }));
    shim.ask(Request::Kill { signal: 9 });
    shim.wait();
}

#[test]
fn a_log_is_rotated_and_never_grows_beyond_its_bound() {
    let mut fixture = Fixture::new(&["sh", "-c", "for i in $(seq 1 2000); do echo line $i; done"]);
    let path = fixture.path("log");
    fixture.launch.log = Log::JsonFile { path, max_size: Some(10_000), max_file: 3, attrs: None };
    let (exit, _) = fixture.run();
    assert_eq!(exit.code, 0);
    let mut numbers = Vec::new();
    for name in ["log.2", "log.1", "log"] {
        assert!(fs::metadata(fixture.path(name)).unwrap().len() < 10_200, "{name}");
        for (_, line) in common::read_log(&fixture.path(name)) {
            numbers.push(line.trim().strip_prefix("line ").unwrap().parse::<u32>().unwrap());
        }
    }
    assert!(!fixture.path("log.3").exists());
    assert_eq!(numbers.last(), Some(&2000));
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn much_output_arrives_whole_even_at_a_slow_client() {
    let fixture = Fixture::new(&["sh", "-c", "seq 1 600000"]);
    let (shim, _, _) = fixture.create();
    let client = shim.attach(OUTPUT);
    shim.call(2, Request::Start);
    assert!(matches!(shim.event(), Event::Started { .. }));
    // Longer than it takes to fill every buffer on the way.
    std::thread::sleep(Duration::from_millis(300));
    let (out, _) = read_attached(&client);
    assert_eq!(out.lines().count(), 600_000);
    assert_eq!(out.lines().last(), Some("600000"));
    assert_eq!(shim.wait().code, 0);
    assert_eq!(fixture.log().len(), 600_000);
}

#[test]
fn a_client_that_takes_nothing_does_not_hang_the_container() {
    let fixture = Fixture::new(&["sh", "-c", "seq 1 600000"]);
    let (shim, _, _) = fixture.create();
    let client = shim.attach(OUTPUT);
    let begin = Instant::now();
    shim.call(2, Request::Start);
    assert!(matches!(shim.event(), Event::Started { .. }));
    assert_eq!(shim.wait().code, 0);
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    assert_eq!(fixture.log().len(), 600_000);
    drop(client);
}

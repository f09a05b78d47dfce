use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let total = Arc::new(Mutex::new(0));
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..8)
        .map(|i| {
            let (total, sender) = (total.clone(), sender.clone());
            thread::spawn(move || {
                *total.lock().unwrap() += i;
                sender.send(i).unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    drop(sender);
    println!("{} {}", total.lock().unwrap(), receiver.iter().count());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello"));
    let mut text = String::new();
    TcpStream::connect(address)?.read_to_string(&mut text)?;
    server.join().unwrap()?;
    println!("{text}");
    print!("{}", String::from_utf8(Command::new("echo").arg("process").output()?.stdout)?);
    let table: BTreeMap<_, _> = [("größe", 1), ("a", 2)].into_iter().collect();
    println!("{:?}", table);
    Ok(())
}
// Output:
// 28 8
// hello
// process
// {"a": 2, "größe": 1}

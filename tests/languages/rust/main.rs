mod sub;

use std::io::{self, Read, Write};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args[0].as_str() {
        "ordinary" => {
            println!("hello\n{}", args[1..].join("|"));
            print!("{}", std::fs::read_to_string("data/in.txt").unwrap());
            println!("{}", sub::helper::größe());
            let mut input = String::new();
            io::stdin().read_to_string(&mut input).unwrap();
            print!("{}", input);
            std::process::exit(3);
        }
        "raise" => panic!("boom é"),
        "sleep" => {
            println!("before");
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        "memory" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1u8; 1 << 20]);
            }
        }
        _ => loop {
            io::stdout().write_all("flood\n".repeat(100).as_bytes()).unwrap();
        },
    }
}

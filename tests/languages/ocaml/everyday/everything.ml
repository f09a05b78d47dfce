module Table = Map.Make (String)

type shape = Circle of float | Square of float

let area = function Circle r -> r *. r | Square s -> s *. s

let () =
  let total = ref 0 and lock = Mutex.create () in
  let add n = Mutex.lock lock; total := !total + n; Mutex.unlock lock in
  List.iter Thread.join (List.map (Thread.create add) [ 1; 2; 3 ]);
  Printf.printf "%d %.1f\n%!" !total (area (Square 2.) +. area (Circle 1.));
  let table = Table.(empty |> add "b" 2 |> add "a" 1) in
  Table.iter (Printf.printf "%s=%d ") table;
  print_endline (Str.global_replace (Str.regexp "[0-9]+") "#" "a1b22");
  flush stdout;
  let input, output = Unix.pipe () in
  (match Unix.fork () with
  | 0 -> ignore (Unix.write_substring output "child\n" 0 6); exit 0
  | pid -> ignore (Unix.waitpid [] pid));
  print_endline (input_line (Unix.in_channel_of_descr input));
  print_endline (input_line (Unix.open_process_in "echo from a shell"))
(* Output:
6 5.0
a=1 b=2 a#b#
child
from a shell
*)

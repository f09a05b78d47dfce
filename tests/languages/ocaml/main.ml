let args = List.tl (Array.to_list Sys.argv)

let copy channel =
  try
    while true do
      print_endline (input_line channel)
    done
  with End_of_file -> ()

let () =
  match args with
  | "ordinary" :: rest ->
      print_endline "hello";
      print_endline (String.concat "|" rest);
      copy (open_in "data/in.txt");
      print_endline (Helper.greeting ());
      copy stdin;
      exit 3
  | "raise" :: _ -> failwith "boom é"
  | "sleep" :: _ ->
      print_endline "before";
      Unix.sleep 60
  | "memory" :: _ ->
      let kept = ref [] in
      while true do
        kept := Bytes.make (1 lsl 20) 'x' :: !kept
      done
  | _ ->
      while true do
        print_endline "floodfloodfloodfloodfloodfloodfloodfloodfloodflood"
      done

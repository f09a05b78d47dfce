let () = x

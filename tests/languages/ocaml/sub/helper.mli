val greeting : unit -> string

let greeting () = "héllo ☃ from sub"

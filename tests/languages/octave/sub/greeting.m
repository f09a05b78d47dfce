function text = greeting()
  text = "héllo ☃ from sub";
endfunction

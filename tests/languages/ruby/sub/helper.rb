def größe
  "héllo ☃ from sub"
end

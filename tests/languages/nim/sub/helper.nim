proc größe*(): string =
  "héllo ☃ from sub"

größe <- function() "héllo ☃ from sub"

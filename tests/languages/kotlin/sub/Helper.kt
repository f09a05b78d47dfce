package sub

fun größe() = "héllo ☃ from sub"

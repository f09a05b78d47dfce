pub fn größe() -> &'static str {
    "héllo ☃ from sub"
}

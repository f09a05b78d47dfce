greeting() {
    echo 'héllo ☃ from sub'
}

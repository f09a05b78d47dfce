function greeting {
    local words=("héllo ☃" "from sub")
    echo "${words[@]}"
}

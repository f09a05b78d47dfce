function greeting() {
    return "héllo ☃ from sub"
}

BEGIN {
    mode = ARGV[1]
    if (mode == "ordinary") {
        print "hello"
        for (i = 2; i < ARGC; i++) printf "%s%s", (i > 2 ? "|" : ""), ARGV[i]
        print ""
        while ((getline line < "data/in.txt") > 0) print line
        print greeting()
        while ((getline line < "-") > 0) print line
        exit 3
    }
    if (mode == "raise") {
        print "x" > "/nonexistent/boom é"
    }
    if (mode == "sleep") {
        print "before"
        fflush()
        system("sleep 60")
    }
    if (mode == "memory") {
        kept = "x"
        while (1) kept = kept kept
    }
    while (1) print "floodfloodfloodfloodfloodfloodfloodfloodfloodflood"
}

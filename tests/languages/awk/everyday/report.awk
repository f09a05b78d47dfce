function max(a, b) { return a > b ? a : b }
BEGIN {
    n = split("Köln 3;Bonn 4;Köln 5", lines, ";")
    for (i = 1; i <= n; i++) {
        split(lines[i], field, " ")
        sum[field[1]] += field[2]
        most = max(most, field[2])
    }
    printf "%s %d %d\n", toupper("größe"), sum["Köln"], most
    "echo from a shell" | getline line
    print line, length("é"), substr("hello", 2, 3), match("abc123", /[0-9]+/)
    print "b\na" | "sort"
    close("sort")
}
# Output:
# GRÖßE 8 5
# from a shell 1 ell 4
# a
# b

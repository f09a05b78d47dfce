# The usual ways through the interpreter, so that what they make is there already: see r.c.
# Nothing of it has a name that a program could meet, and no random number is drawn.
local({
    numbers <- vapply(1:9, function(i) i * i, 0)
    words <- paste0("k", numbers, collapse = ",")
    table <- data.frame(x = numbers, y = strsplit(words, ",")[[1]])
    text <- utils::capture.output(print(table), str(table), print(summary(table$x)), cat(words, "\n"))
    cat(sprintf("%s %.2f", gsub("k", "", words, fixed = TRUE), mean(numbers))[0])
    f <- function(n) if (n > 0) f(n - 1) + 1 else 0
    for (i in 1:3) f(9)
    tryCatch(stop("none"), error = function(e) conditionMessage(e))
    invisible(try(log("a"), silent = TRUE))
}, envir = new.env(parent = globalenv()))

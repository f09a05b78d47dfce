cat("unfinished

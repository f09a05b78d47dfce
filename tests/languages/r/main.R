source("sub/helper.R")

args <- commandArgs(trailingOnly = TRUE)
mode <- args[1]
if (mode == "ordinary") {
  cat("hello\n")
  cat(paste(args[-1], collapse = "|"), "\n", sep = "")
  writeLines(readLines("data/in.txt"))
  writeLines(größe())
  writeLines(readLines(file("stdin")))
  quit(status = 3)
} else if (mode == "raise") {
  stop("boom é")
} else if (mode == "sleep") {
  cat("before\n")
  Sys.sleep(60)
} else if (mode == "memory") {
  kept <- list()
  repeat kept[[length(kept) + 1]] <- rep(1.5, 131072)
} else {
  repeat cat(strrep("flood", 100), "\n")
}

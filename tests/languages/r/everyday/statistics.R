library(parallel)

set.seed(1)
data <- data.frame(x = 1:20, y = 2 * (1:20) + rnorm(20, sd = 0.01))
cat(round(coef(lm(y ~ x, data)), 1), "\n")
matrix <- matrix(runif(10000), 100)
cat(all.equal(matrix %*% solve(matrix), diag(100)), "\n")
cat(unlist(mclapply(1:3, function(n) n^2, mc.cores = 2)), "\n")
cluster <- makeCluster(2)
cat(unlist(parLapply(cluster, 1:3, function(n) n + 1)), "\n")
stopCluster(cluster)
write.csv(aggregate(y > 10 ~ x > 5, data, sum), "out.csv")
pdf("plot.pdf")
plot(data, main = "Größe")
invisible(dev.off())
cat(file.exists("out.csv"), file.size("plot.pdf") > 1000, toupper("größe"), system("echo shell", intern = TRUE), "\n")
# Output:
# 0 2
# TRUE
# 1 4 9
# 2 3 4
# TRUE TRUE GRÖßE shell

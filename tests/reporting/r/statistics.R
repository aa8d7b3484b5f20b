# The statistics of R, one a line, name<TAB>number with 17 digits: Rscript statistics.R
#
# Numbers are of base R 4.2, survival, coin (mid-P) and pROC (DeLong); samples are those of
# test_statistics_in_r.py.

say <- function(name, value) cat(sprintf("%s\t%.17g\n", name, as.numeric(value)), sep = "")

first <- c(12.1, 8.4, 15.9, 7.7, 21.3, 9.8, 13.6, 30.2, 6.1, 11.5, 18.7, 10.9)
second <- c(4.3, 5.1, 6.2, 7.9, 8.8, 3.7, 5.5, 9.1, 6.8, 2.4, 7.3, 11.7)
noise <- c(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8)
ties_first <- c(1, 2, 2, 3, 4, 4, 5, 6, 7, 7)
ties_second <- c(2, 1, 2, 4, 3, 6, 5, 5, 9, 8)
time <- c(9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45)
event <- c(1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1)
group <- rep(c(1, 2), c(11, 12))

ends <- function(name, test) {
  say(paste0(name, " p"), test$p.value)
  if (!is.null(test$conf.int)) {
    say(paste0(name, " lower"), test$conf.int[1])
    say(paste0(name, " upper"), test$conf.int[2])
  }
}

for (k in c(0, 2, 13, 17)) {
  ends(paste("clopper-pearson", k), binom.test(k, 17))
  ends(paste("wilson", k), prop.test(k, 17, correct = FALSE))
}
for (counts in list(c(10, 6, 0, 1), c(12, 9, 3, 5), c(40, 4, 15, 21))) {
  name <- paste("mcnemar", counts[2], counts[3])
  crossed <- matrix(counts, 2, byrow = TRUE)
  say(paste(name, "exact"), binom.test(counts[2], counts[2] + counts[3])$p.value)
  say(paste(name, "corrected"), mcnemar.test(crossed)$p.value)
  say(paste(name, "uncorrected"), mcnemar.test(crossed, correct = FALSE)$p.value)
  say(paste(name, "mid-p"), coin::midpvalue(coin::mh_test(as.table(crossed), distribution = "exact")))
}
ends("paired t", t.test(first, second, paired = TRUE))
ends("welch", t.test(first, second))
# The bias of two methods and its interval, by the test of one sample.
apart <- t.test(first - second)
say("bias", apart$estimate)
ends("bias", apart)
signed <- wilcox.test(first, second, paired = TRUE, exact = TRUE, conf.int = TRUE)
say("wilcoxon p", signed$p.value)
say("wilcoxon estimate", signed$estimate)
tied <- suppressWarnings(wilcox.test(ties_first, ties_second, paired = TRUE, correct = FALSE))
say("wilcoxon tied p", tied$p.value)
ranks <- wilcox.test(first, second, exact = TRUE, conf.int = TRUE)
say("mann-whitney p", ranks$p.value)
say("mann-whitney estimate", ranks$estimate)
say("mann-whitney tied p", suppressWarnings(wilcox.test(ties_first, ties_second))$p.value)
pearson <- cor.test(first, second)
ends("pearson", pearson)
say("pearson estimate", pearson$estimate)
rho <- suppressWarnings(cor.test(ties_first, ties_second, method = "spearman", exact = FALSE))
say("spearman estimate", rho$estimate)
say("spearman p", rho$p.value)

diseased <- first > 11
curve <- function(scores) {
  pROC::roc(diseased, scores, direction = "<", levels = c(FALSE, TRUE), quiet = TRUE)
}
one <- curve(second)
other <- curve(noise)
area <- pROC::ci.auc(one, method = "delong")
say("area lower", area[1])
say("area", area[2])
say("area upper", area[3])
difference <- pROC::roc.test(one, other, method = "delong", paired = TRUE)
say("difference of areas z", difference$statistic)
ends("difference of areas", difference)

# Test and retest by the analysis of variance: within-subject SD is the root of its residual.
both <- data.frame(value = c(first, second), who = factor(rep(1:12, 2)), day = factor(rep(1:2, each = 12)))
one_way <- summary(aov(value ~ who, both))[[1]][["Mean Sq"]]
two_way <- summary(aov(value ~ who + day, both))[[1]][["Mean Sq"]]
say("within-subject sd", sqrt(one_way[2]))
say("icc 1,1", (one_way[1] - one_way[2]) / (one_way[1] + one_way[2]))
say("icc 2,1", (two_way[1] - two_way[3]) / (two_way[1] + two_way[3] + 2 * (two_way[2] - two_way[3]) / 12))
say("icc 3,1", (two_way[1] - two_way[3]) / (two_way[1] + two_way[3]))

fit <- survival::survfit(survival::Surv(time, event) ~ 1, conf.type = "log-log")
at <- summary(fit, times = 30)
say("kaplan-meier 30", at$surv)
say("kaplan-meier 30 lower", at$lower)
say("kaplan-meier 30 upper", at$upper)
say("median", summary(fit)$table["median"])
say("median lower", summary(fit)$table["0.95LCL"])
say("median upper", summary(fit)$table["0.95UCL"])
apart <- survival::survdiff(survival::Surv(time, event) ~ group)
say("log-rank chi-square", apart$chisq)
say("log-rank p", pchisq(apart$chisq, 1, lower.tail = FALSE))

# What R reads in the files of a folder, written back as text: Rscript read_back.R FOLDER
#
# FILE.haven.csv and, of transport files, FILE.foreign.csv: numbers with 17 digits, moments in
# seconds since 1970 to the millisecond, dates as such, a missing value empty. FILE.labels.csv: names and labels.

plain <- function(column) {
  if (inherits(column, "POSIXct")) {
    text <- sprintf("%.3f", as.numeric(column))
  } else if (inherits(column, "Date")) {
    text <- format(column, "%Y-%m-%d")
  } else if (is.factor(column) || !is.numeric(column)) {
    text <- as.character(if (is.factor(column)) column else unclass(column))
  } else {
    text <- sprintf("%.17g", as.numeric(column))
  }
  ifelse(is.na(column), "", text)
}

write_table <- function(found, path) {
  text <- as.data.frame(lapply(found, plain), check.names = FALSE, stringsAsFactors = FALSE)
  write.csv(text, path, row.names = FALSE, fileEncoding = "UTF-8")
}

folder <- commandArgs(trailingOnly = TRUE)[1]
readers <- list(xpt = haven::read_xpt, sav = haven::read_sav, dta = haven::read_dta)
for (path in sort(list.files(folder, pattern = "\\.(xpt|sav|dta)$", full.names = TRUE))) {
  found <- readers[[tools::file_ext(path)]](path)
  write_table(found, paste0(path, ".haven.csv"))
  labels <- vapply(found, function(one) {
    label <- attr(one, "label", exact = TRUE)
    if (is.null(label)) "" else label
  }, "")
  write.csv(data.frame(name = names(found), label = unname(labels)),
            paste0(path, ".labels.csv"), row.names = FALSE, fileEncoding = "UTF-8")
  if (tools::file_ext(path) == "xpt")
    write_table(foreign::read.xport(path), paste0(path, ".foreign.csv"))
}

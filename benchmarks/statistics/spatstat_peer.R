# Rscript spatstat_peer.R WHAT FOLDER PIXELS PIXEL_SIZE: times one spatstat function alone.
# FOLDER holds "source" and "target": x then y of all points, little-endian doubles.
suppressMessages(library(spatstat.explore))
argument <- commandArgs(trailingOnly = TRUE)
what <- argument[1]
folder <- argument[2]
n_pixels <- as.integer(argument[3])
side <- n_pixels * as.numeric(argument[4])

points_of <- function(name) {
  path <- file.path(folder, name)
  matrix(readBin(path, "double", file.size(path) / 8, endian = "little"), ncol = 2)
}
source_xy <- points_of("source")
target_xy <- points_of("target")
window <- owin(c(0, side), c(0, side))
if (what == "cross_k") {
  window <- owin(c(0, side), c(0, side), mask = matrix(TRUE, n_pixels, n_pixels))
}
both <- rbind(source_xy, target_xy)
kind <- factor(rep(c("source", "target"), c(nrow(source_xy), nrow(target_xy))))
cells <- ppp(both[, 1], both[, 2], window = window, marks = kind, check = FALSE)

methods <- list(
  nearest = function() {
    parts <- split(cells)
    data.frame(nearest_um = nncross(parts$source, parts$target, what = "dist"))
  },
  cross_k = function() {
    as.data.frame(Kcross(cells, "source", "target", r = 0:200,
                         correction = c("none", "border", "translate")))
  }
)
spent <- system.time(answer <- methods[[what]]())
options(digits = 17)
write.csv(answer, file.path(folder, "answer.csv"), row.names = FALSE)
cat(sum(spent[c(1, 2)]), spent[3], "\n")

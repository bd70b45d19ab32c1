"""Order of stages for one slide; resume."""

from macprox.pipeline.options import RunOptions, Silent, Watcher
from macprox.pipeline.run import finish_slide, run_slide
from macprox.pipeline.tiles import Workers

__all__ = ["RunOptions", "Silent", "Watcher", "Workers", "finish_slide", "run_slide"]

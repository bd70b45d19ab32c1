"""Speed and memory of the whole pipeline, against what decoding the slide alone costs."""

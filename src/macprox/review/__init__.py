"""What a reviewer sees, decides and may take back; no window.

`session` is one slide under review. Each `decision` is written down (`journal`) and can be taken
back (`history`); `recalculation` finds what follows, in any thread; `signing` says who stands by
it. The rooms, one a panel; what is decided in each, as events, is its `decisions`:

- `gates`: where each marker becomes positive, what a cut divides, the same cut on other slides;
- `cells`: the card of one cell, and the cells to look at first;
- `outlines`: cells drawn by hand on a crop of the labels;
- `regions`: tumour and exclusions drawn by hand;
- `question`: the answer to the study's question, in numbers and in words;
- `slides`: the result folder, how far its slides have come, and what is wrong with one;
- `verification`: blinded second readings of a random sample.
"""

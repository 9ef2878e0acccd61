"""Exploring interleavings, and reducing one to what matters in it.

Which vCPU runs for how long before another does is the schedule's choice, and most of a
guest's races show under few choices only. Here each run makes them anew, at random but
from a seed, and may drop or delay IPIs besides: `plan` draws them, `driving` runs a
machine turn by turn, `work` does so for many numbers, `pool` on many processors, and
`outcomes` tells which runs came to the same. `shrinking` takes a recording and gives up
turns for as long as a condition (`goals`) still comes true.

A turn is the act `step` of one vCPU, so each run is an ordinary recording. Chance is in
this package alone, and follows from the seed and the number of the run: how the runs
are shared out changes nothing.
"""

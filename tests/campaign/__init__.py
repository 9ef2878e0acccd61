"""The campaign: generators of hostile input, each run for as long as one likes.

    cd tests && python -m campaign guests --seed 7 --minutes 15 --result guests.json
    cd tests && python -m campaign guests --seed 7 --only 4711
    cd tests && python -m campaign all --minutes 60 --result FOLDER

A generator is a module here with one function, and a row in `frame.GENERATORS`:

    def one(case: Case) -> None: ...

It makes one case from `case.seed` and `case.number` alone (`case.rng` comes of both),
tries it, and tells what is wrong with `case.find(kind, text)`. It need not catch what
is a bug: an exception that leaves it is a finding with its traceback. A case that takes
several things sets `case.done` to how many; counts on the command line and in the
result are of those. `case.doing(text)` notes what would be to blame if the process
died; `case.tally(name)` counts for the result; `case.timed(what, seconds)` puts
something smaller than the case among the slowest; `case.folder` is empty, and gone
afterwards. What a module keeps between its cases (a machine that is soaked) it keeps
itself, and says so.

`KNOWN`, if the module has it, names kinds of findings that are known faults, each with
its reason; they are counted apart and do not fail the run. A test must hold each of
them, so that one that is cured leaves the list.

Every generator runs in a process of its own, which the frame starts again behind the
case that killed it or hung in it. The suite does a slice of each (`test_campaign`):
seed 1, as many as its row says. `results/` keeps long runs as they came out, with what
they found before it was cured.
"""

"""Runs shared out to processors: of this machine, or of a Dask cluster.

Every run is told by the job and a number, so it does not matter who does it; results
come back in the order of the numbers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from lapis_engine.errors import ConfigError
from lapis_sessions.errors import SessionError
from lapis_sessions.exploring.work import BrokenOffError, explorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.synchronize import Event

    from lapis_sessions.exploring.outcomes import Result
    from lapis_sessions.exploring.work import Job

P = ParamSpec("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - an item
J = TypeVar("J")

BATCH: Final = 8
"""Runs that are handed out at a time: to hand one out takes a good part of a ms."""
AHEAD: Final = 3
"""Batches handed out for each processor; more would be in vain once it is found."""
SECONDS: Final = 0.1
"""Between two looks whether somebody wants no more."""
MOST_JOBS: Final = 256
OF_TERMINALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)
"""Signals that a terminal sends to all that run on it."""
LOST: Final = (BrokenExecutor, ImportError, OSError)
"""What comes in place of a result when a worker is gone, or was never one."""
_asked: list[Event] = []
"""Set when no more is wanted, in a process of `processes`."""


class WorkError(SessionError):
    """Those who did the runs are gone."""

    title = "Work lost"


class Inline(Executor):
    """Does at once, and here, what it is given."""

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        """Do it, and return the result as one that is there."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the one who asks for it raises it
            future.set_exception(error)
        return future


class Pool:
    """Somebody who does the runs of one job."""

    def __init__(
        self,
        executor: Executor,
        width: int,
        stopped: Callable[[], bool],
        enough: Event | None = None,
        failures: tuple[type[Exception], ...] = (),
    ) -> None:
        """Use `executor`, of `width` processors, until `stopped` says so.

        `enough` tells its processes to break off; `failures` are how it says that a
        worker is gone.
        """
        self._executor = executor
        self.width = width
        self.stopped = stopped
        self._enough = enough
        self._failures: tuple[type[Exception], ...] = (*LOST, *failures)
        self._waiting: deque[Future[Any]] = deque()

    def results(self, job: Job, runs: int) -> Iterator[Result]:
        """Yield the results of runs 0 to `runs` - 1, in this order.

        They end early when somebody wants no more.
        """
        return self.each(batch, job, range(runs))

    def each(
        self,
        work: Callable[[J, Sequence[I], Callable[[], bool]], list[R]],
        job: J,
        items: Sequence[I],
    ) -> Iterator[R]:
        """Yield what `work` makes of each of `items`, in their order.

        It is given some of them at a time, and asked to say when no more is wanted;
        what is yielded then ends early. Any process can import it.
        """
        size = 1 if self.width == 1 else BATCH
        ahead = 1 if self.width == 1 else AHEAD * self.width
        # What is done here ends when no more is wanted; a process is told.
        stopped = self.stopped if self.width == 1 else _is_enough
        begun = 0
        while (begun < len(items) or self._waiting) and not self.stopped():
            while begun < len(items) and len(self._waiting) < ahead:
                some = items[begun : begun + size]
                self._waiting.append(self.submit(work, job, some, stopped))
                begun += len(some)
            found: list[R] | None = self._patiently(self._waiting[0])
            if found is None:
                return
            self._waiting.popleft()
            yield from found

    def _patiently(self, future: Future[R]) -> R | None:
        while not self.stopped():
            if wait([future], SECONDS).done:
                try:
                    return self.result_of(future)
                except BrokenOffError:
                    break
        return None

    def result_of(self, future: Future[R]) -> R:
        """Return what was done; raise `WorkError` if its worker is gone."""
        try:
            return future.result()
        except self._failures as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise WorkError(f"a worker of the exploration is lost: {why}") from None

    def submit(
        self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        """Have something done by one of them; any process can import `fn`."""
        return self._executor.submit(fn, *args, **kwargs)

    def record(self, job: Job, number: int) -> Future[bytes]:
        """Have run `number` done again, and its recording returned."""
        return self.submit(recorded, job, number)

    def forget(self) -> None:
        """Give up the runs that nobody waits for any more."""
        if self._enough is not None:
            self._enough.set()
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()


def batch(
    job: Job, numbers: Sequence[int], stopped: Callable[[], bool]
) -> list[Result]:
    """Do some runs; raise `BrokenOffError` when no more is wanted."""
    mine = explorer(job)
    return [mine.run(number, stopped) for number in numbers]


def recorded(job: Job, number: int) -> bytes:
    """Do a run again, and return its recording."""
    return explorer(job).record(number)


def _is_enough() -> bool:
    return bool(_asked) and _asked[0].is_set()


def _attend(event: Event) -> None:
    """Begin a process: what the terminal sends is for the one that started it."""
    for number in OF_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    _asked[:] = [event]
    threading.Thread(target=_follow, name="parent", daemon=True).start()


def _follow() -> None:
    """End when the one that started this process is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def processes(jobs: int, stopped: Callable[[], bool]) -> Iterator[Pool]:
    """Use `jobs` processors of this machine; raise `ConfigError` for an odd number."""
    if not 1 <= jobs <= MOST_JOBS:
        raise ConfigError(f"{jobs} jobs: from 1 to {MOST_JOBS}")
    if jobs == 1:
        yield Pool(Inline(), 1, stopped)
        return
    context = multiprocessing.get_context("spawn")
    enough = context.Event()
    executor = ProcessPoolExecutor(jobs, context, _attend, (enough,))
    try:
        with _deaf():
            for _ in range(jobs):
                executor.submit(bool)  # starts a process, while none is idle
        yield Pool(executor, jobs, stopped, enough)
    finally:
        enough.set()
        executor.shutdown(cancel_futures=True)


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that never hear the terminal, not even while they begin."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, signal.SIG_IGN) for n in OF_TERMINALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def dask(address: str, stopped: Callable[[], bool]) -> Iterator[Pool]:
    """Use the workers of a Dask cluster, which have this version of Lapis installed.

    Raises `ConfigError` when Dask is not installed, or the cluster not there.
    """
    try:
        from distributed import Client, KilledWorker  # noqa: PLC0415 - an optional extra
        from distributed.comm import get_address_host_port  # noqa: PLC0415 - so this
    except ImportError:
        raise ConfigError(
            "--dask needs the package distributed: pip install 'lapis[dask]'"
        ) from None
    try:
        get_address_host_port(address)  # a client that fails at this ends badly
        client: Any = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split()) or "there is no answer"
        raise ConfigError(f"Dask scheduler {address!r}: {why}") from None
    try:
        width = sum(client.nthreads().values())
        if not width:
            raise ConfigError(f"Dask scheduler {address!r} has no workers")
        executor = client.get_executor(pure=False)
        yield Pool(executor, max(width, 2), stopped, failures=(KilledWorker,))
    finally:
        client.close()

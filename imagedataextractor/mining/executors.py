"""Where the work of a bulk run is done: here, in local processes, or on a Dask cluster.

Three executors with the shape of `concurrent.futures`: ``submit(function, argument) -> Future``.
What they add is `slots`, how many calls run at the same time, and that a worker which dies fails
only the call it was working on, with `WorkerLostError`.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection, wait
from typing import Any, ParamSpec, TypeVar

from imagedataextractor.errors import ServiceError, UsageError

__all__ = ["DaskExecutor", "InlineExecutor", "ProcessExecutor", "WorkExecutor", "WorkerLostError"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Environment variables by which numerical libraries are told how many threads to use.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: Age at which the number of a cluster's workers is asked for anew, seconds: they come and go.
_SLOTS_AGE_S = 2.0


class WorkerLostError(Exception):
    """The process that worked on this call died. ``tries`` is how often it was tried already."""

    def __init__(self, message: str, tries: int = 1) -> None:
        super().__init__(message)
        self.tries = tries


class WorkExecutor(Executor):
    """What `mining` asks of an executor beyond `concurrent.futures.Executor`."""

    @property
    def slots(self) -> int:
        """Calls that run at the same time, now."""
        raise NotImplementedError

    def kill(self) -> None:
        """Stop at once; calls under way are lost."""
        raise NotImplementedError


class InlineExecutor(WorkExecutor):
    """Does the work at `submit`, in this thread: for a debugger, and for tests."""

    @property
    def slots(self) -> int:
        return 1

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def kill(self) -> None:
        """There is nothing to stop: the work is done in this thread."""


# ---------------------------------------------------------------- local processes


class ProcessExecutor(WorkExecutor):
    """Local worker processes, each with a share of the cores.

    Unlike `concurrent.futures.ProcessPoolExecutor`, the death of a worker (out of memory, a fault
    in a native library) fails the call that it worked on and no other; a fresh worker takes its
    place. Workers ignore Ctrl-C, which is for the process that started them, and end when that
    process is gone, however it went.

    Parameters
    ----------
    workers : int
        Processes; 0 for one a core.
    threads : int, optional
        Threads that numerical libraries may use in each; by default the cores divided by `workers`.
    """

    def __init__(self, workers: int = 0, threads: int | None = None) -> None:
        cores = available_cores()
        self._workers: list[_Worker] = []
        self._slots = workers or cores
        self._threads = threads or max(1, cores // self._slots)
        self._queue: deque[tuple[Future[Any], bytes]] = deque()
        self._lock = threading.Lock()
        self._closing = self._killed = False
        self._wake_reader, self._wake_writer = multiprocessing.Pipe(duplex=False)
        self._manager = threading.Thread(target=self._manage, name="worker-processes", daemon=True)
        self._manager.start()

    @property
    def slots(self) -> int:
        return self._slots

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = pickle.dumps((fn, args, kwargs), protocol=pickle.HIGHEST_PROTOCOL)
        future: Future[T] = Future()
        with self._lock:
            if self._closing:
                raise RuntimeError("the executor is shut down")
            self._queue.append((future, job))
        self._wake()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            self._closing = True
            if cancel_futures:
                while self._queue:
                    self._queue.popleft()[0].cancel()
        self._wake()
        if wait:
            self._manager.join()

    def kill(self) -> None:
        with self._lock:
            self._closing = self._killed = True
            while self._queue:
                self._queue.popleft()[0].cancel()
        self._wake()
        self._manager.join()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # closed: the manager is gone already
            self._wake_writer.send_bytes(b"!")

    # Everything below runs in the manager's thread, which alone touches the workers.

    def _manage(self) -> None:
        try:
            while not self._finished():
                self._assign()
                busy = [worker for worker in self._workers if worker.future is not None]
                ready = wait([self._wake_reader, *(w.connection for w in busy), *(w.sentinel for w in busy)])
                if self._wake_reader in ready:
                    self._wake_reader.recv_bytes()
                for worker in busy:
                    if worker.connection in ready or worker.sentinel in ready:
                        self._collect(worker)
        finally:
            for worker in self._workers:
                worker.stop(at_once=self._killed)
            self._wake_reader.close()

    def _finished(self) -> bool:
        with self._lock:
            idle = all(worker.future is None for worker in self._workers)
            return self._killed or (self._closing and not self._queue and idle)

    def _assign(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    return
                worker = next((worker for worker in self._workers if worker.future is None), None)
                if worker is None and len(self._workers) >= self._slots:
                    return
                future, job = self._queue.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            if worker is None:
                try:
                    worker = _Worker(self._threads)
                except OSError as error:  # no memory, or too many processes
                    future.set_exception(WorkerLostError(f"no worker process could be started: {error}"))
                    continue
                self._workers.append(worker)
            worker.future = future
            try:
                worker.connection.send_bytes(job)
            except OSError:
                self._lost(worker)

    def _collect(self, worker: _Worker) -> None:
        """What a worker has to say: a result, or that it is dead."""
        assert worker.future is not None
        try:
            if not worker.connection.poll():
                raise EOFError
            succeeded, value = pickle.loads(worker.connection.recv_bytes())
        except (EOFError, OSError):
            self._lost(worker)
            return
        except Exception as error:  # a result that cannot be put together again
            succeeded, value = False, error
        future, worker.future = worker.future, None
        if succeeded:
            future.set_result(value)
        else:
            future.set_exception(value)

    def _lost(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.join(5)
        future, worker.future = worker.future, None
        worker.stop(at_once=True)
        if future is not None:
            future.set_exception(WorkerLostError(f"the worker process died: {_ending(worker.process.exitcode)}"))


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-exit_code).name
            return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"exit code {exit_code}"


class _Worker:
    """One worker process, its pipe, and the call it is working on."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs,), daemon=True)
        with _thread_variables(threads):
            self.process.start()
        theirs.close()
        self.sentinel = self.process.sentinel
        self.future: Future[Any] | None = None

    def stop(self, *, at_once: bool) -> None:
        self.connection.close()  # the worker reads the end of its pipe, and leaves
        if at_once:
            self.process.kill()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextlib.contextmanager
def _thread_variables(threads: int) -> Iterator[None]:
    """What a process started inside the block sees in its environment.

    Native libraries read these when they are loaded, which for a spawned process is before any
    function of ours can run.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(connection: Connection) -> None:
    """A worker's life: take a call, do it, send the result, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            fn, args, kwargs = pickle.loads(job)
            answer: tuple[bool, Any] = (True, fn(*args, **kwargs))
        except Exception as error:
            answer = (False, error)
        try:
            connection.send_bytes(_pickled(answer))
        except OSError:
            return


def _pickled(answer: tuple[bool, Any]) -> bytes:
    try:
        data = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        if not answer[0]:
            pickle.loads(data)  # an exception with a constructor of its own may not come back
        return data
    except Exception as error:
        told = answer[1] if not answer[0] else error
        return pickle.dumps((False, RuntimeError(f"{type(told).__name__}: {told}")))


def _end_with_parent() -> None:
    """Leave when the process that started this one is gone: a killed run must not go on working."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def available_cores() -> int:
    """Cores that this process may use, at least 1."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


# ---------------------------------------------------------------- Dask


class DaskExecutor(WorkExecutor):
    """Workers of a Dask cluster (`dask.distributed`), on any number of machines.

    A call whose worker dies is tried again by Dask on another one; one that takes down several
    (Dask's ``distributed.scheduler.allowed-failures``, 3) fails with `WorkerLostError`.

    Parameters
    ----------
    address : str
        Of the scheduler, as ``tcp://host:8786``.
    resources : mapping, optional
        Dask resources that a call takes, as ``{"GPU": 1}``; workers name theirs with
        ``dask worker --resources GPU=1``.
    timeout_s : float
        Seconds to wait for the scheduler.

    Raises
    ------
    UsageError
        dask.distributed is not installed.
    ServiceError
        There is no scheduler at the address.
    """

    def __init__(self, address: str, resources: Mapping[str, float] | None = None, *, timeout_s: float = 20.0) -> None:
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise UsageError("--dask needs dask.distributed: pip install 'imagedataextractor[dask]'") from error
        self._address = address
        self._resources = dict(resources or {})
        try:
            # Not typed: dask.distributed has annotations here and there only.
            client: Any = distributed.Client
            self._client = client(address, timeout=timeout_s, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ServiceError(
                f"{address}: no Dask scheduler answers there; start one with `dask scheduler`"
            ) from error
        self._counted_at = float("-inf")
        self._slots = 0
        self._waits = False

    @property
    def slots(self) -> int:
        if time.monotonic() - self._counted_at > _SLOTS_AGE_S:
            self._slots = self._count_slots()
            self._counted_at = time.monotonic()
            if not self._slots and not self._waits:
                with_them = f" with {', '.join(self._resources)}" if self._resources else ""
                log.warning("%s: no Dask worker%s is there; waiting for one", self._address, with_them)
            self._waits = not self._slots
        return max(1, self._slots)

    def _count_slots(self) -> int:
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        except (OSError, RuntimeError):
            return self._slots
        if not self._resources:
            return sum(int(worker["nthreads"]) for worker in workers)
        return sum(
            int(min(worker.get("resources", {}).get(name, 0) // amount for name, amount in self._resources.items()))
            for worker in workers
        )

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        # pure=False: the same call twice is done twice, since a retry is meant.
        theirs = self._client.submit(fn, *args, **kwargs, pure=False, resources=self._resources or None)
        theirs.add_done_callback(lambda done: self._finish(done, future))
        return future

    def _finish(self, done: Any, future: Future[Any]) -> None:
        from distributed import KilledWorker

        if future.done():
            return
        try:
            if done.cancelled():
                raise ServiceError(f"{self._address}: the Dask scheduler dropped the work; run the same command again")
            future.set_result(done.result())
        except KilledWorker as error:
            tries = int(getattr(error, "allowed_failures", 3) or 3)
            future.set_exception(WorkerLostError("it took down several Dask workers", tries=tries))
        except Exception as error:
            future.set_exception(error)
        finally:
            done.release()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._client.close()

    def kill(self) -> None:
        self._client.close(timeout=1)

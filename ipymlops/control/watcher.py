"""A kernel's share in the watch: a thread that keeps the cards on display up to date while their jobs live."""

from __future__ import annotations

import threading

from ipymlops.context import Context
from ipymlops.control.poller import described
from ipymlops.control.watch import GLANCE_S, OnChange, Watch
from ipymlops.job import Job
from ipymlops.spec import JobId


class Watcher:
    """Calls `on_change` from its thread with each displayed job that changed.

    The thread is there only while a displayed job is live, and never keeps the interpreter from ending.

    Attributes: `troubles`, what went wrong in the thread, {what, why, fix}, the newest last.
    """

    def __init__(self, context: Context, on_change: OnChange) -> None:
        self.troubles: list[dict[str, str]] = []
        self._context, self._on_change = context, on_change
        self._shown: dict[JobId, Job] = {}
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def show(self, job: Job) -> None:
        """Keep this job's card up to date from now on."""
        with self._guard:
            self._shown[job.id] = job
            if self._thread is None and not job.is_over:
                self._ended = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._ended,), name="ipymlops-watch", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Leave the cards as they are. Waits for nothing; harmless when nothing runs."""
        with self._guard:
            self._ended.set()
            self._thread = None
            self._shown.clear()

    def _run(self, ended: threading.Event) -> None:
        with Watch(self._context) as watch:
            while not ended.is_set() and not self._is_done():
                ended.wait(self._turn(watch))

    def _turn(self, watch: Watch) -> float:
        try:
            with self._guard:
                shown = list(self._shown.values())
            watch.want(shown)
            pause_s = watch.turn()
            for job in shown:
                self._compare(job)
        except Exception as problem:  # noqa: BLE001 - a thread has nobody to raise to: kept, and tried again
            self.troubles = [*self.troubles[-9:], described(problem)]
            return GLANCE_S
        return pause_s

    def _compare(self, job: Job) -> None:
        fresh = self._context.store.get(job.id)
        if fresh == job:
            return
        with self._guard:
            if job.id in self._shown:
                self._shown[job.id] = fresh
        self._on_change(fresh)

    def _is_done(self) -> bool:
        """Whether no displayed job lives; then the thread is given up, in one step with the decision."""
        with self._guard:
            for job in [job for job in self._shown.values() if job.is_over]:
                del self._shown[job.id]
            if not self._shown:
                self._thread = None
            return not self._shown

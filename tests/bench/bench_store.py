"""`jobs WORD`: the first 200 rows as objects, beside SQLite's own LIKE over the same file, newest first."""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ipymlops.job import Job, JobState, new_job_id
from ipymlops.store.base import JobQuery
from ipymlops.store.records import job_of
from ipymlops.store.rows import insert
from ipymlops.store.session import Session
from ipymlops.store.sqlite import SqliteStore
from tests.bench.row import Row, p95, seconds

SIZES = ((100_000, 10.0), (1_000_000, 30.0))
ROWS = 200
RUNS = 11
BATCH = 20_000
NEEDLE = "needle-in-a-haystack"
WORDS = ("tr", "qz", "7", "train", "speech", "g5.xl", NEEDLE, "nowhere", "feature/77", "3e-04", "keyerror", "train-777")
"""Common and rare, short and long, and what is not there at all."""


def rows() -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="bench-store-"))
    try:
        return [row for size, limit_ms in SIZES for row in _rows_of(folder / str(size), size, limit_ms)]
    finally:
        shutil.rmtree(folder)


def _rows_of(home: Path, size: int, limit_ms: float) -> list[Row]:
    store = seeded(home, size)
    ours = {word: seconds(lambda word=word: store.find(JobQuery(words=(word,)), limit=ROWS), RUNS) for word in WORDS}
    session = store._opened()
    theirs = {word: seconds(lambda word=word: _scan(session, word), 3) for word in WORDS}
    store.close()
    every = [run for runs in ours.values() for run in runs]
    rare = statistics.median(ours[NEEDLE]) * 1000
    peer = "sqlite LIKE over the same rows, newest first"
    return [
        Row(
            f"jobs WORD, first {ROWS} of {size:,} as objects",
            p95(every) * 1000,
            "ms",
            limit_ms,
            len(every),
            "p95",
            peer=peer,
            peer_value=p95([run for runs in theirs.values() for run in runs]) * 1000,
        ),
        Row(
            f"jobs with a word that one of {size:,} has",
            rare,
            "ms",
            limit_ms,
            RUNS,
            peer=peer,
            peer_value=statistics.median(theirs[NEEDLE]) * 1000,
        ),
    ]


def _scan(session: Session, word: str) -> list[Job]:
    found = session.connection.execute(
        "SELECT job FROM jobs JOIN records USING (number) WHERE text LIKE '%' || ? || '%' ORDER BY number DESC LIMIT ?",
        (word, ROWS),
    )
    return [job_of(text) for (text,) in found]


def seeded(home: Path, size: int) -> SqliteStore:
    """A store of `size` jobs that differ as people's jobs do, written in batches."""
    store = SqliteStore(home)
    jobs = _jobs(size)
    for _ in range(0, size, BATCH):
        with store._opened().writing() as connection:
            for _, job in zip(range(BATCH), jobs, strict=False):
                insert(connection, job, None)
    return store


def _jobs(size: int) -> Iterator[Job]:
    dice = random.Random(1)
    began = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for number in range(1, size + 1):
        failed = number % 7 == 0
        yield Job(
            id=new_job_id(),
            name=f"train-{number}",
            platform=dice.choice(("local", "sagemaker", "vertex", "ray")),
            created_at=began + timedelta(minutes=number),
            number=number,
            state=JobState.FAILED if failed else JobState.SUCCEEDED,
            exit_code=1 if failed else 0,
            started_at=began + timedelta(minutes=number, seconds=3),
            ended_at=began + timedelta(minutes=number, seconds=300),
            script="train.py",
            argv=("--lr", f"{dice.choice((1, 3)) * 10 ** -dice.randrange(1, 6):.0e}", "--seed", f"{number % 9973}"),
            machine_type=dice.choice(("ml.g5.xlarge", "n1-standard-8", "g2-standard-4")),
            accelerator=dice.choice(("a10g", "t4", "l4")),
            accelerator_count=1,
            usd_per_hour=1.2,
            commit=f"{dice.getrandbits(160):040x}",
            tree=f"{dice.getrandbits(160):040x}",
            branch="main" if dice.random() < 0.5 else f"feature/{dice.randrange(500)}",
            user=dice.choice(("anna", "ben", "chloe")),
            labels={"team": NEEDLE if number == size // 2 else dice.choice(("vision", "speech", "search"))},
            metrics={"loss": dice.random(), "acc": dice.random()},
            error={"what": "KeyError: 'x'", "why": "", "fix": ""} if failed else None,
            fingerprint=f"{dice.getrandbits(256):064x}",
        )


if __name__ == "__main__":
    for row in rows():
        print(row)

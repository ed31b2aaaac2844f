"""What every line does before its verb."""

import time
from datetime import datetime, timezone

from ipymlops.job import Job
from ipymlops.source import snapshot
from ipymlops.spec import Intent, JobId, JobSpec, Plan
from ipymlops.verbs.dispatch import dispatch


def recorded_alone(store, repo) -> Job:
    """A job as a session leaves it that dies before anything took the job to its platform."""
    intent = Intent(JobSpec(None, ("true",)), Plan("local"), snapshot(repo))
    job = Job(JobId("jleftbehind00001"), "left", "local", datetime.now(timezone.utc), argv=("true",), max_runtime_s=60)
    return store.add(job, intent)[0]


def test_any_line_takes_care_of_what_a_dead_session_left(context, repo):
    job = recorded_alone(context.store, repo)
    dispatch(["config"], None, context)
    ends = time.monotonic() + 60
    while (now := context.store.get(job.id)).ref is None and not now.is_final:
        assert time.monotonic() < ends, "nobody took it"
        time.sleep(0.05)
    assert [done.id for done in dispatch(["wait", "left", "--json"], None, context).jobs] == [job.id]


def test_news_of_the_store_is_told_once(context, home, screen, repo):
    recorded_alone(context.store, repo)
    context.store.close()
    (home / "jobs.db").write_bytes(b"not a database, but long enough to be one" * 100)
    for _ in range(2):
        assert [job.name for job in dispatch(["jobs"], None, context)] == ["left"]
    assert len([note for note in screen.notes if "rebuilt from" in note]) == 1

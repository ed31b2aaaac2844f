"""A log from CloudWatch: nothing lost, nothing twice, and an end that is the end."""

import time

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.job import LogLine
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from tests.unit.platforms.sagemaker.test_status import Live


class Talking(Live):
    """A job whose hosts write as a test says."""

    def __init__(self, api, platform, **fields):
        super().__init__(api, platform, **fields)
        self.epoch = int(time.time())

    def say(self, *texts, host=1, start=0):
        stream = f"{self.job.name}/algo-{host}-{self.epoch + start}"
        self.api.write_log(self.job.region, stream, [(time.time(), text) for text in texts])

    def end(self, *, lines=None, ago_s=3600.0, status="Completed"):
        """Its end, so long ago that its tail has had its time, unless what the launcher counted says it sooner."""
        if lines is not None:
            self.leave(log_lines=lines)
        self.job.finish(status)
        if lines is None:
            self.job.training_ended_at = time.time() - ago_s

    def read(self, *, most=50, cursor=""):
        """Every page from here to the end."""
        lines: list[LogLine] = []
        for _ in range(most):
            page = self.platform.logs(self.ref, cursor)
            lines += page.lines
            cursor = page.cursor
            if page.is_end:
                return [line.text.decode() for line in lines]
        raise AssertionError(f"no end within {most} pages; {cursor}")


@pytest.fixture
def talking(api, looks):
    return Talking(api, looks)


def test_before_the_first_output_there_is_no_log_and_no_end(talking):
    page = talking.platform.logs(talking.ref)
    assert (page.lines, page.is_end) == ((), False)


def test_a_log_that_never_begins_ends_with_its_job(talking):
    talking.end(status="Failed")
    assert talking.read() == []


def test_a_script_that_wrote_nothing_has_an_empty_log(talking):
    talking.end(lines=0)
    assert talking.read() == []


def test_a_log_whose_group_was_deleted_is_a_problem_that_says_so(api, talking):
    talking.say("one")
    cursor = talking.platform.logs(talking.ref).cursor
    talking.end()
    api.client("logs").delete_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    for place in ("", cursor):
        with pytest.raises(PlatformProblem, match="no log of") as problem:
            talking.platform.logs(talking.ref, place)
        assert "/aws/sagemaker/TrainingJobs" in problem.value.why


def test_what_comes_later_is_read_on(talking):
    talking.say("one", "two")
    page = talking.platform.logs(talking.ref)
    assert [line.text for line in page.lines] == [b"one", b"two"]
    talking.say("two", "three")
    talking.end(lines=4)
    assert talking.read(cursor=page.cursor) == ["two", "three"]


def test_empty_pages_are_not_the_end(api, talking):
    api.faults.empty_log_pages = 3
    talking.say(*map(str, range(100)))
    talking.end(lines=100)
    assert talking.read() == [str(number) for number in range(100)]


def test_the_tail_may_come_after_the_end(talking):
    talking.say("first")
    talking.end(lines=2)
    cursor = ""
    for _ in range(4):
        page = talking.platform.logs(talking.ref, cursor)
        cursor = page.cursor
        assert not page.is_end
    talking.say("last")
    assert talking.read(cursor=cursor) == ["last"]


def test_a_token_that_is_no_longer_taken_loses_and_repeats_nothing(api, talking):
    talking.say(*map(str, range(50)))
    page = talking.platform.logs(talking.ref)
    talking.say(*map(str, range(50, 80)))
    talking.end(lines=80)
    api.faults.log_token_invalid = 1
    assert talking.read(cursor=page.cursor) == [str(number) for number in range(50, 80)]


def test_a_token_that_is_no_longer_taken_loses_nothing_where_the_head_was_removed(api, talking):
    talking.say(*map(str, range(50)))
    page = talking.platform.logs(talking.ref)
    talking.say(*map(str, range(50, 80)))
    talking.end(lines=80)
    api.forget_log(talking.job.region, f"{talking.job.name}/algo-1-{talking.epoch}", 45)
    api.faults.log_token_invalid = 1
    assert talking.read(cursor=page.cursor) == [str(number) for number in range(50, 80)]


def test_where_a_token_is_no_longer_taken_lines_of_one_moment_are_told_apart(api, talking):
    stream, at = f"{talking.job.name}/algo-1-{talking.epoch}", time.time()

    def say(moment, *numbers):
        api.write_log(talking.job.region, stream, [(moment, str(number)) for number in numbers])

    say(at - 1, 0, 1)
    say(at, *range(2, 6))
    page = talking.platform.logs(talking.ref)
    say(at, *range(6, 9))
    api.faults.log_token_invalid = 1
    second = talking.platform.logs(talking.ref, page.cursor)
    say(at, 9)
    say(at + 1, 10)
    talking.end(lines=11)
    api.faults.log_token_invalid = 1
    assert [line.text for line in second.lines] == [b"6", b"7", b"8"]
    assert talking.read(cursor=second.cursor) == ["9", "10"]


def test_a_restart_writes_another_stream_which_follows(talking):
    talking.say("before")
    page = talking.platform.logs(talking.ref)
    talking.job.transition("Interrupted")
    talking.job.transition("Training")
    talking.say("after", start=7)
    talking.leave(number=2, log_lines=1)
    talking.job.finish("Completed")
    assert talking.read(cursor=page.cursor) == ["after"]
    assert talking.read() == ["before", "after"]


def test_hosts_are_told_apart_in_their_natural_order(api, looks):
    talking = Talking(api, looks, nodes=11)
    for host in (1, 2, 10, 11):
        talking.say(f"host {host}", host=host)
    talking.end()
    lines, cursor, is_end = [], "", False
    while not is_end:
        page = looks.logs(talking.ref, cursor)
        lines += page.lines
        cursor, is_end = page.cursor, page.is_end
    assert {(line.node, line.text) for line in lines} == {
        (0, b"host 1"),
        (1, b"host 2"),
        (9, b"host 10"),
        (10, b"host 11"),
    }


def test_a_host_whose_stream_never_appears_does_not_keep_the_end_away(api, looks):
    talking = Talking(api, looks, nodes=2)
    talking.say("only one")
    talking.end()
    assert talking.read() == ["only one"]


def test_the_log_of_an_earlier_job_of_the_same_name_is_not_its_own(talking):
    talking.say("theirs", start=-3600)
    talking.say("ours")
    talking.end(lines=1)
    assert talking.read() == ["ours"]


def test_credentials_that_expire_in_the_middle_are_told_and_the_log_goes_on(api, talking):
    from ipymlops.errors import NotSignedIn

    talking.say("one")
    page = talking.platform.logs(talking.ref)
    talking.say("two")
    talking.end(lines=2)
    api.faults.expire_token = True
    with pytest.raises(NotSignedIn):
        talking.platform.logs(talking.ref, page.cursor)
    api.faults.expire_token = False
    assert talking.read(cursor=page.cursor) == ["two"]


def test_twenty_disconnects_lose_and_repeat_nothing(api, talking, tmp_path):
    """Each with another object of the platform, at another place: nothing is kept but the cursor."""
    cursor, got = "", []
    for number in range(20):
        talking.say(f"line {number}", f"line {number}")
        context = PlatformContext(tmp_path / str(number), api.settings, api.env)
        page = SageMakerPlatform(context).logs(talking.ref, cursor)
        got += [line.text.decode() for line in page.lines]
        cursor = page.cursor
    talking.end(lines=40)
    got += talking.read(cursor=cursor)
    assert got == [f"line {number}" for number in range(20) for _ in range(2)]


def test_the_log_of_a_job_that_is_gone_is_a_problem(api, talking):
    talking.end()
    api.client("sagemaker").delete_training_job(TrainingJobName=talking.job.name)
    with pytest.raises(PlatformProblem, match="no longer knows"):
        talking.platform.logs(talking.ref)


def test_when_it_last_wrote_is_known(talking):
    assert talking.platform.last_output_at(talking.ref) is None
    talking.say("x")
    assert abs(talking.platform.last_output_at(talking.ref).timestamp() - time.time()) < 60


def test_many_lines_come_in_pages_of_bounded_size(talking):
    platform = talking.platform
    talking.say(*(f"{number}" for number in range(12_000)))
    talking.end(lines=12_000)
    got, cursor, is_end = [], "", False
    while not is_end:
        page = platform.logs(talking.ref, cursor)
        assert len(page.lines) <= 5_000
        got += [line.text for line in page.lines]
        cursor, is_end = page.cursor, page.is_end
    assert got == [b"%d" % number for number in range(12_000)]
    assert len(cursor) < 500


def test_the_late_tail_of_an_earlier_start_is_read_too(talking):
    platform = talking.platform
    talking.say("before")
    talking.say("after", start=7)
    cursor = platform.logs(talking.ref).cursor
    cursor = platform.logs(talking.ref, cursor).cursor
    talking.say("late")
    assert [line.text for line in platform.logs(talking.ref, cursor).lines] == [b"late"]


def test_events_that_cannot_be_read_yet_are_waited_for(api, talking):
    platform = talking.platform
    api.faults.late_log_events = 3600
    talking.say("late")
    talking.end(lines=1)
    page = platform.logs(talking.ref)
    assert (page.lines, page.is_end) == ((), False)
    api.faults.late_log_events = 0
    page = platform.logs(talking.ref, page.cursor)
    assert ([line.text for line in page.lines], page.is_end) == ([b"late"], True)


def test_a_line_in_several_events_is_no_sooner_complete_than_its_last_one(talking):
    platform = talking.platform
    talking.say("y" * 256 * 1024)  # its rest is on its way
    talking.end(lines=1)
    page = platform.logs(talking.ref)
    assert not page.is_end
    talking.say("z")
    assert platform.logs(talking.ref, page.cursor).is_end


def test_what_is_no_text_comes_as_it_came(talking):
    talking.say("10%\r20%\x1b[31m red", "  two words ")
    lines = talking.platform.logs(talking.ref).lines
    assert [line.text for line in lines] == [b"10%\r20%\x1b[31m red", b"  two words "]

"""The files of a job: by path, single, checked, and never more than arrived."""

import hashlib
import io
import json
import os
import tarfile
import time

import pytest
from boto3.s3.transfer import TransferConfig

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.digests import digest_of
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import need_described
from ipymlops.platforms.sagemaker.reference import read_reference
from ipymlops.platforms.sagemaker.transfers import PART_BYTES, download, source_of
from tests.unit.platforms.sagemaker.test_status import Live


@pytest.fixture
def live(api, looks):
    return Live(api, looks)


def row(path, content):
    return {"path": path, "bytes": len(content), "modified_at": 1.0, "sha256": hashlib.sha256(content).hexdigest()}


def found(live):
    return {one.path: one for one in live.platform.artifacts(live.ref)}


def outputs_of(live):
    aws, reference = live.platform.aws, read_reference(live.ref)
    return Outputs(aws, reference, need_described(aws, reference))


def fetched(live, path, folder):
    to = folder / "fetched" / "file"
    live.platform.fetch(live.ref, path, to)
    return to.read_bytes()


def test_what_is_in_the_manifest_and_nowhere_is_told_as_not_arrived(live, tmp_path):
    live.put("mirror/output/here", b"here")
    live.put("mirror/ipymlops/node-0/result.json", json.dumps({"exit_code": 0, "ended_at": 9e9}).encode())
    rows = [row("output/here", b"here"), row("output/late", b"late"), row("checkpoints/lost", b"lost")]
    manifest = json.dumps({"attempt": "a", "rank": 0, "files": rows}).encode()
    live.pack({"ipymlops/node-0/manifest.json": manifest, "late/output/late": b"late", "own/of/script": b"own"})
    assert set(found(live)) == {"here"}  # while it runs, what is not there may still come
    live.job.finish("Completed")
    files = found(live)
    assert {path: one.has_arrived for path, one in files.items()} == {
        "here": True,
        "late": True,
        "checkpoints/lost": False,
        "output.tar.gz/own/of/script": True,
    }
    assert files["here"].digest == f"sha256:{hashlib.sha256(b'here').hexdigest()}"
    assert fetched(live, "late", tmp_path) == b"late"
    assert fetched(live, "output.tar.gz/own/of/script", tmp_path) == b"own"
    with pytest.raises(PlatformProblem, match="checkpoints/lost"):
        fetched(live, "checkpoints/lost", tmp_path)


def test_a_file_that_is_not_what_the_manifest_says_is_not_given(live, tmp_path):
    live.put("mirror/output/model", b"changed on its way")
    manifest = {"attempt": "a", "rank": 0, "files": [row("output/model", b"what was written")]}
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps(manifest).encode())
    live.job.finish("Completed")
    with pytest.raises(PlatformProblem, match="not what the job wrote"):
        fetched(live, "model", tmp_path)
    assert not (tmp_path / "fetched" / "file").exists()


@pytest.mark.parametrize("old", [b"older", b"not the last"], ids=["of-another-size", "of-that-size"])
def test_of_a_file_that_was_packed_at_the_end_the_mirror_s_older_copy_is_not_taken(live, tmp_path, old):
    new = b"the last one"
    live.put("mirror/output/model", old)
    manifest = {"attempt": "a", "rank": 0, "files": [row("output/model", new)]}
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps(manifest).encode())
    live.pack({"late/output/model": new})
    live.job.finish("Completed")
    one = found(live)["model"]
    assert (one.bytes, one.digest, one.has_arrived) == (len(new), f"sha256:{hashlib.sha256(new).hexdigest()}", True)
    assert fetched(live, "model", tmp_path) == new


def test_a_file_of_which_only_an_older_copy_is_left_is_told_as_lost_and_where_that_is(live, tmp_path):
    live.put("mirror/output/model", b"older")
    manifest = {"attempt": "a", "rank": 0, "files": [row("output/model", b"the last one")]}
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps(manifest).encode())
    live.job.finish("Completed")
    one = found(live)["model"]
    assert (one.bytes, one.has_arrived) == (12, False)
    with pytest.raises(PlatformProblem, match="not what the job wrote") as lost:
        fetched(live, "model", tmp_path)
    assert lost.value.fix == f"aws s3 cp s3://{live.api.bucket}/ipymlops/jobs/{live.job_id}/mirror/output/model ."


def restarted(live):
    """Its first machine is taken away, and it begins anew on another."""
    live.job.transition("Interrupted")
    live.job.transition("Starting")
    live.job.transition("Training")
    began, [*_, taken, _, again] = time.time(), live.job.transitions
    taken.start, again.start = began - 600, began


def test_the_sums_of_an_attempt_that_was_not_the_last_count_no_more(live, tmp_path):
    """The last one was killed before it could list its files."""
    live.put("mirror/output/model", b"of the second attempt")
    first = {"attempt": "a1", "rank": 0, "ended_at": time.time() - 700, "files": [row("output/model", b"of the first")]}
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps(first).encode())
    live.leave(name="attempt.json", attempt="a1", number=1)
    restarted(live)
    live.job.finish("Failed")
    assert found(live)["model"].digest == f"md5:{hashlib.md5(b'of the second attempt').hexdigest()}"
    assert fetched(live, "model", tmp_path) == b"of the second attempt"


def test_an_attempt_that_began_later_than_a_list_ended_makes_it_old(live, tmp_path):
    """The service tells of no restart: what the launcher left does."""
    live.put("mirror/output/model", b"of the second attempt")
    first = {"attempt": "a1", "rank": 0, "ended_at": time.time() - 700, "files": [row("output/model", b"of the first")]}
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps(first).encode())
    live.leave(name="attempt.json", attempt="a2", number=2)
    live.job.finish("Failed")
    assert fetched(live, "model", tmp_path) == b"of the second attempt"


def test_the_last_attempt_s_list_counts_wherever_it_is(live):
    """Nothing of it has reached the mirror, which has the first attempt's."""
    old, new = [row("output/old", b"old")], [row("output/new", b"new")]
    first = {"attempt": "a1", "rank": 0, "ended_at": time.time() - 700, "files": old}
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps(first).encode())
    live.leave(name="attempt.json", attempt="a1", number=1, started_at=time.time() - 900)
    restarted(live)
    second = {"attempt": "a2", "rank": 0, "ended_at": time.time(), "files": new}
    live.pack({"ipymlops/node-0/manifest.json": json.dumps(second).encode(), "late/output/new": b"new"})
    live.job.finish("Completed")
    assert {path: one.has_arrived for path, one in found(live).items()} == {"new": True}


@pytest.fixture
def theirs(api, looks):
    """A job of another tool, with outputs in the service's own archives."""
    api.client("sagemaker").create_training_job(
        TrainingJobName="theirs",
        RoleArn=api.role,
        AlgorithmSpecification={"TrainingImage": api.image, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{api.bucket}/out"},
        CheckpointConfig={"S3Uri": f"s3://{api.bucket}/ckpt"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    [job] = looks.listing("").jobs
    return job.ref


def packed(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


def test_single_members_of_another_tools_archive(api, looks, theirs, tmp_path):
    big = os.urandom(20 << 20)
    archive = packed([("./config.json", b"{}"), ("weights.bin", big), ("link", None), ("../out", b"x")])
    s3 = api.client("s3")
    s3.put_object(Bucket=api.bucket, Key="out/theirs/output/model.tar.gz", Body=archive)
    s3.put_object(Bucket=api.bucket, Key="ckpt/step-1", Body=b"c")
    platform = looks
    to = tmp_path / "config.json"
    api.calls.clear()
    platform.fetch(theirs, "model.tar.gz/config.json", to)
    assert to.read_bytes() == b"{}"
    files = {one.path: one.bytes for one in platform.artifacts(theirs)}
    assert files["model.tar.gz/weights.bin"] == len(big)
    assert files["checkpoints/step-1"] == 1
    assert "model.tar.gz/link" not in files
    before = len(api.calls)
    assert {one.path: one.bytes for one in platform.artifacts(theirs)} == files
    assert sum(call.got_bytes for call in api.calls[before:] if call.action == "GetObject") == 0, (
        "what was learnt is kept"
    )


def test_a_connection_that_breaks_off_is_taken_up_where_it_was(api, live, tmp_path):
    content = os.urandom(3 * PART_BYTES + 17)
    live.put("mirror/output/big", content)
    api.faults.cut_s3_get_after, api.faults.cut_s3_gets = 3 << 20, 4
    assert fetched(live, "big", tmp_path) == content


def test_a_fetch_that_was_killed_goes_on(api, live, tmp_path):
    content = os.urandom(4 * PART_BYTES)
    live.put("mirror/output/big", content)
    outputs = outputs_of(live)
    source = source_of(outputs.s3, api.bucket, f"{outputs.mirror}output/big")
    to = tmp_path / "big"
    part, journal = tmp_path / ".big.part", tmp_path / ".big.parts"
    part.write_bytes(content[: 2 * PART_BYTES] + bytes(2 * PART_BYTES))
    journal.write_text(json.dumps(source.etag) + f"\n0\n{PART_BYTES}\n")
    api.calls.clear()
    download(source, to)
    assert to.read_bytes() == content
    assert [call.action for call in api.calls].count("GetObject") == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".big", "big"))) == ["big"]


def test_what_is_left_of_another_content_is_not_used(api, live, tmp_path):
    live.put("mirror/output/big", b"new")
    outputs = outputs_of(live)
    source = source_of(outputs.s3, api.bucket, f"{outputs.mirror}output/big")
    (tmp_path / ".big.part").write_bytes(b"old")
    (tmp_path / ".big.parts").write_text('"\\"of-something-else\\""\n0\n')
    download(source, tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == b"new"


def test_a_file_that_changes_while_it_is_fetched_is_told(api, live, tmp_path):
    live.put("mirror/output/x", b"first")
    outputs = outputs_of(live)
    source = source_of(outputs.s3, api.bucket, f"{outputs.mirror}output/x")
    live.put("mirror/output/x", b"second")
    with pytest.raises(PlatformProblem, match="changed while it was fetched"):
        download(source, tmp_path / "x")


def test_a_file_that_is_lost_says_why_and_what_there_is(live, tmp_path):
    rows = [row("output/lost", b"lost")]
    live.put("mirror/ipymlops/node-0/manifest.json", json.dumps({"files": rows}).encode())
    live.job.finish("Completed")
    with pytest.raises(PlatformProblem, match="has not arrived") as lost:
        fetched(live, "lost", tmp_path)
    assert "taken away" in lost.value.why
    assert lost.value.fix == f"ipymlops artifacts {live.job_id}"


def test_a_path_that_leads_elsewhere_is_no_file(live, tmp_path):
    live.put("mirror/output/a//b", b"x")
    for path in ("", "/etc/passwd", "../result.json", "a/../../x", "a//b", "./a", "a\0b"):
        with pytest.raises(PlatformProblem, match="no file"):
            fetched(live, path, tmp_path)


def test_what_is_the_launchers_own_is_not_shown(live):
    live.put("mirror/ipymlops/node-0/attempt.json", b"{}")
    live.put("mirror/output/a b/é\n", b"1")
    live.put("mirror/output/tensorboard/x", b"of the output")
    live.put("mirror/tensorboard/x", b"tb")
    live.put("mirror/tensorboard/y", b"tb")
    assert {path: one.bytes for path, one in found(live).items()} == {
        "a b/é\n": 1,
        "tensorboard/x": 13,
        "tensorboard/y": 2,
    }


def test_a_damaged_archive_spoils_no_list(live):
    live.put("mirror/output/here", b"here")
    live.put(f"{live.job.name}/output/model.tar.gz", b"no archive")
    live.job.finish("Completed")
    assert set(found(live)) == {"here", "model.tar.gz"}


def test_the_model_s_folder_comes_member_by_member_and_an_empty_one_not_at_all(live, tmp_path):
    live.put(f"{live.job.name}/output/output.tar.gz", packed([]))
    live.put(f"{live.job.name}/output/model.tar.gz", packed([("net/weights", b"w")]))
    live.job.finish("Completed")
    assert set(found(live)) == {"model.tar.gz", "model.tar.gz/net/weights"}
    assert fetched(live, "model.tar.gz/net/weights", tmp_path) == b"w"
    live.put(f"{live.job.name}/output/model.tar.gz", packed([]))
    assert set(found(live)) == set()


def test_the_digest_of_what_came_in_parts_is_that_of_its_parts(api, live, tmp_path):
    content = os.urandom((5 << 20) + 17)
    key = f"ipymlops/jobs/{live.job_id}/mirror/output/big"
    s3 = api.client("s3")
    s3.upload_fileobj(io.BytesIO(content), api.bucket, key, Config=TransferConfig(5 << 20, multipart_chunksize=5 << 20))
    live.put("mirror/output/small", b"s")
    (tmp_path / "big").write_bytes(content)
    digests = {path: one.digest for path, one in found(live).items()}
    kind, _, digest = digests["big"].partition(":")
    assert kind == f"md5/{5 << 20}"
    assert digest_of(tmp_path / "big", kind) == digest
    assert digests["small"] == f"md5:{hashlib.md5(b's').hexdigest()}"
    assert fetched(live, "big", tmp_path) == content


def test_the_tag_of_what_is_encrypted_with_a_key_is_no_digest(api, live, tmp_path):
    key = f"ipymlops/jobs/{live.job_id}/mirror/output/x"
    api.client("s3").put_object(Bucket=api.bucket, Key=key, Body=b"x", ServerSideEncryption="aws:kms")
    assert found(live)["x"].digest is None
    assert fetched(live, "x", tmp_path) == b"x"


def test_many_files_of_a_job_cost_one_description(api, live, tmp_path):
    for number in range(5):
        live.put(f"mirror/output/{number}", b"x")
    platform = live.platform
    api.calls.clear()
    for number in range(5):
        platform.fetch(live.ref, str(number), tmp_path / str(number))
    assert [call.action for call in api.calls].count("DescribeTrainingJob") == 1
    assert len(api.calls) == 1 + 5 * 2


def test_what_has_come_is_told_and_whoever_gives_up_ends_it(live, tmp_path):
    live.put("mirror/output/big", os.urandom(PART_BYTES + 5))
    platform, told = live.platform, []
    platform.fetch_telling(live.ref, "big", tmp_path / "big", told.append)
    assert sum(told) == PART_BYTES + 5

    class GivenUp(Exception):
        """Nobody waits any longer."""

    def give_up(_bytes):
        raise GivenUp

    with pytest.raises(GivenUp):
        platform.fetch_telling(live.ref, "big", tmp_path / "again", give_up)
    assert not (tmp_path / "again").exists()


def test_two_who_fetch_to_one_place_do_not_mix(api, live, tmp_path):
    live.put("mirror/output/x", b"x")
    source = source_of(api.client("s3"), api.bucket, f"ipymlops/jobs/{live.job_id}/mirror/output/x")

    def meanwhile(_bytes):
        with pytest.raises(PlatformProblem, match="by another command"):
            download(source, tmp_path / "x")

    download(source, tmp_path / "x", progress=meanwhile)
    assert (tmp_path / "x").read_bytes() == b"x"


def test_outputs_that_may_not_be_read_are_told(api, theirs, looks, tmp_path):
    api.client("s3").put_object(Bucket=api.bucket, Key="out/theirs/output/x", Body=b"x")
    api.faults.denied = {"s3:GetObject"}
    with pytest.raises(PlatformProblem) as refused:
        looks.fetch(theirs, "x", tmp_path / "x")
    assert "s3:GetObject" in refused.value.why


def test_another_tools_files_lie_where_its_request_says(api, looks, theirs):
    s3 = api.client("s3")
    for key in ("out/theirs/output/model/part-1", "out/theirs/output/", "ckpt/step/1", "ckpt-of-others/x"):
        s3.put_object(Bucket=api.bucket, Key=key, Body=b"x")
    assert sorted(one.path for one in looks.artifacts(theirs)) == ["checkpoints/step/1", "model/part-1"]

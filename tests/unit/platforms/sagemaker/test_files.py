"""The files of a job: by path, single, checked, and never more than arrived."""

import hashlib
import io
import json
import os
import tarfile

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import need_described
from ipymlops.platforms.sagemaker.reference import read_reference
from ipymlops.platforms.sagemaker.transfers import PART_BYTES, download, source_of
from tests.servers.sagemaker_api import Scripted
from tests.unit.platforms.sagemaker.test_status import Live


@pytest.fixture
def live(api, sender):
    api.script = Scripted(("Downloading", "Training"))
    return Live(api, sender)


def row(path, content):
    return {"path": path, "bytes": len(content), "modified_at": 1.0, "sha256": hashlib.sha256(content).hexdigest()}


def found(live):
    return {one.path: one for one in live.sender.platform().artifacts(live.ref)}


def fetched(live, path, folder):
    to = folder / "fetched" / "file"
    live.sender.platform().fetch(live.ref, path, to)
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


@pytest.fixture
def theirs(api, sender):
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
    [job] = sender.platform().listing("").jobs
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


def test_single_members_of_another_tools_archive(api, sender, theirs, tmp_path):
    big = os.urandom(20 << 20)
    archive = packed([("./config.json", b"{}"), ("weights.bin", big), ("link", None), ("../out", b"x")])
    s3 = api.client("s3")
    s3.put_object(Bucket=api.bucket, Key="out/theirs/output/model.tar.gz", Body=archive)
    s3.put_object(Bucket=api.bucket, Key="ckpt/step-1", Body=b"c")
    platform = sender.platform()
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


def test_a_fetch_that_was_killed_goes_on(api, aws, live, tmp_path):
    content = os.urandom(4 * PART_BYTES)
    live.put("mirror/output/big", content)
    outputs = Outputs(aws, read_reference(live.ref), need_described(aws, read_reference(live.ref)))
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


def test_what_is_left_of_another_content_is_not_used(api, aws, live, tmp_path):
    live.put("mirror/output/big", b"new")
    outputs = Outputs(aws, read_reference(live.ref), need_described(aws, read_reference(live.ref)))
    source = source_of(outputs.s3, api.bucket, f"{outputs.mirror}output/big")
    (tmp_path / ".big.part").write_bytes(b"old")
    (tmp_path / ".big.parts").write_text('"\\"of-something-else\\""\n0\n')
    download(source, tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == b"new"


def test_a_file_that_changes_while_it_is_fetched_is_told(api, aws, live, tmp_path):
    live.put("mirror/output/x", b"first")
    outputs = Outputs(aws, read_reference(live.ref), need_described(aws, read_reference(live.ref)))
    source = source_of(outputs.s3, api.bucket, f"{outputs.mirror}output/x")
    live.put("mirror/output/x", b"second")
    with pytest.raises(PlatformProblem, match="changed while it was fetched"):
        download(source, tmp_path / "x")

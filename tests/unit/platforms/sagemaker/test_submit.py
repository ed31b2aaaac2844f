"""One id, one training job: whatever becomes of the answers."""

import json
import threading
from dataclasses import replace

import pytest

from ipymlops.errors import NotSignedIn, PlatformProblem, QuotaExceeded, Unreachable
from ipymlops.job import new_job_id
from ipymlops.platforms.sagemaker.layout import JobKeys
from ipymlops.spec import JobSpec


def keys_below(api, prefix):
    found = api.client("s3").list_objects_v2(Bucket=api.bucket, Prefix=prefix)
    return [one["Key"] for one in found.get("Contents", ())]


def test_a_lost_reply_is_asked_about(sender, api):
    api.faults.create_reply_lost = 1
    job_id = new_job_id()
    ref = sender.submit(job_id)
    assert sender.submit(job_id) == ref
    assert sender.names == [f"train-1-{job_id}"]


def test_an_error_after_the_fact_is_asked_about(sender, api):
    api.faults.create_500_after = 1
    job_id = new_job_id()
    assert sender.submit(job_id).endswith(f"/train-1-{job_id}")
    assert len(sender.names) == 1


def test_an_error_before_it_leaves_open_what_happened(sender, api):
    api.faults.create_500_before = 1
    job_id = new_job_id()
    with pytest.raises(Unreachable):
        sender.submit(job_id)
    assert sender.names == []
    sender.submit(job_id)
    assert len(sender.names) == 1


def test_a_create_is_sent_once_however_often_it_is_refused_for_speed(sender, api):
    api.faults.throttle_next = {"CreateTrainingJob": 1}
    job_id = new_job_id()
    with pytest.raises(Unreachable, match="slower"):
        sender.submit(job_id)
    assert [call.action for call in api.calls].count("CreateTrainingJob") == 1
    sender.submit(job_id)
    assert len(sender.names) == 1


def test_a_quota_that_our_own_first_try_holds_is_no_refusal(sender, api):
    api.faults.resource_limit_after_own_first = 1
    job_id = new_job_id()
    ref = sender.submit(job_id)
    assert sender.submit(job_id) == ref
    assert len(sender.names) == 1


def test_a_quota_that_is_reached_is_told_with_its_limit_and_the_job_can_be_sent_again(sender, api):
    api.faults.resource_limit = 2
    job_id = new_job_id()
    for _ in range(2):
        with pytest.raises(QuotaExceeded) as problem:
            sender.submit(job_id)
        assert "account-level service limit" in problem.value.why
    ref = sender.submit(job_id)
    assert sender.names == [ref.rpartition("/")[2]]


def test_a_name_that_another_tool_has_is_a_clash_and_not_ours(sender, api):
    job_id = new_job_id()
    ref = sender.submit(job_id)
    other = api.client("sagemaker")
    request = {**sender.request(ref), "TrainingJobName": f"theirs-{job_id}", "Environment": {}}
    other.create_training_job(**request)
    with pytest.raises(PlatformProblem, match="another job has the name"):
        sender.submit(job_id, name="theirs")


def test_a_job_that_was_deleted_after_it_ran_is_not_paid_again(sender, api):
    job_id = new_job_id()
    ref = sender.submit(job_id)
    api.client("s3").put_object(Bucket=api.bucket, Key=JobKeys(job_id).node(0) + "attempt.json", Body=b"{}")
    api.client("sagemaker").delete_training_job(TrainingJobName=ref.rpartition("/")[2])
    with pytest.raises(PlatformProblem, match="not started again"):
        sender.submit(job_id)
    assert sender.names == []


def test_two_who_send_the_same_job_at_once_start_one(sender):
    job_id, refs, troubles = new_job_id(), [], []

    def send():
        try:
            refs.append(sender.submit(job_id))
        except Unreachable as problem:  # told to ask again
            troubles.append(problem)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refs) + len(troubles) == 6
    assert len({*refs, sender.submit(job_id)}) == 1
    assert len(sender.names) == 1


def test_equal_code_is_sent_once(sender, api):
    sender.submit()
    before = len(api.calls)
    sender.submit()
    sent = [call for call in api.calls[before:] if call.service == "s3" and call.action == "PutObject"]
    assert sorted(call.resource.rpartition("/")[2] for call in sent) == ["claim", "config.json"]


def test_code_that_somebody_has_removed_is_sent_again(sender, api):
    sender.submit()
    [code] = keys_below(api, "ipymlops/code/")
    api.client("s3").delete_object(Bucket=api.bucket, Key=code)
    sender.submit()
    assert keys_below(api, "ipymlops/code/") == [code]


def test_a_refusal_names_what_is_left_of_it(sender, api):
    api.faults.denied = {"sagemaker:CreateTrainingJob"}
    job_id = new_job_id()
    with pytest.raises(PlatformProblem) as problem:
        sender.submit(job_id)
    assert f"aws s3 rm --recursive s3://{api.bucket}/{JobKeys(job_id).root}" in problem.value.why
    assert sender.names == []


@pytest.mark.parametrize("key", ["expired", "wrong"])
def test_credentials_that_are_refused_send_nothing(sender, api, key):
    env = api.env
    if key == "expired":
        api.faults.expire_token = True
    else:
        env = api.wrong_env
    platform = sender.platform(**env)
    spec = JobSpec("train.py")
    with pytest.raises(NotSignedIn) as problem:
        platform.preflight(spec, platform.plan(spec))
    assert "aws" in problem.value.fix
    assert sender.names == []
    assert keys_below(api, "ipymlops/") == []


def test_new_credentials_are_used_once_the_old_ones_are_refused(sender, api, tmp_path):
    file = tmp_path / "credentials"

    def sign_in(env):
        words = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        file.write_text("[default]\n" + "".join(f"{word} = {env[word.upper()]}\n" for word in words))

    sign_in(api.env)
    env = {name: value for name, value in api.env.items() if "KEY" not in name and "TOKEN" not in name}
    platform = type(sender.platform())(
        replace(sender.platform().context, env={**env, "AWS_SHARED_CREDENTIALS_FILE": str(file)})
    )
    ref = sender.submit()
    platform.status(ref)
    api.faults.expire_token = True
    with pytest.raises(NotSignedIn):
        platform.status(ref)
    sign_in(api.fresh_env)
    assert platform.status(ref).state


def test_the_plan_shows_what_is_sent(sender):
    fields = {
        "argv": ("--lr", "3e-4", "", "a\nb"),
        "gpu": "l4",
        "labels": (("team", "vision"),),
        "env": (("A", "x" * 2000),),
        "max_runtime_s": 600,
        "nodes": 2,
    }
    platform, spec, job_id = sender.platform(), JobSpec("train.py", **fields), new_job_id()
    plan = platform.plan(spec)
    ref = sender.send(platform, job_id, "train-1", spec, plan)
    code = sender.code()
    stands = {
        "{job_name}": "train-1",
        "{job_id}": job_id,
        "{sha256 of the code}": code.sha256,
        "{commit}": code.commit or "",
    }
    shown = json.dumps(plan.request["CreateTrainingJob"])
    for word, value in stands.items():
        shown = shown.replace(word, value)
    tags = {tag["Key"]: tag["Value"] for tag in json.loads(shown)["Tags"]}
    assert sender.request(ref) == {key: value for key, value in json.loads(shown).items() if key != "Tags"}
    assert sender.api.job(ref.rpartition("/")[2]).tags == tags


def test_every_limit_is_met_by_what_travels_in_a_file(sender, api):
    """Words, variables and a name that no field of the service would hold."""
    argv = ("x" * 131_071, *map(str, range(10_000)), "a\nb", "\udcff")
    env = tuple((f"V{number}", "y" * 600) for number in range(150))
    ref = sender.submit(job_id := new_job_id(), name="é" * 80 + "_very.long name" * 9, argv=argv, env=env)
    name = ref.rpartition("/")[2]
    assert len(name) <= 63
    assert name.endswith(job_id)
    body = api.client("s3").get_object(Bucket=api.bucket, Key=JobKeys(job_id).config)["Body"].read()
    told = json.loads(body)
    assert tuple(told["argv"]) == argv
    assert tuple(told["env"].items()) == env


def test_labels_beyond_what_tags_can_say_are_told_and_stay_in_our_record(sender):
    labels = (*((f"k{number}", "v") for number in range(500)), ("aws:x", "1"), ("branch", "fix #3, (draft)"))
    platform, spec = sender.platform(), JobSpec("train.py", labels=(labels[-1], *labels[:-1]))
    plan = platform.plan(spec)
    told = " ".join(plan.notes)
    assert "'branch'" in told
    assert "and 451 more" in told
    ref = sender.send(platform, new_job_id(), "n", spec, plan)
    tags = sender.api.job(ref.rpartition("/")[2]).tags
    assert len(tags) == 50
    assert tags["branch"] == "fix _3_ _draft_"


def test_a_secret_is_handed_over_by_name_and_an_equal_one_once(sender, api):
    platform = sender.platform(HF_TOKEN="hunter2-of-the-hub")
    spec = JobSpec("train.py", secrets=(("HF_TOKEN", "env:HF_TOKEN"), ("DB", "secretsmanager:prod/db#password")))
    for _ in range(2):
        job_id = new_job_id()
        sender.send(platform, job_id, "n", spec, platform.plan(spec))
    told = json.loads(api.client("s3").get_object(Bucket=api.bucket, Key=JobKeys(job_id).config)["Body"].read())
    assert told["secrets_from"]["DB"] == {"id": "prod/db", "key": "password"}
    [secret] = [one["Name"] for one in api.client("secretsmanager").list_secrets()["SecretList"]]
    assert told["secrets_from"]["HF_TOKEN"] == {"id": secret, "key": None}
    assert secret.startswith("AmazonSageMaker-ipymlops-HF_TOKEN-")
    assert "hunter2" not in json.dumps(told)
    changed = sender.platform(HF_TOKEN="hunter3-of-the-hub")
    sender.send(changed, new_job_id(), "n", spec, changed.plan(spec))
    assert len(api.client("secretsmanager").list_secrets()["SecretList"]) == 2

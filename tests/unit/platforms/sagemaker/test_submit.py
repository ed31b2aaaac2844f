"""One id, one training job: whatever becomes of the answers."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ipymlops.errors import NotSignedIn, PlatformProblem, QuotaExceeded, Unreachable
from ipymlops.job import new_job_id
from ipymlops.platforms.sagemaker.layout import JobKeys
from ipymlops.platforms.sagemaker.secrets import salt_of
from ipymlops.spec import JobSpec, Plan
from ipymlops.testing.killed_submit import REQUESTS, Submit, kills, submit_and_die


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


def test_what_cannot_be_seen_may_have_been_started_and_is_no_refusal(sender, api):
    """Whoever ended the job now would leave one that runs and costs money."""
    api.faults.create_reply_lost, api.faults.denied = 1, {"sagemaker:DescribeTrainingJob"}
    job_id = new_job_id()
    with pytest.raises(Unreachable, match="whether"):
        sender.submit(job_id)
    with pytest.raises(Unreachable, match="whether"):
        sender.submit(job_id)
    api.faults.denied = set()
    assert sender.submit(job_id).endswith(f"/train-1-{job_id}")
    assert len(sender.names) == 1


def lost(sender, api):
    """What was submitted, where the reply was lost and nothing could be asked: (platform, id, spec, plan)."""
    platform, spec, job_id = sender.platform(), JobSpec("train.py"), new_job_id()
    plan = platform.plan(spec)
    api.faults.create_reply_lost, api.faults.denied = 1, {"sagemaker:DescribeTrainingJob"}
    with pytest.raises(Unreachable):
        sender.send(platform, job_id, "train-1", spec, plan)
    api.faults.denied = set()
    return platform, job_id, spec, plan


def test_what_was_started_is_found_and_what_was_not_is_not(sender, api):
    platform, job_id, spec, plan = lost(sender, api)
    assert platform.find(job_id, "train-1", spec, plan).endswith(f"/train-1-{job_id}")
    assert platform.find(new_job_id(), "train-1", spec, plan) is None
    assert len(sender.names) == 1


def test_whoever_may_write_nothing_finds_it_all_the_same(sender, api):
    platform, job_id, spec, plan = lost(sender, api)
    api.faults.denied = {"s3:*"}
    assert platform.find(job_id, "train-1", spec, plan).endswith(f"/train-1-{job_id}")


def test_credentials_of_another_account_do_not_tell_that_there_is_none(sender, api):
    _, job_id, spec, plan = lost(sender, api)
    role = api.role.replace(api.account, "999999999999")
    request = {**plan.request, "settings": {**plan.request["settings"], "role": role}}
    with pytest.raises(Unreachable, match="whether") as problem:
        sender.platform().find(job_id, "train-1", spec, replace(plan, request=request))
    assert api.account in problem.value.why


def test_what_was_claimed_a_moment_ago_may_still_come(sender, api):
    platform, spec, job_id = sender.platform(), JobSpec("train.py"), new_job_id()
    plan = platform.plan(spec)
    api.faults.create_500_before = 1
    with pytest.raises(Unreachable):
        sender.send(platform, job_id, "train-1", spec, plan)
    with pytest.raises(Unreachable, match="whether"):
        platform.find(job_id, "train-1", spec, plan)
    long_ago = json.dumps({"name": "train-1", "at": time.time() - 3600}).encode()
    api.client("s3").put_object(Bucket=api.bucket, Key=JobKeys(job_id).claim, Body=long_ago)
    assert platform.find(job_id, "train-1", spec, plan) is None


def test_another_tools_job_of_the_name_is_not_found_as_ours(sender, api):
    ref, job_id = sender.submit(), new_job_id()
    request = {**sender.request(ref), "TrainingJobName": f"theirs-{job_id}", "Environment": {}}
    api.client("sagemaker").create_training_job(**request)
    platform, spec = sender.platform(), JobSpec("train.py")
    assert platform.find(job_id, "theirs", spec, platform.plan(spec)) is None


def test_a_repeat_goes_where_the_first_try_went_whatever_the_settings_are_by_then(sender, api):
    platform, spec, job_id = sender.platform(), JobSpec("train.py"), new_job_id()
    plan = Plan.from_json(json.loads(json.dumps(platform.plan(spec).to_json())))
    api.faults.create_500_after, api.faults.denied = 1, {"sagemaker:DescribeTrainingJob"}
    with pytest.raises(Unreachable):
        sender.send(platform, job_id, "train-1", spec, plan)
    api.faults.denied = set()
    moved = {**api.settings, "region": "eu-central-1", "bucket": api.other_bucket, "kms_key": "k"}
    elsewhere = type(platform)(replace(platform.context, settings=moved))
    ref = sender.send(elsewhere, job_id, "train-1", spec, plan)
    assert ":us-east-1:" in ref
    assert api.all_jobs("eu-central-1") == []
    assert sender.names == [f"train-1-{job_id}"]


def test_a_refusal_is_believed_without_asking(sender, api):
    api.faults.denied = {"sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"}
    with pytest.raises(PlatformProblem, match="may not do that") as problem:
        sender.submit()
    assert not isinstance(problem.value, Unreachable)
    assert "DescribeTrainingJob" not in [call.action for call in api.calls]


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


def test_an_image_as_built_that_ran_is_not_paid_again_either(sender, api):
    """It has no launcher to leave an attempt: SageMaker's own archives tell."""
    job_id, fields = new_job_id(), {"script": None, "no_code": True, "image": api.image}
    name = sender.submit(job_id, **fields).rpartition("/")[2]
    api.client("s3").put_object(Bucket=api.bucket, Key=f"{JobKeys(job_id).root}{name}/output/model.tar.gz", Body=b"")
    api.client("sagemaker").delete_training_job(TrainingJobName=name)
    with pytest.raises(PlatformProblem, match="not started again"):
        sender.submit(job_id, **fields)


def test_a_job_that_was_deleted_before_it_ran_is_started(sender, api):
    ref = sender.submit(job_id := new_job_id())
    api.client("sagemaker").delete_training_job(TrainingJobName=ref.rpartition("/")[2])
    assert sender.submit(job_id) == ref
    assert len(sender.names) == 1


def test_a_submit_killed_before_any_of_its_requests_starts_one_job(sender):
    platform, spec, code = sender.platform(), JobSpec("train.py"), sender.code()
    plan = platform.plan(spec)
    submits = [Submit(platform, new_job_id(), spec, code, plan, REQUESTS) for _ in range(40)]
    killed = kills(submits)
    assert killed >= 7
    for one in submits[: killed + 1]:
        sender.send(platform, one.job_id, "killed", spec, plan)
    assert sorted(sender.names) == sorted(f"killed-{one.job_id}" for one in submits[: killed + 1])


def test_a_submit_killed_after_its_last_request_is_found_again(sender):
    platform, spec, job_id = sender.platform(), JobSpec("train.py"), new_job_id()
    submit_and_die(Submit(platform, job_id, spec, sender.code(), plan := platform.plan(spec), REQUESTS))
    assert sender.send(platform, job_id, "killed", spec, plan).endswith(f"/killed-{job_id}")
    assert sender.names == [f"killed-{job_id}"]


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
    for key in keys_below(api, "ipymlops/jobs/") + keys_below(api, "ipymlops/code/"):
        assert f"s3://{api.bucket}/{key.rpartition('/')[0]}/".replace("/input/", "/") in problem.value.why
    assert sender.names == []


@pytest.mark.parametrize("denied", ["secretsmanager:CreateSecret", "sagemaker:CreateTrainingJob"])
def test_a_refusal_of_a_job_with_a_secret_names_all_that_is_left(sender, api, denied):
    api.faults.denied = {denied}
    job_id, platform, spec = new_job_id(), sender.platform(TOKEN="t0ken"), JobSpec("train.py", secrets=(("TOKEN", ""),))
    with pytest.raises(PlatformProblem) as problem:
        sender.send(platform, job_id, "train-1", spec, platform.plan(spec))
    assert f"aws s3 rm --recursive s3://{api.bucket}/{JobKeys(job_id).root}" in problem.value.why
    for secret in api.client("secretsmanager").list_secrets()["SecretList"]:
        assert secret["Name"] in problem.value.why
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


def test_a_repeat_without_the_secret_goes_on_with_what_was_said_before(sender, api):
    """The session that had the value is gone; its value is in Secrets Manager, and the configuration names it."""
    spec = JobSpec("train.py", secrets=(("HF_TOKEN", "env:HF_TOKEN"),))
    had, has_not, job_id = sender.platform(HF_TOKEN="hunter2-of-the-hub"), sender.platform(), new_job_id()
    plan = had.plan(spec)
    api.faults.create_500_before = 1
    with pytest.raises(Unreachable):
        sender.send(had, job_id, "n", spec, plan)
    sender.send(has_not, job_id, "n", spec, plan)
    told = json.loads(api.client("s3").get_object(Bucket=api.bucket, Key=JobKeys(job_id).config)["Body"].read())
    assert told["secrets_from"]["HF_TOKEN"]["id"].startswith("AmazonSageMaker-ipymlops-HF_TOKEN-")
    assert sender.names == [f"n-{job_id}"]


def test_a_job_whose_secret_nobody_has_any_more_ends_as_nothing_was_started(sender, api):
    spec = JobSpec("train.py", secrets=(("HF_TOKEN", "env:HF_TOKEN"),))
    plan = sender.platform(HF_TOKEN="hunter2").plan(spec)
    with pytest.raises(PlatformProblem, match="no value for --secret HF_TOKEN"):
        sender.send(sender.platform(), new_job_id(), "n", spec, plan)
    assert sender.names == []


def test_a_secret_that_waits_for_its_deletion_is_taken_back(sender, api):
    platform = sender.platform(HF_TOKEN="hunter2-of-the-hub")
    spec = JobSpec("train.py", secrets=(("HF_TOKEN", "env:HF_TOKEN"),))
    plan, manager = platform.plan(spec), api.client("secretsmanager")
    sender.send(platform, new_job_id(), "n", spec, plan)
    [secret] = manager.list_secrets()["SecretList"]
    manager.delete_secret(SecretId=secret["ARN"])
    sender.send(platform, new_job_id(), "n", spec, plan)
    assert manager.get_secret_value(SecretId=secret["ARN"])["SecretString"] == "hunter2-of-the-hub"


def test_the_salt_of_a_home_is_its_owners_alone_and_the_same_for_all_who_ask_first(home):
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda _: salt_of(home), range(8)))
    assert len(salts) == 1
    [path] = home.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700

"""What is wrong with a job is told before anything is sent, once, with the value, the limit and what mends it."""

from dataclasses import replace

import pytest

from ipymlops.errors import IpymlopsError, NotSignedIn, PlatformProblem, UsageProblem
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.spec import JobSpec

NOWHERE = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}


def refusal(sender, **fields):
    """The error of a plan or of what comes before a submit; nothing may be sent by then."""
    platform, spec = sender.platform(), JobSpec(**{"script": "train.py"} | fields)
    with pytest.raises(IpymlopsError) as problem:
        platform.preflight(spec, platform.plan(spec))
    assert sender.names == []
    assert not [call for call in sender.api.calls if call.action in ("PutObject", "CreateTrainingJob", "CreateSecret")]
    assert problem.value.why or problem.value.fix
    return str(problem.value)


def as_built(**fields):
    return {"script": None, "no_code": True, "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:1", **fields}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"machine_type": "ml.g6.xlarg"}, "did you mean ml.g6.xlarge"),
        ({"machine_type": "ml.m5.large", "gpu": "a100"}, "does not have --gpu a100"),
        ({"max_runtime_s": 29 * 86400}, "28 days"),
        ({"keep_warm_s": 7 * 3600}, "6 hours"),
        ({"keep_warm_s": 60, "spot": True}, "exclude each other"),
        *(
            ({"settings": (("volume_gib", size),)}, "1 to 16384")
            for size in ("0", "16385", "abc", "-1", "1.5", "1_0", "²")
        ),
        ({"settings": (("subnets", " , "), ("security_groups", "sg-1"))}, "security_groups"),
        ({"settings": (("subnets", "subnet-1"),)}, "security_groups"),
        ({"data": (("x", "efs://fs-0123456789abcdef0/a"),)}, "security_groups"),
        ({"data": (("x", "s3://b/f?mode=fastfile"),)}, "ends with a slash"),
        ({"data": (("x", "s3://b/f/?mode=pipe"),)}, "no mode 'pipe'"),
        ({"data": tuple((f"d{n}", "s3://b/f/") for n in range(18))}, "at most 20 channels"),
        ({"data": (("x", "gs://b/f/"),)}, "s3://"),
        ({"secrets": (("T", "secretsmanager:"),)}, "names no secret"),
        (as_built(argv=("x",) * 101), "takes 100"),
        (as_built(argv=("x" * 257,)), "257 characters"),
        (as_built(argv=("a\nb",)), "newline"),
        (as_built(argv=("a\u2028",)), "newline"),
        (as_built(argv=("\udcff",)), "no text"),
        (as_built(env=(("A", "x" * 513),)), "513 characters"),
        (as_built(env=(("A-B", "x"),)), "A-B"),
        (as_built(secrets=(("T", "secretsmanager:x"),)), "--secret"),
        (as_built(script="train.py"), "train.py"),
        (as_built(metrics=(("m", "x" * 501),)), "expression 500"),
        (as_built(metrics=tuple((f"m{n}", "x(.)") for n in range(41))), "takes 40"),
        ({"secrets": (("T", "secretsmanager:not/there"),)}, "no secret not/there"),
        ({"settings": (("subnets", ",".join(["s"] * 17)), ("security_groups", "g"))}, "17 subnets"),
        ({"image": "x" * 256}, "256 characters"),
        ({"settings": (("role", "arn:aws:iam::999999999999:role/Other"),)}, "cannot run jobs as that role"),
        ({"settings": (("role", "Other"),)}, "no role's ARN"),
    ],
)
def test_what_sagemaker_cannot_carry_is_refused_with_its_limit(sender, fields, words):
    assert words in refusal(sender, **fields)


def test_an_image_that_is_not_there_is_told_before_anything_is_sent(sender, api):
    assert "no image" in refusal(sender, image=api.uri("python:none"))
    assert "elsewhere" in refusal(sender, image=api.uri("python:1", "eu-central-1"))
    assert "python:3.12" in refusal(sender, image="python:3.12")


def test_data_is_looked_at(sender, api):
    s3 = api.client("s3")
    for key in ("train/a.csv", "train-old/a.csv", "one.csv", "one.csv.bak", "single.csv"):
        s3.put_object(Bucket=api.bucket, Key=key, Body=b"x")
    s3.create_bucket(Bucket="somewhere-else-1", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    at = f"s3://{api.bucket}"
    assert "is not there" in refusal(sender, data=(("x", f"{at}/nothing/"),))
    assert f"--data x={at}/train/" in refusal(sender, data=(("x", f"{at}/train"),))
    assert "one.csv.bak too" in refusal(sender, data=(("x", f"{at}/one.csv"),))
    assert "no bucket" in refusal(sender, data=(("x", "s3://no-such-bucket-anywhere/x/"),))
    for good in (f"{at}/train/", f"{at}/single.csv", f"{at}/train/?mode=fastfile"):
        platform, spec = sender.platform(), JobSpec("train.py", data=(("x", good),))
        platform.preflight(spec, platform.plan(spec))


@pytest.mark.parametrize("setting", ["foreign_bucket", "other_bucket"])
def test_a_bucket_of_somebody_else_or_elsewhere_is_refused(sender, api, setting):
    words = refusal(sender, settings=(("bucket", getattr(api, setting)),))
    assert "somebody else" in words or "eu-central-1" in words


def test_without_settings_there_is_a_plan_and_no_submit(home, api):
    platform = SageMakerPlatform(PlatformContext(home, {"region": "us-east-1"}, {"AWS_ENDPOINT_URL": api.url}))
    spec = JobSpec("train.py", gpu="a100")
    plan = platform.plan(spec)
    assert (plan.machine_type, plan.accelerator_count, plan.asked_count) == ("ml.p4d.24xlarge", 8, 1)
    assert any("ipymlops setup sagemaker" in note for note in plan.notes)
    assert plan.request["CreateTrainingJob"]["RoleArn"] is None
    with pytest.raises(PlatformProblem):
        platform.preflight(spec, plan)
    signed_in = SageMakerPlatform(PlatformContext(home, {"region": "us-east-1"}, api.env))
    with pytest.raises(UsageProblem, match="role and bucket is not set"):
        signed_in.preflight(spec, plan)


def test_no_region_is_one_clear_error(home, api):
    env = {name: value for name, value in api.env.items() if name != "AWS_DEFAULT_REGION"}
    settings = {name: value for name, value in api.settings.items() if name != "region"}
    platform = SageMakerPlatform(PlatformContext(home, settings, env))
    spec = JobSpec("train.py")
    plan = platform.plan(spec)
    assert any("region" in note for note in plan.notes)
    with pytest.raises(UsageProblem, match="no AWS region"):
        platform.preflight(spec, plan)


def test_options_reach_the_request(sender):
    settings = (
        *(("subnets", "subnet-1,subnet-2"), ("security_groups", "sg-1"), ("volume_gib", "200")),
        ("kms_key", "arn:aws:kms:us-east-1:123456789012:key/k"),
    )
    spec = JobSpec("train.py", machine_type="ml.m5.large", spot=True, max_runtime_s=3600, settings=settings)
    request = sender.platform().plan(spec).request["CreateTrainingJob"]
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600 + 86400}
    assert request["EnableManagedSpotTraining"] is True
    assert request["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert request["ResourceConfig"]["VolumeSizeInGB"] == 200
    assert request["ResourceConfig"]["VolumeKmsKeyId"] == request["OutputDataConfig"]["KmsKeyId"] == settings[3][1]
    warm = sender.platform().plan(JobSpec("train.py", keep_warm_s=1200)).request["CreateTrainingJob"]
    assert warm["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1200
    built = sender.platform().plan(JobSpec(**as_built(argv=("--lr", "1"), metrics=(("loss", "l=(.*)"),)))).request
    assert built["CreateTrainingJob"]["AlgorithmSpecification"]["ContainerArguments"] == ["--lr", "1"]
    assert built["CreateTrainingJob"]["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": "loss", "Regex": "l=(.*)"}
    ]
    assert "InputDataConfig" not in built["CreateTrainingJob"]


def test_a_plan_knows_whether_its_price_is_an_estimate(home):
    platform = SageMakerPlatform(PlatformContext(home, {"region": "us-east-1"}, {"AWS_EC2_METADATA_DISABLED": "true"}))
    assert [
        platform.plan(JobSpec("t.py", machine_type=one)).is_estimate for one in ("ml.p5.4xlarge", "ml.g5.xlarge")
    ] == [
        True,
        False,
    ]


def test_settings_of_a_line_may_have_spaces_around_their_words(sender):
    settings = (("subnets", "subnet-1, subnet-2"), ("security_groups", " sg-1 ,"), ("volume_gib", " 200 "))
    request = sender.platform().plan(JobSpec("train.py", settings=(*settings, ("kms_key", " k-1 ")))).request
    job = request["CreateTrainingJob"]
    assert job["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert (job["ResourceConfig"]["VolumeSizeInGB"], job["OutputDataConfig"]["KmsKeyId"]) == (200, "k-1")


@pytest.mark.parametrize("content", [None, "[profile other]\n", "no ini file"])
def test_an_aws_configuration_that_cannot_be_used_is_named_with_what_mends_it(sender, tmp_path, content):
    env = {"AWS_PROFILE": "nope", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    if content:
        (tmp_path / "config").write_text(content)
    platform, spec = sender.platform(**env), JobSpec("train.py")
    settings = {key: value for key, value in platform.context.settings.items() if key != "region"}
    context = replace(platform.context, settings=settings, env={**platform.context.env, **NOWHERE})
    without_region = type(platform)(context)
    looks = (
        lambda: without_region.plan(spec),
        without_region.machines,
        lambda: platform.preflight(spec, platform.plan(spec)),
        lambda: list(platform.checks()),
        lambda: list(without_region.proposals()),
    )
    for look in looks:
        with pytest.raises(NotSignedIn) as problem:
            look()
        assert "nope" in problem.value.why or str(tmp_path) in problem.value.why
        assert problem.value.fix.startswith("aws configure list-profiles")


def test_file_systems_and_streamed_folders_are_channels(sender):
    network = (("subnets", "subnet-1"), ("security_groups", "sg-1"))
    data = (
        ("in/train", "s3://b/f/?mode=fastfile"),
        ("shared", "fsx://fs-0123456789abcdef0/x?mode=rw"),
        ("ipymlops", "s3://b/one.csv"),
    )
    plan = sender.platform().plan(JobSpec("train.py", settings=network, data=data))
    *_, fast, shared, one = plan.request["CreateTrainingJob"]["InputDataConfig"]
    assert fast["InputMode"] == "FastFile"
    source = shared["DataSource"]["FileSystemDataSource"]
    assert (source["FileSystemType"], source["FileSystemAccessMode"]) == ("FSxLustre", "rw")
    [told] = [one for key, one in plan.request["objects"].items() if key.endswith("config.json")]
    assert told["data"]["ipymlops"] == f"/opt/ml/input/data/{one['ChannelName']}/one.csv"
    assert one["ChannelName"] != "ipymlops"


@pytest.mark.parametrize(("value", "why"), [("", "empty"), ("\udcff", "no UTF-8")])
def test_a_secret_that_secrets_manager_cannot_hold_is_refused_without_a_word_of_it(sender, value, why):
    spec = JobSpec("train.py", secrets=(("TOKEN", "env:TOKEN"),))
    with pytest.raises(UsageProblem) as problem:
        sender.platform(TOKEN=value).plan(spec)
    assert why in str(problem.value)
    assert "udcff" not in ascii(str(problem.value))


def test_whoever_may_not_look_at_a_secret_may_hand_it_to_a_job_all_the_same(sender, api):
    api.faults.denied = {"secretsmanager:DescribeSecret"}
    assert sender.submit(secrets=(("DB", "secretsmanager:prod/db#password"),))


def test_the_card_says_what_sagemaker_does_differently(sender):
    def notes(**fields):
        return " ".join(sender.platform().plan(JobSpec(**{"script": "train.py"} | fields)).notes)

    assert "SageMaker calls it my-run-ID" in notes(name="my_run")
    assert "calls it" not in notes(name="my-run")
    assert "one: train" in notes(**as_built())
    assert "one: train" not in notes(**as_built(argv=("x", "")))
    assert "kept for 1 h 30 min after the job" in notes(keep_warm_s=5400)
    assert "no more than an hour" in notes(keep_warm_s=5400)
    assert "volume_gib=70 is ignored" in notes(gpu="a10g", settings=(("volume_gib", "70"),))


def test_a_new_login_is_used_after_a_refused_look(sender, api, tmp_path):
    file = tmp_path / "credentials"
    env = {name: value for name, value in api.env.items() if "KEY" not in name and "TOKEN" not in name}
    context = PlatformContext(sender.home, api.settings, {**env, "AWS_SHARED_CREDENTIALS_FILE": str(file)})
    platform, spec = SageMakerPlatform(context), JobSpec("train.py")
    plan = platform.plan(spec)
    for who, is_refused in ((api.wrong_env, True), (api.env, False)):
        words = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        file.write_text("[default]\n" + "".join(f"{word} = {who[word.upper()]}\n" for word in words))
        if is_refused:
            with pytest.raises(NotSignedIn):
                platform.preflight(spec, plan)
        else:
            platform.preflight(spec, plan)


@pytest.mark.parametrize(("off_s", "words"), [(3600, "behind AWS"), (-3600, "ahead of AWS")])
def test_a_clock_that_is_wrong_is_told_and_how_it_is_set(sender, api, off_s, words):
    api.faults.clock_skew_s = off_s
    told = refusal(sender)
    assert words in told
    assert "timedatectl" in told

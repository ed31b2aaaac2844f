"""Whether an image can be pulled: looked at before anything is sent."""

import json
from dataclasses import replace

import pytest

from ipymlops.errors import PlatformProblem
from ipymlops.job import new_job_id
from ipymlops.platforms.sagemaker.image_checks import image_check
from ipymlops.platforms.sagemaker.planning import planned, preflight
from ipymlops.spec import JobSpec

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@pytest.fixture
def check(aws):
    return lambda image: image_check(aws, JobSpec("train.py", image=image))


@pytest.fixture
def index(api):
    """An image's address whose manifest names one for each of these processors."""

    def put(*processors, media=INDEXES[0]):
        listed = [{"digest": "sha256:" + "0" * 64, "platform": {"architecture": one}} for one in processors]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": listed})
        api.client("ecr").put_image(
            repositoryName="python", imageManifest=manifest, imageManifestMediaType=media, imageTag="many"
        )
        return api.uri("python:many")

    return put


def test_an_image_that_is_there_is_told_with_its_type(check, api):
    found = check(api.image)
    assert (found.status, found.fix) == ("ok", "")
    assert found.what.endswith("is there; application/vnd.docker.distribution.manifest.v2+json")


def test_a_missing_tag_is_told_with_the_nearest_and_what_there_is(check, api):
    found = check(api.uri("python:ociX"))
    assert (found.status, found.fix) == ("fail", f"--image {api.oci_image}")
    assert found.why.startswith("did you mean oci?; there are ")
    far = check(api.uri("python:something-else"))
    assert (far.status, "there are " in far.why) == ("fail", True)
    assert far.fix.startswith("aws ecr describe-images --registry-id 123456789012 --repository-name python")


def test_a_missing_repository_has_no_tags_to_name(check, api):
    found = check(api.uri("never:1"))
    assert found.status == "fail"
    assert "there are" not in found.why


def test_an_image_of_no_registry_is_refused_with_the_line_that_copies_it(check):
    found = check("ghcr.io/lab/net:2@sha256:" + "a" * 64)
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert found.status == "fail"
    assert "aws ecr create-repository --region us-east-1 --repository-name net;" in found.fix
    assert f"docker push {host}/net:2" in found.fix
    assert "docker pull --platform linux/amd64 ghcr.io/lab/net:2@sha256:a" in found.fix


def test_a_word_that_is_no_image_cannot_break_out_of_the_line(check):
    assert "'x; rm -rf ~'" in check("x; rm -rf ~").fix


def test_an_image_of_another_region_is_refused(check, api):
    found = check(api.uri("python:1", "eu-central-1"))
    assert (found.status, found.why) == ("fail", "it is in eu-central-1, and jobs run in us-east-1")


def test_an_image_of_the_public_gallery_is_let_through_with_a_warning(check):
    found = check("public.ecr.aws/docker/library/python:3.12")
    assert found.status == "warn"
    assert "not proven" in found.why


def test_an_index_is_looked_into_for_the_processor(check, index):
    assert check(index("amd64", "arm64")).status == "warn"
    assert check(index("amd64", "unknown", media=INDEXES[1])).status == "ok"
    found = check(index("arm64", "unknown"))
    assert (found.status, found.why) == ("fail", "it is for arm64, and the machines for training have amd64")


def test_a_single_image_is_looked_into_for_the_processor(check, api):
    assert check(api.put_image("python:amd", "amd64")).status == "ok"
    found = check(api.put_image("python:arm", "arm64"))
    assert (found.status, found.why) == ("fail", "it is for arm64, and the machines for training have amd64")
    assert "docker buildx build --platform linux/amd64" in found.fix


@pytest.mark.parametrize("right", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"])
def test_a_processor_that_may_not_be_looked_at_is_let_through_and_told(check, api, right):
    image = api.put_image("python:arm", "arm64")
    api.faults.denied = {right}
    found = check(image)
    assert (found.status, found.why.startswith("its processor was not checked: ")) == ("unknown", True)
    assert right in found.why


def test_an_index_that_may_not_be_read_is_let_through_and_told(check, index, api):
    image = index("arm64")
    api.faults.denied = {"ecr:BatchGetImage"}
    found = check(image)
    assert (found.status, "its processor was not checked: " in found.why) == ("warn", True)


def test_a_layer_that_cannot_be_fetched_is_let_through_and_told(check, api):
    image = api.put_image("python:arm", "arm64")
    api.faults.no_layers = True
    assert "answers 403" in check(image).why


@pytest.mark.parametrize("manifest", ["{}", '{"manifests": 1}', '{"config": {}}', '{"manifests": []}'])
def test_a_manifest_of_another_form_is_let_through_and_told(check, api, manifest):
    api.client("ecr").put_image(
        repositoryName="python", imageManifest=manifest, imageManifestMediaType="application/x", imageTag="odd"
    )
    assert (check(api.uri("python:odd")).status, "its manifest" in check(api.uri("python:odd")).why) == (
        "unknown",
        True,
    )


def test_only_what_cannot_work_stops_a_job(aws, api, index):
    def looked_at(image):
        spec = JobSpec("train.py", image=image)
        preflight(aws, spec, planned(aws, spec))

    looked_at(api.image)
    looked_at(api.oci_image)
    with pytest.raises(PlatformProblem, match="cannot run; nothing was sent"):
        looked_at(index("arm64"))
    with pytest.raises(PlatformProblem, match="cannot run; nothing was sent"):
        looked_at(api.put_image("python:arm", "arm64"))


@pytest.fixture
def pin(sender):
    """The plan of a job with such an image, before and after its tag is looked at."""

    def look(image, env=None):
        platform, spec = sender.platform(**(env or {})), JobSpec("train.py", image=image)
        plan = platform.plan(spec)
        return plan, platform.pinned(spec, plan)

    return look


def test_a_tag_is_sent_as_the_digest_that_it_means(pin, sender, api):
    image = api.put_image("python:mine", "amd64")
    digest = api.layers.digest_of(image)
    plan, pinned = pin(image)
    assert pinned.image == f"{image.removesuffix(':mine')}@{digest}"
    algorithm = pinned.request["CreateTrainingJob"]["AlgorithmSpecification"]
    assert algorithm["TrainingImage"] == pinned.image
    algorithm["TrainingImage"] = image
    assert pinned.request == plan.request
    assert pinned.notes == (*plan.notes, f"the tag mine means {digest} now, and the job runs that")
    assert sender.request(sender.submit(image=image))["AlgorithmSpecification"]["TrainingImage"] == pinned.image


def test_a_tag_that_moves_after_the_plan_does_not_move_the_job(sender, api):
    image = api.put_image("python:mine", "amd64")
    platform, spec, job_id = sender.platform(), JobSpec("train.py", image=image), new_job_id()
    pinned = platform.pinned(spec, platform.plan(spec))
    api.client("ecr").batch_delete_image(repositoryName="python", imageIds=[{"imageTag": "mine"}])
    api.client("ecr").put_image(
        repositoryName="python",
        imageManifest=api.layers.manifest("another", "amd64", INDEXES[0]),
        imageManifestMediaType=INDEXES[0],
        imageTag="mine",
    )
    with pytest.raises(PlatformProblem, match="Cannot find Requested image"):  # and not the other one in silence
        sender.send(platform, job_id, "train-1", spec, pinned)


@pytest.mark.parametrize("denied", ["ecr:DescribeImages", "ecr:*"])
def test_a_tag_that_may_not_be_looked_at_goes_as_it_is_and_is_told(pin, api, denied):
    api.faults.denied = {denied}
    plan, pinned = pin(api.image)
    assert (pinned.image, pinned.request) == (plan.image, plan.request)
    assert pinned.notes[-1].startswith("the image goes by its tag: what it means now is not known; ")
    assert "ecr:DescribeImages" in pinned.notes[-1]


def test_a_plan_without_a_login_says_that_the_tag_is_not_looked_at(pin, api):
    signed_out = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "")
    plan, pinned = pin(api.image, {**signed_out, "AWS_EC2_METADATA_DISABLED": "true"})
    assert pinned.image == plan.image
    assert pinned.notes[-1].endswith("not known; no credentials were found")


def test_a_processor_that_was_not_checked_is_told_on_the_card(pin, api):
    api.faults.denied = {"ecr:BatchGetImage"}
    _, pinned = pin(api.image)
    (told,) = [note for note in pinned.notes if "processor was not checked" in note]
    assert "ecr:BatchGetImage" in told


@pytest.mark.parametrize("image", ["public.ecr.aws/docker/library/python:3.12", "python:3.12", "python@sha256:1"])
def test_what_has_no_such_tag_stays_as_it_is(pin, image):
    plan, pinned = pin(image)
    assert pinned == plan


def test_an_image_by_its_digest_stays_as_it_is(pin, api):
    plan, pinned = pin(f"{api.uri('python')}@{api.layers.digest_of(api.image)}")
    assert pinned == plan


def test_a_tag_is_pinned_where_the_cap_follows_from_the_price(sender, api):
    """A plan is made twice then, and its request has the cap all the same."""
    platform, spec = sender.platform(), JobSpec("train.py", image=api.image, max_cost_usd=1.0)
    plan = replace(platform.plan(replace(spec, max_runtime_s=1234)), max_cost_usd=1.0)
    pinned = platform.pinned(spec, plan).request["CreateTrainingJob"]
    assert pinned["StoppingCondition"] == {"MaxRuntimeInSeconds": 1234}

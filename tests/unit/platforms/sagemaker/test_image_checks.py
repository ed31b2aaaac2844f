"""Whether an image can be pulled: looked at before anything is sent."""

import json

import pytest

from ipymlops.errors import PlatformProblem
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

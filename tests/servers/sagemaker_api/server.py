"""The server that stands for AWS in tests."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from werkzeug.serving import make_server

from tests.servers.engine import BASE, Engine
from tests.servers.sagemaker_api import rights, seeding
from tests.servers.sagemaker_api.asked import Call
from tests.servers.sagemaker_api.faults import Faults
from tests.servers.sagemaker_api.front import Front, Handler
from tests.servers.sagemaker_api.layers import DOCKER_V2, Layers
from tests.servers.sagemaker_api.listing import Pages, Rate
from tests.servers.sagemaker_api.quotas import Quotas
from tests.servers.sagemaker_api.record import RunsJobs, TrainingJobRecord
from tests.servers.sagemaker_api.scripted import Scripted, ScriptedRunner

ACCOUNT = "123456789012"
REGION = "us-east-1"
STOP_GRACE_S = 120.0


class SageMakerApi:
    """AWS on loopback: one account, any region, real HTTP.

    Attributes:
        url: Where it answers, for every service.
        role, developer: ARNs of the execution role, and of the role that the caller has assumed.
        bucket, other_bucket, foreign_bucket: In us-east-1; in eu-central-1; of another account.
        image, oci_image: ECR URIs in us-east-1, of a Docker and of an OCI manifest.
        local_images: ECR URI to the name in the engine, for whoever runs jobs; tests may add to it.
        engine: Where containers run; None: jobs are `script`ed.
        jobs: By region and name; those that were deleted are in `deleted`, with the time.
        layers: What the images of its registries are made of.
        calls: Everything that was asked with the caller's or the execution role's key, in order.
        stop_grace_s: Between SIGTERM and SIGKILL.
        guard: Held by whatever changes more than one job.
    """

    def __init__(self, engine: Engine | None) -> None:
        self.engine, self.url = engine, ""
        self.account = ACCOUNT
        self.role = f"arn:aws:iam::{ACCOUNT}:role/service-role/AmazonSageMaker-ExecutionRole"
        self.developer = f"arn:aws:iam::{ACCOUNT}:role/Developer"
        self.guard = threading.RLock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._forget()
        self.front = Front(self)
        self.runner: RunsJobs = self._new_runner()

    def _forget(self) -> None:
        suffix = uuid.uuid4().hex[:8]
        self.bucket = f"ipymlops-test-{suffix}"
        self.other_bucket, self.foreign_bucket = f"ipymlops-test-eu-{suffix}", f"somebody-else-{suffix}"
        self.image, self.oci_image = self.uri("python:1"), self.uri("python:oci")
        self.local_images = dict.fromkeys((self.image, self.oci_image), BASE)
        self.faults, self.script, self.quotas = Faults(), Scripted(), Quotas()
        self.rate, self.pages, self.layers = Rate(), Pages(), Layers(self)
        self.stop_grace_s = STOP_GRACE_S
        self.jobs: dict[tuple[str, str], TrainingJobRecord] = {}
        self.deleted: list[tuple[TrainingJobRecord, float]] = []
        self.quota_holders: list[TrainingJobRecord] = []
        self.empty_pages: dict[tuple[Any, ...], int] = {}
        self.calls: list[Call] = []

    def reset(self) -> None:
        """End all jobs, forget everything, and make the account anew, with a new bucket."""
        self.runner.reset()
        with self.guard:
            self._forget()
            seeding.seed(self)

    @property
    def env(self) -> dict[str, str]:
        """A caller who is signed in."""
        return self._env(rights.CALLER_KEY)

    @property
    def fresh_env(self) -> dict[str, str]:
        """The same caller after a new login: `faults.expire_token` does not meet him."""
        return self._env(rights.FRESH_KEY)

    @property
    def wrong_env(self) -> dict[str, str]:
        """A key that AWS does not know."""
        return self._env(rights.WRONG_KEY)

    @property
    def execution_env(self) -> dict[str, str]:
        """The execution role, as a container has it."""
        return self._env(rights.ROLE_KEY)

    @property
    def settings(self) -> dict[str, str]:
        return {"region": REGION, "role": self.role, "bucket": self.bucket, "image": self.image}

    def client(self, service: str, region: str = REGION) -> Any:
        """A plain boto3 client of a witness: faults do not meet it, and its calls are not in `calls`."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self.client_as(self._env(rights.WITNESS_KEY), service, region)
        return self._clients[service, region]

    def client_as(self, env: dict[str, str], service: str, region: str = REGION, **config: Any) -> Any:
        """A plain boto3 client with such an environment's credentials; `config` is botocore's."""
        session = boto3.Session(
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"], region
        )
        return session.client(service, endpoint_url=self.url, config=Config(**config))

    def now(self) -> float:
        return time.time() + self.faults.clock_skew_s

    def uri(self, image: str, region: str = REGION) -> str:
        """An image of this account's registry: `uri("python:1")`."""
        return f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{image}"

    def local_image(self, image: str) -> str:
        """Its name in the engine, also where it is asked for by the digest of its tag."""
        name, _, digest = image.partition("@")
        tagged = (uri for uri in self.local_images if digest and uri.partition(":")[0] == name)
        image = next((uri for uri in tagged if self.layers.digest_of(uri) == digest), image)
        return self.local_images.get(image, image)

    def put_image(self, image: str, architecture: str, media_type: str = DOCKER_V2) -> str:
        """Push `python:arm` to this account's registry, an image for one processor; returns its URI."""
        repository, _, tag = image.partition(":")
        manifest = self.layers.manifest(image, architecture, media_type)
        self.client("ecr").put_image(
            repositoryName=repository, imageManifest=manifest, imageManifestMediaType=media_type, imageTag=tag
        )
        return self.uri(image)

    def job(self, name: str, region: str = REGION) -> TrainingJobRecord:
        return self.jobs[region, name]

    def all_jobs(self, region: str = REGION) -> list[TrainingJobRecord]:
        with self.guard:
            return [job for (place, _), job in self.jobs.items() if place == region]

    def rights_used(self, by: str = "caller") -> set[tuple[str, str]]:
        """(right, ARN) of all calls so far, with those that a call needs beside its own."""
        mine = [call for call in self.calls if call.by == by]
        return {(call.right, call.resource) for call in mine} | {pair for call in mine for pair in call.also}

    def seed_jobs(self, count: int, region: str = REGION) -> list[TrainingJobRecord]:
        """Put so many finished jobs of other tools."""
        jobs = seeding.old_jobs(count, region, self.account, self.now)
        with self.guard:
            self.jobs |= {(region, job.name): job for job in jobs}
        return jobs

    def write_log(self, region: str, stream: str, events: list[tuple[float, str]]) -> None:
        """Add events, (epoch seconds, text), to a stream of the training jobs' group."""
        self.front.logs.write(region, stream, events)

    def forget_log(self, region: str, stream: str, count: int) -> None:
        """Remove the oldest events of a stream, as the group's retention does."""
        self.front.logs.forget(region, stream, count)

    def _env(self, key: str) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_DEFAULT_REGION": REGION,
        }

    def _new_runner(self) -> RunsJobs:
        if self.engine is None:
            return ScriptedRunner(self)
        from tests.servers.sagemaker_api.runner import Runner  # it needs an engine

        return Runner(self)


def signed_in(api: SageMakerApi) -> dict[str, str]:
    """The variables of a user who is signed in and has every setting."""
    return {**api.env, **{f"IPYMLOPS_SAGEMAKER_{name.upper()}": value for name, value in api.settings.items()}}


@contextmanager
def sagemaker_api(engine: Engine | None = None) -> Iterator[SageMakerApi]:
    """A server that runs until the block ends; moto's state is the process's, so use one at a time."""
    api = SageMakerApi(engine)
    server = make_server("127.0.0.1", 0, api.front, threaded=True, request_handler=Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        api.reset()
        yield api
    finally:
        api.runner.reset()
        server.shutdown()
        server.server_close()
        thread.join()

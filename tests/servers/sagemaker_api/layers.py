"""What moto's registry lacks: the images' configurations, kept as layers are, and fetched from an address that is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from moto.ecr.models import ecr_backends
from werkzeug.wrappers import Response

from tests.servers.sagemaker_api.answers import ServiceError
from tests.servers.sagemaker_api.asked import Asked

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

PATH = "/layers/"
DOCKER_V2 = "application/vnd.docker.distribution.manifest.v2+json"


class Layers:
    """By digest; one store for all repositories, but each tells only of what its own manifests name."""

    def __init__(self, api: SageMakerApi) -> None:
        self._api = api
        self.contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        return digest

    def manifest(self, name: str, architecture: str, media_type: str) -> str:
        """The manifest of an image for one processor; equal names have equal ones."""
        config = self.put(json.dumps({"architecture": architecture, "os": "linux", "config": {"Env": [name]}}).encode())
        layer = {"mediaType": f"{media_type}.layer", "size": 1, "digest": self.put(name.encode())}
        described = {"mediaType": f"{media_type}.config", "size": len(self.contents[config]), "digest": config}
        return json.dumps({"schemaVersion": 2, "mediaType": media_type, "layers": [layer], "config": described})

    def digest_of(self, uri: str) -> str | None:
        """What the tag of an image of our own registry means; None where there is no such image."""
        place, _, tag = uri.partition(":")
        host, _, name = place.partition("/")
        repository = ecr_backends[self._api.account][host.split(".")[3]].repositories.get(name)
        images = repository.images if repository else ()
        return next((one.get_image_digest() for one in images if tag in one.image_tags), None)

    def told(self, asked: Asked) -> dict[str, str]:
        """GetDownloadUrlForLayer."""
        account, name = asked.input.get("registryId", self._api.account), asked.input["repositoryName"]
        repository = ecr_backends[account][asked.region].repositories.get(name)
        if repository is None:
            text = f"The repository with name '{name}' does not exist in the registry with id '{account}'"
            raise ServiceError("RepositoryNotFoundException", text)
        digest = asked.input["layerDigest"]
        if not any(digest in one.image_manifest for one in repository.images):
            text = f"The layer with digest '{digest}' does not exist in the repository with name '{name}'"
            raise ServiceError("LayersNotFoundException", text)
        return {"downloadUrl": f"{self._api.url}{PATH}{digest}?X-Amz-Signature=0", "layerDigest": digest}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What lies at such an address; whoever has it needs no key."""
        content = self.contents.get(environ["PATH_INFO"].removeprefix(PATH))
        is_there = content is not None and not self._api.faults.no_layers
        return Response(content if is_there else b"Forbidden", 200 if is_there else 403)(environ, start_response)

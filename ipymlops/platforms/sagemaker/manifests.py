"""What a registry keeps of an image: its digest, the type of its manifest, the processors that it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import code_of, text_of

TYPES = (
    *("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json"),
    *("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"),
)
TIMEOUT_S = 10


@dataclass(frozen=True)
class Stored:
    """An image of a registry.

    Attributes: `processors` that it is for; none where that could not be read, and `unread` is why.
    """

    digest: str
    media_type: str
    processors: tuple[str, ...] = ()
    unread: str = ""


def stored(aws: Aws, names: Mapping[str, str], by: Mapping[str, str]) -> Stored:
    """The image; raises what the client raises where it is not there or may not be looked at.

    Args:
        names: The registry and the repository; `by` the tag or the digest, all as ECR wants them.
    """
    found = aws.client("ecr").describe_images(**names, imageIds=[by])["imageDetails"][0]
    digest, media_type = found["imageDigest"], found.get("imageManifestMediaType", "")
    known = aws.remembered.get("processors", digest)  # of a digest it never changes
    if known is not None:
        return Stored(digest, media_type, known)
    seen = _read(aws, names, digest, media_type)
    if seen.processors:
        aws.remembered.put("processors", digest, answer=seen.processors)
    return seen


def _read(aws: Aws, names: Mapping[str, str], digest: str, media_type: str) -> Stored:
    try:
        found = _processors(aws, names, digest, media_type)
    except ClientError as error:
        return Stored(digest, media_type, unread=f"{code_of(error)}: {text_of(error)}")
    except (BotoCoreError, OSError) as error:
        return Stored(digest, media_type, unread=str(error) or repr(error))
    except (ValueError, LookupError, AttributeError, TypeError):
        return Stored(digest, media_type, unread="its manifest is of a form that is not known here")
    known = tuple(name for name in dict.fromkeys(found) if name not in {"", "unknown"})  # unknown: how it was built
    return Stored(digest, media_type, known, "" if known else "its manifest names none")


def _processors(aws: Aws, names: Mapping[str, str], digest: str, media_type: str) -> list[str]:
    """An index names them; of a single image its configuration does."""
    found = aws.client("ecr").batch_get_image(
        **names, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=[media_type] if media_type else list(TYPES)
    )
    manifest = json.loads(found["images"][0]["imageManifest"])
    if "manifests" in manifest:
        return [str(one.get("platform", {}).get("architecture", "")) for one in manifest["manifests"]]
    return [str(_layer(aws, names, manifest["config"]["digest"])["architecture"])]


def _layer(aws: Aws, names: Mapping[str, str], digest: str) -> Any:
    """A small layer, of JSON: it lies where the registry says, which is told to whoever may read it."""
    url = aws.client("ecr").get_download_url_for_layer(**names, layerDigest=digest)["downloadUrl"]
    verify = aws.session().get_config_variable("ca_bundle") or True
    http = URLLib3Session(verify=verify, proxies=get_environ_proxies(url), timeout=TIMEOUT_S)
    try:
        answer = http.send(AWSRequest("GET", url).prepare())
    finally:
        http.close()
    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's word for yes
        raise OSError(f"{url.partition('?')[0]} answers {answer.status_code}")
    return json.loads(answer.content)

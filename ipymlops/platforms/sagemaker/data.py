"""What `--data NAME=URI` becomes: a channel of the training job. `s3://B/FOLDER/`, `s3://B/OBJECT`, `efs://`, `fsx://`.

`?mode=fastfile` at the end streams an S3 folder instead of fetching it first; `?mode=rw` makes a file system writable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ipymlops.errors import UsageProblem
from ipymlops.platforms.data_paths import refuse_bad_names
from ipymlops.platforms.sagemaker.forms import listed
from ipymlops.platforms.sagemaker.layout import INPUT_DIR, bucket_and_key
from ipymlops.platforms.sagemaker.names import channel_names
from ipymlops.runtime.places.sagemaker_layout import OUR_CHANNELS
from ipymlops.spec import Pairs

CHANNELS_MOST = 20
URI_MOST = 1024
_FILE_SYSTEM = re.compile(r"(efs|fsx)://(fs-[0-9a-f]{8,40})(/.*)?")
_MODES = {"s3": ("file", "fastfile"), "efs": ("ro", "rw"), "fsx": ("ro", "rw")}
_TYPES = {"efs": "EFS", "fsx": "FSxLustre"}


@dataclass(frozen=True)
class Data:
    """One `--data`.

    Attributes: `uri` without its mode; `scheme` s3, efs or fsx; `channel` its name for SageMaker.
    """

    name: str
    uri: str
    scheme: str
    mode: str
    channel: str

    @property
    def path(self) -> str:
        """Where the container has it; one object of S3 is a file in its channel's folder."""
        folder = f"{INPUT_DIR}/{self.channel}"
        is_object = self.scheme == "s3" and not self.uri.endswith("/")
        return f"{folder}/{self.uri.rpartition('/')[2]}" if is_object else folder


def data_of(pairs: Pairs, settings: Mapping[str, str]) -> tuple[Data, ...]:
    """Raises `UsageProblem` for what SageMaker cannot bring into a job."""
    names = [name for name, _ in pairs]
    refuse_bad_names(names)
    most = CHANNELS_MOST - len(OUR_CHANNELS)
    if len(names) > most:
        raise UsageProblem(
            f"--data is given {len(names)} times; nothing was sent",
            why=f"a training job has at most {CHANNELS_MOST} channels, and {len(OUR_CHANNELS)} bring the code",
            fix="put several under one prefix of S3 and name that",
        )
    channels = channel_names(names)
    return tuple(_read(name, uri, channels[name], settings) for name, uri in pairs)


def channels_of(data: Iterable[Data]) -> list[dict[str, Any]]:
    """The entries of `InputDataConfig`."""
    return [s3_channel(one.channel, one.uri, one.mode) if one.scheme == "s3" else _mounted(one) for one in data]


def s3_channel(name: str, uri: str, mode: str = "file") -> dict[str, Any]:
    channel: dict[str, Any] = {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        },
    }
    return channel | ({"InputMode": "FastFile"} if mode == "fastfile" else {})


def _mounted(data: Data) -> dict[str, Any]:
    found = _FILE_SYSTEM.fullmatch(data.uri)
    assert found is not None, data.uri  # noqa: S101 - `_read` has seen to it
    source = {
        "FileSystemId": found[2],
        "FileSystemType": _TYPES[found[1]],
        "FileSystemAccessMode": data.mode,
        "DirectoryPath": found[3] or "/",
    }
    return {"ChannelName": data.channel, "DataSource": {"FileSystemDataSource": source}}


def _read(name: str, text: str, channel: str, settings: Mapping[str, str]) -> Data:
    uri, mark, mode = text.partition("?mode=")
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if scheme not in _MODES:
        raise UsageProblem(
            f"SageMaker cannot read --data {name}={uri}; nothing was sent",
            why="its jobs run on AWS's machines: they read s3://, and efs:// and fsx:// in your own network",
            fix=f"aws s3 cp --recursive {uri or '.'} s3://BUCKET/{channel}/ && echo --data {name}=s3://BUCKET/{channel}/",
        )
    if mark and mode not in _MODES[scheme]:
        why = f"{scheme}:// has {' and '.join(_MODES[scheme])}"
        raise UsageProblem(f"--data {name}: there is no mode {mode!r}; nothing was sent", why=why)
    data = Data(name, uri, scheme, mode or _MODES[scheme][0], channel)
    _refuse(data, settings)
    return data


def _refuse(data: Data, settings: Mapping[str, str]) -> None:
    what = f"--data {data.name}={data.uri} is no address that SageMaker takes; nothing was sent"
    if data.scheme == "s3":
        bucket, key = bucket_and_key(data.uri)
        if not bucket or not (key or data.uri.endswith("/")) or len(data.uri) > URI_MOST:
            raise UsageProblem(what, why=f"it reads s3://BUCKET/FOLDER/ or s3://BUCKET/OBJECT, at most {URI_MOST} long")
        if data.mode == "fastfile" and not data.uri.endswith("/"):
            raise UsageProblem(
                what, why="a folder that is streamed ends with a slash", fix=f"--data {data.name}={data.uri}/"
            )
    elif not _FILE_SYSTEM.fullmatch(data.uri):
        raise UsageProblem(what, why=f"it reads {data.scheme}://fs-0123456789abcdef/FOLDER")
    elif not (listed(settings, "subnets") and listed(settings, "security_groups")):
        raise UsageProblem(
            f"--data {data.name} is a file system of your network; nothing was sent",
            why="the job must run in that network: sagemaker.subnets and sagemaker.security_groups are not both set",
            fix="--set subnets=subnet-… --set security_groups=sg-…",
        )

"""Where everything of a job lies: in S3, below one prefix of ours, and in the container.

ipymlops/code/SHA256/code.tar                    equal code is one object (SHA256-KEY/ with a key)
ipymlops/launcher/SHA256/{launcher.pyz,run.sh}   likewise
ipymlops/jobs/JOB_ID/input/config.json           what this job's launcher is told
ipymlops/jobs/JOB_ID/mirror/                     what SageMaker mirrors while the job runs, path by path:
    output/ tensorboard/ checkpoints/            the script's own
    ipymlops/node-RANK/                          the launcher's: attempt.json result.json metrics.jsonl manifest.json
ipymlops/jobs/JOB_ID/NAME/output/                SageMaker's own archives, model.tar.gz and output.tar.gz
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ipymlops.runtime.places.sagemaker_layout import ML, node_folder
from ipymlops.spec import JobId

PREFIX = "ipymlops"

MIRROR_DIR = f"{ML}/checkpoints"
"""SageMaker mirrors this folder path by path, deletions included, and brings it back before a restart."""
INPUT_DIR = f"{ML}/input/data"


def code_prefix(sha256: str, kms_key: str | None = None) -> str:
    return f"{PREFIX}/code/{sha256}{_of_key(kms_key)}/"


def launcher_prefix(sha256: str, kms_key: str | None = None) -> str:
    return f"{PREFIX}/launcher/{sha256}{_of_key(kms_key)}/"


def _of_key(kms_key: str | None) -> str:
    """What is encrypted with another key is another object: whoever reads the one may not read the other."""
    return f"-{hashlib.sha256(kms_key.encode()).hexdigest()[:8]}" if kms_key else ""


@dataclass(frozen=True)
class JobKeys:
    """The keys of one job in its bucket; those of folders end with a slash."""

    job_id: JobId

    @property
    def root(self) -> str:
        return f"{PREFIX}/jobs/{self.job_id}/"

    @property
    def claim(self) -> str:
        """Written once, by the first try to start the job."""
        return f"{self.root}claim"

    @property
    def input(self) -> str:
        return f"{self.root}input/"

    @property
    def config(self) -> str:
        return f"{self.input}config.json"

    @property
    def mirror(self) -> str:
        return f"{self.root}mirror/"

    def node(self, rank: int) -> str:
        """The launcher's own folder of one node, in the mirror."""
        return f"{self.mirror}{node_folder(rank)}/"


def s3_uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of `s3://BUCKET/KEY`; the key is "" for a whole bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key

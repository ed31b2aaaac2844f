"""The AWS clients of one platform object: made when first needed, from the caller's environment and the settings."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ipymlops.errors import NotSignedIn, UsageProblem
from ipymlops.platforms.sagemaker.budget import Budget
from ipymlops.platforms.sagemaker.problems import answers
from ipymlops.platforms.sagemaker.remembered import Remembered

_VARIABLES = {
    "profile": "AWS_PROFILE",
    "config_file": "AWS_CONFIG_FILE",
    "credentials_file": "AWS_SHARED_CREDENTIALS_FILE",
    "ca_bundle": "AWS_CA_BUNDLE",
}
READ_ATTEMPTS = 8
"""Of a call that may be repeated; a create is sent once, and what became of it is asked."""
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60
HURRIED = {"pricing"}
"""What a plan does not wait for: where it does not answer, the price is unknown."""
HURRIED_TIMEOUT_S = 3


class Aws:
    """Clients by service and region.

    Attributes: `home`, for the budgets of calls that all kernels share; `remembered`, what was read lately.
    """

    def __init__(self, home: Path, settings: Mapping[str, str], env: Mapping[str, str]) -> None:
        self.home, self.settings, self.env, self.remembered = home, settings, env, Remembered()
        self._guard = threading.RLock()
        self._session: Any = None
        self._clients: dict[tuple[str, str, int], Any] = {}
        self._account = ""

    def having(self, pairs: Iterable[tuple[str, str]]) -> Aws:
        """The same with the settings of one line over them."""
        return self.set_to({**self.settings, **{key: value.strip() for key, value in pairs}})

    def set_to(self, settings: Mapping[str, str]) -> Aws:
        """The same with these settings and no others; the region may be one that the AWS configuration has."""
        is_same = settings in (self.settings, {**self.settings, "region": self.region_or_none})
        return self if is_same else Aws(self.home, settings, self.env)

    @property
    def region(self) -> str:
        """The setting, else what the AWS configuration says. Raises `UsageProblem` if neither names one."""
        region = self.region_or_none
        if region is None:
            raise UsageProblem(
                "no AWS region is set; nothing was sent",
                why="neither the setting sagemaker.region nor the AWS configuration names one",
                fix="ipymlops setup sagemaker",
            )
        return region

    @property
    def region_or_none(self) -> str | None:
        region = self.settings.get("region") or self.env.get("AWS_REGION") or self.env.get("AWS_DEFAULT_REGION")
        return region or self.session().get_config_variable("region")

    def session(self) -> Any:
        """Botocore's session with the caller's environment; it reads files and asks for credentials when used."""
        with self._guard:
            if self._session is None:
                with answers("the AWS configuration cannot be used"):
                    self._session = self._new_session()
            return self._session

    def client(self, service: str, region: str | None = None, *, attempts: int = READ_ATTEMPTS) -> Any:
        """A client, thread-safe; `region` None is the platform's own."""
        key = (service, region or self.region, attempts)
        with self._guard:
            if key not in self._clients:
                with answers("AWS cannot be asked"):
                    self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def account(self) -> str:
        """The account of these credentials; asked once."""
        with self._guard:
            if not self._account:
                with answers("AWS does not say whose these credentials are"):
                    self._account = str(self.client("sts").get_caller_identity()["Account"])
            return self._account

    def forget(self) -> None:
        """Make everything anew at the next call: the credentials were refused, and there may be others by then."""
        with self._guard:
            self._session, self._clients, self._account = None, {}, ""

    @contextmanager
    def signed_in(self) -> Iterator[None]:
        """Around questions: where the credentials are refused, the next one is asked with new ones."""
        try:
            yield
        except NotSignedIn:
            self.forget()
            raise

    def need_credentials(self) -> None:
        """Raise `NotSignedIn` where there are none; asks nobody where they are in files or variables."""
        with answers("the AWS credentials cannot be read"):
            found = self.session().get_credentials()
        if found is None:
            raise NotSignedIn(
                "not signed in to AWS", why="no credentials were found", fix="aws sso login   (or: aws configure)"
            )

    def _new_session(self) -> Any:
        from botocore.session import Session

        session = Session()
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        for name, variable in _VARIABLES.items():
            if self.env.get(variable):
                session.set_config_variable(name, self.env[variable])
        key, secret = self.env.get("AWS_ACCESS_KEY_ID"), self.env.get("AWS_SECRET_ACCESS_KEY")
        if key and secret:
            session.set_credentials(key, secret, self.env.get("AWS_SESSION_TOKEN"))
        session.get_scoped_config()  # a profile that there is not is told here, and not by whatever comes first
        return session

    def _new_client(self, service: str, region: str, attempts: int) -> Any:
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=HURRIED_TIMEOUT_S if service in HURRIED else CONNECT_TIMEOUT_S,
            read_timeout=HURRIED_TIMEOUT_S if service in HURRIED else READ_TIMEOUT_S,
            user_agent_extra="ipymlops",
        )
        client = self.session().create_client(
            service, region_name=region, endpoint_url=self._endpoint(service), config=config
        )
        if service == "sagemaker":
            Budget(self.home, region).watch(client)
        return client

    def _endpoint(self, service: str) -> str | None:
        """AWS's own variables for private endpoints; None leaves it to the AWS configuration."""
        name = service.upper().replace("-", "_")
        own = {"SECRETSMANAGER": "SECRETS_MANAGER", "LOGS": "CLOUDWATCH_LOGS", "SERVICE_QUOTAS": "SERVICE_QUOTAS"}
        return self.env.get(f"AWS_ENDPOINT_URL_{own.get(name, name)}") or self.env.get("AWS_ENDPOINT_URL") or None


def _moment(value: Any) -> datetime:
    """A time of an answer. The library's own way asks for the local zone each time: half of what a list costs."""
    from botocore.utils import parse_timestamp

    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, timezone.utc)
    moment: datetime = parse_timestamp(value)
    return moment

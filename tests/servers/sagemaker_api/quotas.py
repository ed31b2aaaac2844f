"""Service Quotas: the account's own rows, and the defaults of all."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from tests.servers.sagemaker_api.answers import ServiceError
from tests.servers.sagemaker_api.listing import read_token, token
from tests.servers.sagemaker_api.model import service_model

PAGE = 100
USES = ("training job usage", "spot training job usage", "training warm pool usage")
_CODES = {"ml.p4d.24xlarge for training job usage": "L-09B4A649"}
_APPLIED = {
    "ml.m5.large for training job usage": 20.0,
    "ml.g4dn.xlarge for training job usage": 1.0,
    "ml.g5.xlarge for training job usage": 2.0,
    "ml.g6.xlarge for training job usage": 4.0,
    "ml.g5.xlarge for spot training job usage": 1.0,
    "Number of instances across training jobs": 20.0,
}
_SMALL = ("ml.m5.", "ml.c5.", "ml.t3.")


class Quotas:
    """Limits by name.

    Attributes:
        applied: Rows of ListServiceQuotas; what is missing there is only in the defaults.
        requests: What RequestServiceQuotaIncrease was asked for.
    """

    def __init__(self) -> None:
        self.applied = dict(_APPLIED)
        self.requests: list[dict[str, Any]] = []

    def limit(self, name: str) -> float:
        return self.applied.get(name, _defaults().get(name, 0.0))

    def answer(self, action: str, told: Mapping[str, Any], place: tuple[str, str]) -> dict[str, Any]:
        """`place` is (region, account)."""
        if told.get("ServiceCode") != "sagemaker":
            raise ServiceError("NoSuchResourceException", f"The service {told.get('ServiceCode')} is not known here.")
        if action == "ListServiceQuotas":
            return _page(self.applied.items(), told, place)
        if action == "ListAWSDefaultServiceQuotas":
            return _page(_defaults().items(), told, place)
        if action == "GetServiceQuota":
            return {"Quota": self._row(told, self.applied, place)}
        if action == "GetAWSDefaultServiceQuota":
            return {"Quota": self._row(told, _defaults(), place)}
        if action == "RequestServiceQuotaIncrease":
            return {"RequestedQuota": self._requested(told, place)}
        raise ServiceError("UnknownOperationException", f"{action} is not served here.")

    def _row(self, told: Mapping[str, Any], rows: Mapping[str, float], place: tuple[str, str]) -> dict[str, Any]:
        for name, value in rows.items():
            if code_of(name) == told["QuotaCode"]:
                return _row(name, value, place)
        raise ServiceError("NoSuchResourceException", "The request failed because the specified quota does not exist.")

    def _requested(self, told: Mapping[str, Any], place: tuple[str, str]) -> dict[str, Any]:
        row = self._row(told, _defaults() | self.applied, place)
        if told["DesiredValue"] <= self.limit(row["QuotaName"]):
            raise ServiceError("IllegalArgumentException", "The desired value must be greater than the current quota.")
        if any(one["QuotaCode"] == told["QuotaCode"] for one in self.requests):
            raise ServiceError("ResourceAlreadyExistsException", "Only one open service quota increase is allowed.")
        names = ("ServiceCode", "ServiceName", "QuotaCode", "QuotaName", "QuotaArn", "Unit")
        request = {name: row[name] for name in names}
        request |= {"Id": f"r{len(self.requests)}", "DesiredValue": told["DesiredValue"], "Status": "PENDING"}
        self.requests.append(request)
        return request


def code_of(name: str) -> str:
    return _CODES.get(name, f"L-{zlib.crc32(name.encode()):08X}")


def _defaults() -> dict[str, float]:
    types = service_model("sagemaker").shape_for("TrainingInstanceType").enum
    rows = {f"{one} for {use}": 4.0 * one.startswith(_SMALL) for one in types for use in USES[:2]}
    rows |= {f"{one} for {USES[2]}": 0.0 for one in types}
    return rows | {"Number of instances across training jobs": 4.0}


def _page(rows: Iterable[tuple[str, float]], told: Mapping[str, Any], place: tuple[str, str]) -> dict[str, Any]:
    found = sorted(rows)
    start = int(read_token(told["NextToken"])) if told.get("NextToken") else 0
    end = start + min(PAGE, told.get("MaxResults", PAGE))
    answer: dict[str, Any] = {"Quotas": [_row(name, value, place) for name, value in found[start:end]]}
    return answer | ({"NextToken": token(end)} if end < len(found) else {})


def _row(name: str, value: float, place: tuple[str, str]) -> dict[str, Any]:
    region, account = place
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:sagemaker/{code_of(name)}",
        "QuotaCode": code_of(name),
        "QuotaName": name,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }

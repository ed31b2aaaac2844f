"""The price list: GetProducts, whose rows are JSON texts; some cost nothing and are to be skipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.servers.sagemaker_api.answers import ServiceError
from tests.servers.sagemaker_api.listing import read_token, token

ENDPOINTS = ("us-east-1", "eu-central-1", "ap-south-1")
PAGE = 3
"""Fewer than may be asked for, as the service does with big rows."""
_CODES = {"us-east-1": "USE1", "us-west-2": "USW2", "eu-central-1": "EUC1"}
_KINDS = {"Training": "Train", "Hosting": "Host", "Notebook": "Notebk"}
USD_PER_HOUR = {
    "ml.m5.large": 0.115,
    "ml.g4dn.xlarge": 0.736,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.g5.12xlarge": 7.09,
    "ml.g6.xlarge": 1.127,
    "ml.g6.12xlarge": 5.752,
    "ml.g6e.xlarge": 2.61,
    "ml.p3.2xlarge": 3.825,
    "ml.p4d.24xlarge": 25.25,
    "ml.p5.48xlarge": 63.30,
}
"""Training in us-east-1; eu-central-1 costs a quarter more."""
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "TERM_MATCH": lambda mine, other: mine == other,
    "EQUALS": lambda mine, other: mine == other,
    "CONTAINS": lambda mine, other: other in mine,
    "ANY_OF": lambda mine, other: mine in other.split(","),
    "NONE_OF": lambda mine, other: mine not in other.split(","),
}


def products(told: Mapping[str, Any], region: str) -> dict[str, Any]:
    """One page of GetProducts."""
    if region not in ENDPOINTS:
        raise ServiceError("InvalidParameterException", f"There is no price list endpoint in {region}.")
    if told.get("ServiceCode") != "AmazonSageMaker":
        raise ServiceError("InvalidParameterException", f"Invalid service code {told.get('ServiceCode')}")
    filters = told.get("Filters", [])
    hits = [row for row in _rows() if all(_matches(row["product"]["attributes"], one) for one in filters)]
    start = int(read_token(told["NextToken"])) if told.get("NextToken") else 0
    end = start + min(PAGE, told.get("MaxResults", PAGE))
    answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(row) for row in hits[start:end]]}
    return answer | ({"NextToken": token(end)} if end < len(hits) else {})


def _matches(attributes: Mapping[str, str], one: Mapping[str, str]) -> bool:
    return one["Field"] in attributes and _MATCHES[one["Type"]](attributes[one["Field"]], one["Value"])


def _rows() -> Iterator[dict[str, Any]]:
    for region, factor in (("us-east-1", 1.0), ("eu-central-1", 1.25)):
        for machine, usd in USD_PER_HOUR.items():
            yield _row(region, machine, "Training", 0.0, "Free")
            yield _row(region, machine, "Hosting", usd * factor, "")
            yield _row(region, machine, "Notebook", usd * factor, "")
            yield _row(region, machine, "Training", usd * factor, "")
            yield _row(region, machine, "Training", 0.0, "Reserved")


def _row(region: str, machine: str, kind: str, usd: float, extra: str) -> dict[str, Any]:
    sku = f"{abs(hash((region, machine, kind, extra))):016X}"[:16]
    usage = f"{_CODES[region]}-{extra and extra + '-'}{_KINDS[kind]}:{machine}"
    attributes = {
        "servicecode": "AmazonSageMaker",
        "regionCode": region,
        "instanceName": machine,
        "instanceType": f"{machine}-{kind}",
        "platoinstancetype": kind,
        "usagetype": usage,
        "component": kind,
    }
    price = {
        "unit": "Hrs",
        "pricePerUnit": {"USD": f"{usd:.10f}"},
        "description": f"${usd} per hour for {usage}",
        "beginRange": "0",
        "endRange": "Inf",
    }
    offer = f"{sku}.JRTCKXETXF"
    dimensions = {f"{offer}.6YS6EN2CT7": price | {"rateCode": f"{offer}.6YS6EN2CT7"}}
    terms = {"OnDemand": {offer: {"priceDimensions": dimensions, "sku": sku, "termAttributes": {}}}}
    return {
        "product": {"productFamily": "ML Instance", "attributes": attributes, "sku": sku},
        "serviceCode": "AmazonSageMaker",
        "terms": terms,
        "version": "20261120000000",
        "publicationDate": "2026-11-20T00:00:00Z",
    }

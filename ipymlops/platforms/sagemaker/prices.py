"""What a machine costs an hour: AWS's price list, remembered for a week; else our table, where its region is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread, get_ident
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ipymlops.errors import IpymlopsError, NotSignedIn
from ipymlops.hardware.machines import Machine
from ipymlops.platforms.sagemaker.aws import Aws

GOOD_FOR = timedelta(days=7)
ASK_AGAIN = timedelta(hours=1)
"""After no answer, or one without a price."""
PATIENCE_S = 3.0
"""So long a plan waits for a price; one that comes later is there for the next plan."""
ASKED_IN = {"eu": "eu-central-1", "ap": "ap-south-1"}
"""The price list answers in three regions; the nearest by the first letters of the job's."""
ELSEWHERE = "us-east-1"
ONE_ATTEMPT = 1


@dataclass(frozen=True)
class _Row:
    """What the price list said: None for no price, or while it is being asked."""

    usd: float | None
    asked_at: datetime

    @property
    def age(self) -> timedelta:
        return datetime.now(timezone.utc) - self.asked_at


def known_prices(aws: Aws, machines: Iterable[Machine]) -> Iterator[Machine]:
    """The machines with the prices of this region, as far as they are remembered or stand in the table; asks nobody."""
    region = aws.region_or_none
    rows = _read(_path(aws.home, region)) if region else {}
    for machine in machines:
        yield _priced(machine, rows.get(machine.machine_type), region)


def known_price(aws: Aws, machine: Machine) -> Machine:
    return next(known_prices(aws, [machine]))


def price_of(aws: Aws, machine: Machine) -> tuple[Machine, str]:
    """The machine with its price, asked for where it can be, and a sentence where something should be said of it.

    A price list that does not answer never stands in the way of a plan.
    """
    region = aws.region_or_none
    if region is None:
        return machine, _without_region(machine)
    _refresh(aws, region, machine.machine_type)
    found = known_price(aws, machine)
    if found.usd_per_hour is not None:
        return found, ""  # the card says of an estimate that it is one
    if machine.usd_per_hour is None:
        return found, f"the price of {machine.machine_type} is not known"
    there = f"in {machine.region} it costs ${machine.usd_per_hour:.2f} an hour"
    return found, f"the price in {region} is not known ({there}); reading it needs the right pricing:GetProducts"


def _without_region(machine: Machine) -> str:
    if machine.usd_per_hour is None:
        return f"the price of {machine.machine_type} is not known"
    return f"the price is that of {machine.region}, as no region is set"


def _priced(machine: Machine, row: _Row | None, region: str | None) -> Machine:
    if row is not None and row.usd is not None and row.age < GOOD_FOR:
        base = machine.base_usd_per_hour if region == machine.region else None  # the plain machine's is not asked for
        as_of = row.asked_at.date().isoformat()
        return replace(
            machine, usd_per_hour=row.usd, as_of=as_of, region=region, is_estimate=False, base_usd_per_hour=base
        )
    if region in (None, machine.region):
        return machine
    return replace(machine, usd_per_hour=None, base_usd_per_hour=None, as_of=None, region=None, is_estimate=False)


def _refresh(aws: Aws, region: str, machine_type: str) -> None:
    """Ask the price list, unless that was done a short while ago."""
    row = _read(_path(aws.home, region)).get(machine_type)
    if row is not None and row.age < (ASK_AGAIN if row.usd is None else GOOD_FOR):
        return
    asking = Thread(target=_ask, args=(aws, region, machine_type), daemon=True)
    asking.start()
    asking.join(PATIENCE_S)


def _ask(aws: Aws, region: str, machine_type: str) -> None:
    path = _path(aws.home, region)
    try:
        aws.need_credentials()
        _remember(path, machine_type, None)  # who waits in vain waits once an hour
        _remember(path, machine_type, _listed(aws, region, machine_type))
    except NotSignedIn:
        return  # asked again at once after a login
    except (ClientError, BotoCoreError, IpymlopsError, OSError, KeyError, ValueError, TypeError, AttributeError):
        return  # nobody there, not allowed, or an answer of another form: the price is unknown


def _listed(aws: Aws, region: str, machine_type: str) -> float | None:
    """The dearest of what is listed, so that "at most" holds."""
    asked = {"regionCode": region, "instanceName": machine_type, "platoinstancetype": "Training"}
    client = aws.client("pricing", ASKED_IN.get(region[:2], ELSEWHERE), attempts=ONE_ATTEMPT)
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonSageMaker",
        Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in asked.items()],
    )
    prices = [usd for page in pages for text in page["PriceList"] for usd in _prices(json.loads(text))]
    return max(prices, default=None)


def _prices(product: Mapping[str, Any]) -> Iterator[float]:
    """The hourly prices on demand; rows at $0 are the free tier and what was reserved."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if usd > 0:
                yield usd


def _path(home: Path, region: str) -> Path:
    return home / "prices" / f"sagemaker-{region}.json"


def _read(path: Path) -> dict[str, _Row]:
    """What is remembered; a file that is no such file counts as none."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {name: _Row(row["usd"] and float(row["usd"]), _time(row["asked_at"])) for name, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _remember(path: Path, machine_type: str, usd: float | None) -> None:
    """Two who write at once lose one of two rows, which is asked for again."""
    path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    rows = _read(path) | {machine_type: _Row(usd, datetime.now(timezone.utc))}
    told = {
        name: {"usd": row.usd, "asked_at": row.asked_at.isoformat(timespec="seconds")} for name, row in rows.items()
    }
    unfinished = path.with_suffix(f".{os.getpid()}-{get_ident()}.part")
    unfinished.write_text(json.dumps(told), encoding="utf-8")
    unfinished.replace(path)

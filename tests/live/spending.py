"""What live tests may spend: every job is reckoned before it is sent, at its price for all of its time limit."""

from __future__ import annotations

from dataclasses import dataclass

from ipymlops.spec import JobSpec, Plan


class TooDear(Exception):
    """The next job could bring the sum above the cap: it was not sent."""


@dataclass
class Spending:
    """The sum so far, in US dollars, and the cap that it never passes."""

    cap_usd: float
    usd: float = 0.0

    def allow(self, plan: Plan, spec: JobSpec) -> None:
        """Add what the job can cost at most. Raises `TooDear` before the cap is passed, or where no price is known."""
        if plan.usd_per_hour is None:
            raise TooDear(f"the price of {plan.machine_type} is not known; nothing was sent")
        most = plan.usd_per_hour * plan.max_runtime_s / 3600
        if self.usd + most > self.cap_usd:
            what = f"{spec.script or spec.argv[:1]} may cost ${most:.2f}"
            raise TooDear(f"{what}; ${self.usd:.2f} of ${self.cap_usd:.2f} are used; nothing was sent")
        self.usd += most

"""What the service can be told to do badly; all off until a test turns one on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Faults:
    """Plain fields, changed while the server runs; `SageMakerApi.reset` makes a new one.

    Attributes:
        create_reply_lost: So many creates make their job, and the connection is cut without an answer.
        create_500_after: So many make their job and answer 500.
        create_500_before: So many make nothing and answer 500.
        throttle_next: Action to how many calls of it are answered ThrottlingException: {"Search": 3}.
        list_rate_per_s: Calls a second that List and Search of one region share; None: any number.
        resource_limit: So many creates are refused with ResourceLimitExceeded.
        resource_limit_after_own_first: So many creates make their job and lose the reply, and while one of those jobs
            lives every further create is refused: it holds the last of the quota.
        enforce_quotas: The limits that service-quotas tells are applied to creates.
        capacity_error: So many jobs fail after their creation: no machines.
        spot_interruptions: So many times a job with spot machines loses them.
        no_flush_at_end: What was written after the last mirroring stays behind.
        empty_log_pages: So many empty pages, with tokens, come before each page that has events.
        late_log_events: Seconds for which a new log event cannot be read.
        duplicate_log_events: FilterLogEvents gives the last event of a page again on the next one.
        log_token_invalid: So many GetLogEvents calls with a token are answered InvalidParameterException.
        list_times_off_s: ListTrainingJobs tells times that are so many seconds later than those of other answers.
        search_lag_s: Search answers from what was so many seconds ago.
        expire_token: Calls with the key of `SageMakerApi.env` are refused as expired; those with another key are not.
        clock_skew_s: The service's clock is so many seconds ahead.
        denied: "service:Action", patterns allowed, which the caller may not do.
        denied_to_role: The same of the execution role.
        cut_s3_get_after: Each answer of GetObject that is longer ends after so many bytes; counts down `cut_s3_gets`.
        cut_s3_gets: How many answers are cut.
        no_layers: What the registry says where a layer is does not lead to it.
        slow_s: Seconds each answer takes longer.
    """

    create_reply_lost: int = 0
    create_500_after: int = 0
    create_500_before: int = 0
    throttle_next: dict[str, int] = field(default_factory=dict)
    list_rate_per_s: float | None = None
    resource_limit: int = 0
    resource_limit_after_own_first: int = 0
    enforce_quotas: bool = False
    capacity_error: int = 0
    spot_interruptions: int = 0
    no_flush_at_end: bool = False
    empty_log_pages: int = 0
    late_log_events: float = 0.0
    duplicate_log_events: bool = False
    log_token_invalid: int = 0
    list_times_off_s: float = 0.0
    search_lag_s: float = 0.0
    expire_token: bool = False
    clock_skew_s: float = 0.0
    denied: set[str] = field(default_factory=set)
    denied_to_role: set[str] = field(default_factory=set)
    cut_s3_get_after: int | None = None
    cut_s3_gets: int = 1_000_000
    no_layers: bool = False
    slow_s: float = 0.0

    def take(self, name: str) -> bool:
        """Use up one of a counted fault; False where none is left."""
        left = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return bool(left > 0)

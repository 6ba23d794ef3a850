"""The section of the settings for orders: what each command topic may do, and how."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from bridge.config.sections import Section
from bridge.core.orders import Kind
from bridge.core.policy import Limit, Policy

E8 = 100_000_000  # sizes, volumes and prices count in units of 10^-8
LONG_MAX = 2**63 - 1

Name = Annotated[str, StringConstraints(min_length=1)]


class OrderLimit(Section):
    """The largest single order of one instrument; what is set wins over the topic's."""

    max_size_e8: int | None = Field(
        None,
        ge=1,
        le=LONG_MAX,
        description="Largest size of one order, in 10^-8 of the asset currency.",
        examples=[5 * E8],
    )
    max_volume_e8: int | None = Field(
        None,
        ge=1,
        le=LONG_MAX,
        description="Largest volume of one order, in 10^-8 of the balance currency.",
        examples=[50_000 * E8],
    )

    def limit(self) -> Limit:
        """Return the limit as the checks take it."""
        return Limit(self.max_size_e8, self.max_volume_e8)


class CommandTopic(OrderLimit):
    """One command topic: who may do what through it, and how long things may take."""

    responses: str = Field(
        min_length=1,
        description="Topic for the responses; it is also the journal of the claims, "
        "so each command topic has its own.",
        examples=["finery.responses"],
    )
    accounts: tuple[Name, ...] = Field(
        min_length=1,
        description="Finery accounts that commands of this topic may name. An account "
        "on several topics needs the same rates and times on each.",
        examples=[["desk-a"]],
    )
    group: str = Field(
        "feedbridge.commands",
        min_length=1,
        description="Consumer group that shares the topic's partitions.",
        examples=["desk-a.commands"],
    )
    methods: tuple[Name, ...] = Field(
        (Kind.READ.value,),
        description="What may be asked: classes (read, order, risk, settlement, "
        "relation) and names of methods. A method that feedbridge does not know must "
        "be named.",
        examples=[["read", "add", "del", "delAll"]],
    )
    instruments: tuple[Name, ...] = Field(
        (),
        description="The only instruments that may be traded; empty means all. "
        "A method that replaces an order without naming its instrument (mod) must "
        "then be named in methods.",
        examples=[["BTC-USD", "ETH-USD"]],
    )
    limits: dict[str, OrderLimit] = Field(
        default_factory=dict,
        description="Largest single orders by instrument; what is set wins over the "
        "topic's own limits. An order that does not name its instrument (mod) must "
        "fit the least of all.",
        examples=[{"BTC-USD": {"max_size_e8": 5 * E8}}],
    )
    orders_per_second: float = Field(
        100.0,
        gt=0,
        le=100_000,
        description="New orders a second, for each account and worker; cancels and "
        "queries are not counted.",
        examples=[10],
    )
    max_rejections: int = Field(
        0,
        ge=0,
        le=10_000,
        description="So many rejections by the venue in a row stop new orders of the "
        "account for rejection_pause_s; 0 turns this off.",
        examples=[20],
    )
    rejection_pause_s: float = Field(
        30.0,
        gt=0,
        le=86_400,
        description="How long new orders stay stopped after max_rejections.",
        examples=[60],
    )
    reply_to: tuple[Name, ...] = Field(
        (),
        description="Further topics that a sender may name in the header replyTo.",
        examples=[["desk-a.answers"]],
    )
    cancel_on_disconnect: bool = Field(
        default=False,
        description="What is sent as cod where a sender gave none: true lets the "
        "venue cancel resting orders when their connection ends.",
        examples=[True],
    )
    default_deadline_ms: int = Field(
        5_000,
        ge=1,
        le=86_400_000,
        description="How long after its record's time a command may be sent, where it "
        "has no notAfter.",
        examples=[2_000],
    )
    max_deadline_ms: int = Field(
        60_000,
        ge=1,
        le=86_400_000,
        description="A notAfter further ahead than this is refused.",
        examples=[30_000],
    )
    dedup_window_s: int = Field(
        3_600,
        ge=1,
        le=2_592_000,
        description="How long a reqId and a clientOrderId are remembered.",
        examples=[86_400],
    )
    claim_lifetime_ms: int = Field(
        2_000,
        ge=10,
        le=60_000,
        description="How long after writing its claim a worker may send; a successor "
        "waits this long before it looks at the venue.",
        examples=[1_000],
    )
    answer_timeout_ms: int = Field(
        5_000,
        ge=10,
        le=600_000,
        description="A command unanswered for this long is in doubt.",
        examples=[3_000],
    )
    user_timeout_ms: int = Field(
        5_000,
        ge=100,
        le=600_000,
        description="TCP_USER_TIMEOUT of the order connection: bytes unacknowledged "
        "for this long are given up.",
        examples=[3_000],
    )
    settle_ms: int = Field(
        10_000,
        ge=100,
        le=3_600_000,
        description="How long after sending the venue may still show an order; only "
        "then NO_TRACE is said. More than user_timeout_ms and the venue's own delay.",
        examples=[8_000],
    )
    resolve_limit_s: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="A command in doubt that could not be looked up for this long "
        "ends as UNRESOLVED: a person must look.",
        examples=[600],
    )
    max_waiting: int = Field(
        1_000,
        ge=1,
        le=1_000_000,
        description="The most commands that wait for the connection, for each account "
        "and lane (cancels, queries, new orders).",
        examples=[100],
    )
    max_kilobytes: int = Field(
        64,
        ge=1,
        le=1_000,
        description="A longer command is not read.",
        examples=[16],
    )
    retention_hours: float | None = Field(
        None,
        gt=0,
        description="How long responses are kept; longer than dedup_window_s. The "
        "default is topics.retention_hours, else the broker's.",
        examples=[168],
    )
    dry_run: bool = Field(
        default=False,
        description="Do everything but send: each command that would be sent is "
        "answered with DRY_RUN.",
        examples=[True],
    )

    def policy(self) -> Policy:
        """Return what senders on this topic may do."""
        kinds = {kind.value for kind in Kind}
        return Policy(
            accounts=frozenset(self.accounts),
            kinds=frozenset(Kind(name) for name in self.methods if name in kinds),
            methods=frozenset(name for name in self.methods if name not in kinds),
            instruments=frozenset(self.instruments),
            limit=self.limit(),
            limits={name: part.limit() for name, part in self.limits.items()},
            orders_per_second=self.orders_per_second,
            reply_to=frozenset(self.reply_to),
        )

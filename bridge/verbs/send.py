"""`feedbridge send`: one command, its responses as they come, and the outcome."""

from __future__ import annotations

import argparse
import asyncio
import sys

from bridge.client import (
    Client,
    Content,
    NoFinalYet,
    Pending,
    Response,
    TraceContext,
    new_req_id,
)
from bridge.client.records import Records, contents, record_name
from bridge.client.words import content_of
from bridge.config import load
from bridge.core.codec import Codec
from bridge.core.trace_context import context_of
from bridge.edge.clock import wall_ns
from bridge.edge.schemas import bundled
from bridge.errors import ConfigError, KafkaError, SchemaError
from bridge.verbs.out import say, say_json
from bridge.verbs.sending import (
    EXIT_CODES,
    NO_FINAL,
    Target,
    client_of,
    show,
    target_of,
)

WAIT_S = 60.0


def main(args: argparse.Namespace) -> int:
    """Send the command and wait; the exit code tells the outcome."""
    settings = load(args.config, venues=False)
    target = target_of(settings, args.account, args.topic)
    content = content_from(args)
    req_id = args.req_id or new_req_id()
    trace = trace_from(args.traceparent)
    if args.dry_run:
        return _dry_run(args, target, req_id, content)
    client = client_of(settings, target)
    return asyncio.run(_send(args, client, req_id, content, trace))


def content_from(args: argparse.Namespace) -> Content:
    """Return the content from `--content`, or from the words."""
    if args.content is not None:
        if args.words:
            raise ConfigError(["--content: give either it or key=value words"])
        return str(args.content)
    record = contents(Codec(bundled())).get(record_name(args.method))
    return content_of(args.words, record)


def trace_from(given: str | None) -> TraceContext | None:
    """Return the trace of `--traceparent`.

    Raises:
        ConfigError: it is not valid.
    """
    found = context_of(given) if given is not None else None
    if given is not None and found is None:
        form = "00-, 32 hex digits, -, 16 hex digits, -, 2 hex digits, in small letters"
        raise ConfigError([f"--traceparent: {given!r} is no trace; expected {form}"])
    return found


async def _send(
    args: argparse.Namespace,
    client: Client,
    req_id: str,
    content: Content,
    trace: TraceContext | None,
) -> int:
    async with client:
        pending = await client.submit(
            args.method,
            content,
            req_id=req_id,
            not_after=deadline_ms(args),
            key=args.key,
            trace=trace,
        )
        _say_sent(args, client, pending)
        final = await _final(args, pending)
        show(final, as_json=args.json)
        return exit_code(final)


async def _final(args: argparse.Namespace, pending: Pending) -> Response:
    """Show the interim responses and return the final one.

    From here on the command is sent: whatever fails, it may be executed.
    """
    wait = args.wait_seconds if args.wait_seconds is not None else WAIT_S
    place = pending.req_id, pending.partition
    try:
        async with asyncio.timeout(wait):
            async for response in pending:
                show(response, as_json=args.json)
                sys.stdout.flush()
        return await pending.final()
    except TimeoutError:
        raise NoFinalYet(*place, f"within {wait:g} s") from None
    except (KafkaError, SchemaError) as error:
        raise NoFinalYet(*place, "could be read") from error


def exit_code(final: Response) -> int:
    """Return what the outcome means to a shell."""
    return NO_FINAL if final.outcome is None else EXIT_CODES[final.outcome]


def _say_sent(args: argparse.Namespace, client: Client, pending: Pending) -> None:
    """Say first how to find the response again, whatever happens next."""
    if not args.json:
        place = f"{client.topic}[{pending.partition}]@{pending.offset}"
        say(f"sent {pending.req_id} to {place}")
        sys.stdout.flush()


def deadline_ms(args: argparse.Namespace) -> int | None:
    """Return the deadline as Unix ms; None for the bridge's default."""
    if args.deadline_seconds is None:
        return None
    ahead_ms: int = round(args.deadline_seconds * 1000)
    return wall_ns() // 1_000_000 + ahead_ms


def _dry_run(
    args: argparse.Namespace, target: Target, req_id: str, content: Content
) -> int:
    """Show what would be written, checked against the schema; touch no network."""
    records = Records(target.topic, None)
    deadline = deadline_ms(args)
    value = records.command(req_id, args.method, content, target.account, deadline)
    facts = {
        "topic": target.topic,
        "key": args.key or target.account,
        "reqId": req_id,
        "method": args.method,
        "account": target.account,
        "notAfter": deadline,
        "content": records.content(args.method, content),
        "bytes": len(value),
    }
    if args.json:
        say_json(facts)
    else:
        say("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
        say("nothing was sent")
    return 0

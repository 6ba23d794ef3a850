"""Every error that feedbridge raises on purpose.

    BridgeError                 facts as fields, a stable code, an exit code
    ├── ConfigError             settings are wrong; all problems at once; exit 2
    ├── VenueError              a venue, named by `source`
    │   ├── VenueUnreachable    network, time-out, 5xx: try again with back-off
    │   └── VenueRefused        login refused: a person must act; exit 3
    ├── SchemaError             schema or registry disagrees; exit 4
    │   └── RegistryUnreachable registry away: wait and try again
    ├── KafkaError              broker, topic or producer; exit 5
    ├── Undelivered             something was left undelivered at the end; exit 6
    └── Unexpected              a fault of ours, by where it came out; exit 1

The class docstring is the default message. A message says what was seen, what was
expected, where, and what to do; it never holds a secret.
"""

from __future__ import annotations


class BridgeError(Exception):
    """Something went wrong that feedbridge knows by name."""

    exit_code = 1
    retry = False
    code = "BRIDGE"

    def __init__(self, message: str = "") -> None:
        """Keep `message`, or the class docstring where there is none."""
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigError(BridgeError):
    """The settings are not valid."""

    exit_code = 2
    code = "CONFIG"

    def __init__(self, problems: list[str]) -> None:
        """List every problem; one line each: setting, what was seen, what to do."""
        super().__init__("\n".join(problems))
        self.problems = problems


class VenueError(BridgeError):
    """A venue did not do what was asked."""

    code = "VENUE"

    def __init__(
        self, source: str, message: str, venue_code: int | None = None
    ) -> None:
        """Name the `source` and, where the venue gave one, its error number."""
        super().__init__(f"{source}: {message}")
        self.source = source
        self.venue_code = venue_code


class VenueUnreachable(VenueError):
    """The venue could not be reached, or the connection broke."""

    retry = True
    code = "VENUE_UNREACHABLE"


class VenueRefused(VenueError):
    """The venue refused the login; a person must act."""

    exit_code = 3
    code = "VENUE_REFUSED"


class SchemaError(BridgeError):
    """A schema is missing, incompatible, or a value does not fit it."""

    exit_code = 4
    code = "SCHEMA"


class RegistryUnreachable(SchemaError):
    """The schema registry did not answer."""

    retry = True
    code = "REGISTRY_UNREACHABLE"

    def __init__(self, message: str = "", status: int | None = None) -> None:
        """Keep HTTP's status, where one came."""
        super().__init__(message)
        self.status = status


class KafkaError(BridgeError):
    """Kafka refused or lost something."""

    exit_code = 5
    code = "KAFKA"


class Undelivered(BridgeError):
    """Something was left undelivered."""

    exit_code = 6
    code = "UNDELIVERED"


class Unexpected(BridgeError):
    """A fault of ours, or of a library: an error that nobody foresaw."""

    code = "UNEXPECTED"

    def __init__(self, where: str, cause: BaseException | None) -> None:
        """Name the task or callback that let `cause` out."""
        super().__init__(f"unexpected: {where}: {cause!r}")
        self.__cause__ = cause


def named(where: str, error: BaseException) -> BridgeError:
    """Return an error as one of ours: itself, or as unexpected where it came out."""
    return error if isinstance(error, BridgeError) else Unexpected(where, error)

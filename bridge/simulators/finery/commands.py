"""Every command of the control interface, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from bridge.simulators.finery import (
    connection_faults,
    feed_faults,
    request_faults,
    world,
)
from bridge.simulators.finery.wire import Json

if TYPE_CHECKING:
    from bridge.simulators.finery.server import FinerySimulator

Act = Callable[..., Any]

COMMANDS: Final[dict[str, Act]] = {
    function.__name__: function
    for module in (connection_faults, feed_faults, request_faults, world)
    for function in module.COMMANDS
}


class Faults:
    """The commands as methods: `simulator.faults.drop_update(feed="F")`."""

    def __init__(self, simulator: FinerySimulator) -> None:
        """Command one simulator."""
        self._simulator = simulator

    def __getattr__(self, name: str) -> Act:
        """Return the command of that name, bound to the simulator."""
        if name == "on_request":
            return partial(request_faults.on_request, self._simulator)
        if name not in COMMANDS:
            raise AttributeError(name)
        return partial(COMMANDS[name], self._simulator)

    def commands(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """Return the table for the control interface."""
        return {name: self._command(act) for name, act in COMMANDS.items()}

    def _command(self, act: Act) -> Callable[[dict[str, Any]], Any]:
        @wraps(act)
        def command(arguments: dict[str, Any]) -> Json:
            return act(self._simulator, **arguments)

        return command

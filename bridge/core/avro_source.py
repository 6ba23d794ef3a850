"""Writes the Python source of an encoder's body, one node of a schema at a time.

The body keeps numbers back in `run` and turns a whole run into bytes at once; strings
and bytes end a run. What is known here is not asked again when records are written:
a body without strings has no list of parts, and one with a single run no `run` either.
"""

from __future__ import annotations

from typing import assert_never

from bridge.core.avro_schema import (
    Array,
    Boolean,
    Enum,
    Node,
    Null,
    Number,
    Octets,
    Record,
    Text,
    Union,
)


class Body:
    """The statements of one way through an encoder, ending in `return`."""

    def __init__(self, indent: int) -> None:
        """Start with an empty run; `indent` counts steps of four."""
        self._lines: list[str] = []
        self._indent = indent
        self._pending: list[str] = []
        self._run_exists = False
        self._has_parts = False
        self._names = 0

    def finish(self) -> list[str]:
        """Close the last run and return all lines."""
        head = "    " * self._indent
        if not self._has_parts:
            self._line(f"return prefix + {self._packed()}")
            return self._lines
        self._line(f"parts.append({self._packed()})")
        self._line("return join(parts)")
        return [f"{head}parts = [prefix]", *self._lines]

    def unpack(self, record: Record, value: str) -> None:
        """Write a record whose fields stand in the tuple `value`."""
        names = [self._fresh() for _ in record.fields]
        self._line(f"({''.join(f'{name}, ' for name in names)}) = {value}")
        for field, name in zip(record.fields, names, strict=True):
            self.write(field.node, name)

    def write(self, node: Node, value: str) -> None:
        """Write `value`, an expression that has no side effect."""
        match node:
            case Null():
                self._guard(f"{value} is None", value)
            case Boolean() | Number() | Enum():
                self._number(node, value)
            case Text() | Octets():
                self._blob(node, value)
            case Array(items=items):
                self._array(items, value)
            case Union():
                self._union(node, value)
            case Record():
                self.unpack(node, value)
            case _:
                assert_never(node)

    def put(self, *numbers: str) -> None:
        """Keep expressions back for the run."""
        self._pending += numbers

    def _number(self, node: Boolean | Number | Enum, value: str) -> None:
        if isinstance(node, Enum):
            self._guard(f"0 <= {value} < {len(node.symbols)}", value)
        elif isinstance(node, Boolean):
            value = f"bits[{value}]"
        elif node.bits == 32:  # noqa: PLR2004 # 64 bits are protobuf's own limit
            self._guard(f"{-(1 << 31)} <= {value} < {1 << 31}", value)
        self.put(value)

    def _blob(self, node: Text | Octets, value: str) -> None:
        """Write a length and bytes; the numbers before them leave as one run."""
        raw = self._fresh()
        self._line(f"{raw} = {_raw(node, value)}")
        if self._run_exists or self._pending:
            self.put(f"len({raw})")
            before = self._packed()
        else:
            before = f"length(len({raw}))"
        self._line(f"parts += ({before}, {raw})")
        self._has_parts = True
        self._run_exists = False

    def _array(self, items: Node, value: str) -> None:
        count = self._fresh()
        self._line(f"{count} = len({value})")
        self._settle()
        self._open(f"if {count}:")
        self.put(count)
        width = flat_width(items)
        if width is None:
            self._loop(items, value)
        else:
            self._flat(width, count, value, nested=isinstance(items, Record))
        self._close()
        self.put("0")

    def _loop(self, items: Node, value: str) -> None:
        item = self._fresh()
        self._settle()
        self._open(f"for {item} in {value}:")
        self.write(items, item)
        self._close()

    def _flat(self, width: int, count: str, value: str, *, nested: bool) -> None:
        """Write rows of equal width in one go; a ragged row would shift all others."""
        self._settle()
        size = self._fresh()
        self._line(f"{size} = len(run) + {width} * {count}")
        self._line(f"run += chain({value})" if nested else f"run += {value}")
        self._guard(f"len(run) == {size}", value)

    def _union(self, union: Union, value: str) -> None:
        if not union.optional:
            self._tagged(union, value)
            return
        null = union.branches.index(Null())
        self._settle()
        self._open(f"if {value} is None:")
        self.put(str(null))
        self._close()
        self._open("else:")
        self.put(str(1 - null))
        self.write(union.branches[1 - null], value)
        self._close()

    def _tagged(self, union: Union, value: str) -> None:
        branch, inner = self._fresh(), self._fresh()
        self._line(f"{branch}, {inner} = {value}")
        self._guard(f"0 <= {branch} < {len(union.branches)}", branch)
        self._settle()
        for index, node in enumerate(union.branches):
            self._open(f"{'elif' if index else 'if'} {branch} == {index}:")
            self.put(str(index))
            self.write(node, inner)
            self._close()

    def _packed(self) -> str:
        """Return an expression for the bytes of the run; the run starts afresh."""
        if self._run_exists:
            self._settle()
            return "pack(run)"
        numbers, self._pending = ", ".join(self._pending), []
        return f"pack([{numbers}])" if numbers else 'b""'

    def _settle(self) -> None:
        """Put what was kept back into `run`, so that branches can add to it."""
        numbers, self._pending = self._pending, []
        if not self._run_exists:
            self._line(f"run = [{', '.join(numbers)}]")
        elif len(numbers) == 1:
            self._line(f"run.append({numbers[0]})")
        elif numbers:
            self._line(f"run += ({', '.join(numbers)})")
        self._run_exists = True

    def _open(self, line: str) -> None:
        self._line(line)
        self._indent += 1

    def _close(self) -> None:
        """End a block; every way out of it leaves a `run` behind."""
        self._settle()
        self._indent -= 1

    def _guard(self, rule: str, value: str) -> None:
        self._line(f"if not ({rule}): refuse({value})")

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    def _fresh(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _raw(node: Text | Octets, value: str) -> str:
    if isinstance(node, Text):
        return f"text({value})"
    if node.precision is None:
        return f"octets({value})"
    return f"decimal({value}, {10**node.precision})"


def flat_width(node: Node) -> int | None:
    """Return how many numbers each item has, if all are long or enum; else None."""
    match node:
        case Number(bits=64) | Enum():
            return 1
        case Record(fields=fields) if fields:
            plain = all(flat_width(f.node) == 1 for f in fields)
            return len(fields) if plain and not _nested(node) else None
        case _:
            return None


def _nested(record: Record) -> bool:
    return any(isinstance(field.node, Record) for field in record.fields)

"""The emissions that are listed: which, and in which order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from liveclf.emissions import Emission
from liveclf.view.told import MOST_EMISSIONS, Key

# One that is told no more, as its end was dropped, is not open for ever.
FORGET_S = 120.0


@dataclass(frozen=True, slots=True)
class Item:
    """An emission in the list.

    Attributes:
        emission: As it was told last.
        corrected: The label that somebody gave it.
        told_s: Monotonic time of that.
    """

    emission: Emission
    corrected: str | None
    told_s: float

    @property
    def key(self) -> Key:
        """Stream and number."""
        return self.emission.stream, self.emission.id

    @property
    def label(self) -> str:
        """The one that counts."""
        return self.corrected or self.emission.label

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.emission.state == "open"


def _newest(item: Item) -> tuple[Any, ...]:
    return -item.emission.sample, -item.emission.id


# What the list can be sorted by; in each order the newest come first among equals.
ORDERS: dict[str, Callable[[Item], tuple[Any, ...]]] = {
    "time": _newest,
    "frequency": lambda i: (i.emission.center_hz or i.emission.offset_hz or 0.0, *_newest(i)),
    "SNR": lambda i: (-i.emission.snr_db, *_newest(i)),
    "label": lambda i: (i.label, *_newest(i)),
    "probability": lambda i: (-i.emission.probability, *_newest(i)),
}


class Listing:
    """The newest emissions, bounded; filtered and sorted as is asked.

    Attributes:
        text: What an emission has to have in its label, family, frequency or source.
        family: What it has to be of, empty for any.
        order: A key of `ORDERS`.
        families: All that were seen, in the order in which they came.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._items: OrderedDict[Key, Item] = OrderedDict()
        self._shown: list[Item] | None = None
        self.text = self.family = ""
        self.order = "time"
        self.families: list[str] = []

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._items)

    def put(self, items: Iterable[dict[str, Any]], now_s: float) -> None:
        """Take what is told.

        Args:
            items: As `view.wire.emission_fields` makes them.
            now_s: Monotonic time.
        """
        for fields in items:
            known = dict(fields)
            corrected = known.pop("corrected", None)
            emission = Emission(**known)
            item = Item(emission, corrected, now_s)
            self._items.pop(item.key, None)
            self._items[item.key] = item
            if emission.family not in self.families:
                self.families.append(emission.family)
        while len(self._items) > MOST_EMISSIONS:
            self._items.popitem(last=False)
        self._shown = None

    def forget(self, now_s: float) -> None:
        """End what is open and was not heard of for long."""
        for key, item in list(self._items.items()):
            if item.is_open and now_s - item.told_s > FORGET_S:
                self._items[key] = replace(item, emission=replace(item.emission, state="closed"))
                self._shown = None

    def find(self, key: Key | None) -> Item | None:
        """Return one, None if it is not kept."""
        return self._items.get(key) if key else None

    def everything(self) -> Iterable[Item]:
        """Return all that are kept, whatever is asked for."""
        return self._items.values()

    def rows(self) -> list[Item]:
        """Return what is asked for: open ones on top, each part in order."""
        if self._shown is None:
            wanted = filter(self._is_wanted, self._items.values())
            order = ORDERS[self.order]
            self._shown = sorted(wanted, key=lambda item: (not item.is_open, *order(item)))
        return self._shown

    def ask(
        self, *, text: str | None = None, family: str | None = None, order: str | None = None
    ) -> None:
        """Ask for others; what is None stays."""
        self.text = self.text if text is None else text
        self.family = self.family if family is None else family
        self.order = order or self.order
        self._shown = None

    def next_order(self) -> None:
        """Sort by what comes next."""
        names = list(ORDERS)
        self.ask(order=names[(names.index(self.order) + 1) % len(names)])

    def next_family(self) -> None:
        """Show another family alone, or at last all again."""
        names = ["", *self.families]
        at = names.index(self.family) if self.family in names else 0
        self.ask(family=names[(at + 1) % len(names)])

    @property
    def asked(self) -> str:
        """What is asked for, in words; empty for all in the order of time."""
        parts = [f"family {self.family}"] if self.family else []
        parts += [f"with {self.text!r}"] if self.text else []
        parts += [f"sorted by {self.order}"] if self.order != "time" else []
        return f"listed: {', '.join(parts)}" if parts else ""

    def bands(self) -> list[tuple[str, int, bool]]:
        """Return where the radio has stood: name, emissions there, whether one is open."""
        found: OrderedDict[str, tuple[int, bool]] = OrderedDict()
        for item in self._items.values():
            e = item.emission
            if e.center_hz is None or e.offset_hz is None:
                name = e.source
            else:
                name = f"{(e.center_hz - e.offset_hz) / 1e6:.6g} MHz"
            n, is_open = found.get(name, (0, False))
            found[name] = n + 1, is_open or item.is_open
        return [(name, n, is_open) for name, (n, is_open) in sorted(found.items())]

    def _is_wanted(self, item: Item) -> bool:
        e = item.emission
        if self.family and e.family != self.family:
            return False
        if not self.text:
            return True
        mhz = "" if e.center_hz is None else f"{e.center_hz / 1e6:.4f}"
        wanted = self.text.lower()
        return any(wanted in part.lower() for part in (item.label, e.family, mhz, e.source))

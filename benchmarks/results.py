"""Values by round, their medians and ratios, and what went wrong."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple


class Key(NamedTuple):
    question: str
    measure: str
    case: str
    peer: str


class Figure(NamedTuple):
    median: float
    least: float
    most: float


class Results:
    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.environment = environment or {}
        self.values: dict[Key, dict[int, float]] = {}
        """By round, since only what was measured in one round is compared."""
        self.troubles: dict[tuple[str, str, str], Counter[str]] = {}
        """By question, case and peer: what went wrong, how often."""

    def add(self, key: Key, number: int, value: float) -> None:
        self.values.setdefault(key, {})[number] = value

    def trouble(self, question: str, case: str, peer: str, what: str) -> None:
        self.troubles.setdefault((question, case, peer), Counter())[what] += 1

    def figure(self, key: Key) -> Figure | None:
        values = list(self.values.get(key, {}).values())
        return Figure(median(values), min(values), max(values)) if values else None

    def ratio(self, key: Key, against: str) -> float | None:
        """The median of the rounds' ratios to the peer `against`."""
        mine = self.values.get(key, {})
        other = self.values.get(key._replace(peer=against), {})
        ratios = [mine[number] / other[number] for number in mine if other.get(number)]
        return median(ratios) if ratios else None

    def marked(self, question: str, case: str, peer: str) -> bool:
        return (question, case, peer) in self.troubles

    def peers_in_trouble(self) -> list[str]:
        return sorted({peer for _, _, peer in self.troubles})

    def dump(self) -> str:
        values: list[dict[str, Any]] = []
        for key, by_round in self.values.items():
            figure = self.figure(key)
            assert figure is not None
            values.append({**key._asdict(), **figure._asdict(), "rounds": by_round})
        troubles = [
            {"question": question, "case": case, "peer": peer, "what": dict(what)}
            for (question, case, peer), what in self.troubles.items()
        ]
        whole = {"environment": self.environment, "values": values, "troubles": troubles}
        return json.dumps(whole, indent=1, ensure_ascii=False)

    def save(self, path: Path) -> None:
        """Write them there, beside the questions that stand there and that these leave out."""
        whole = Results.load(path.read_text(encoding="utf-8")) if path.exists() else Results()
        mine = {key.question for key in self.values} | {name for name, _, _ in self.troubles}
        whole.environment.update(self.environment)
        whole.values = {k: v for k, v in whole.values.items() if k.question not in mine}
        whole.values.update(self.values)
        whole.troubles = {k: v for k, v in whole.troubles.items() if k[0] not in mine}
        whole.troubles.update(self.troubles)
        path.write_text(whole.dump() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, text: str) -> Results:
        whole = json.loads(text)
        results = cls(whole["environment"])
        for each in whole["values"]:
            key = Key(*(each[name] for name in Key._fields))
            results.values[key] = {int(n): value for n, value in each["rounds"].items()}
        for each in whole["troubles"]:
            at = (each["question"], each["case"], each["peer"])
            results.troubles[at] = Counter(each["what"])
        return results

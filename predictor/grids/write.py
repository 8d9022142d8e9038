"""The one writer of grids: plain data -> the text of a grid YAML that `trainer run` reads."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from predictor.grids.expand import plan_grid

WIDTH = 118


def grid_text(content: Mapping[str, Any], comment: Sequence[str] = ()) -> str:
    """YAML of a grid file: plain data in the order given, short lists and mappings on one line.

    >>> print(grid_text({"study": "mine", "seeds": [0, 1]}, ["two seeds"]), end="")
    # two seeds
    study: mine
    seeds: [0, 1]
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    def styled(value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            made = CommentedMap((str(key), styled(item, depth + 1)) for key, item in value.items())
            if depth > 2 or (
                depth > 0 and not any(isinstance(item, Mapping | list | tuple) for item in value.values())
            ):
                made.fa.set_flow_style()
            return made
        if isinstance(value, list | tuple):
            made = CommentedSeq(styled(item, depth + 1) for item in value)
            if not any(isinstance(item, Mapping) for item in value):
                made.fa.set_flow_style()
            return made
        # a class named 'NO' or '0' stays text for every YAML reader
        return DoubleQuotedScalarString(value) if isinstance(value, str) and not _plain(value) else value

    yaml = YAML()
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(styled(content, 0), stream)
    return "".join(f"# {line}\n" for line in comment) + stream.getvalue()


def _plain(text: str) -> bool:
    words = ("yes", "no", "on", "off", "true", "false", "null", "none", "y", "n")
    return text.replace("_", "").replace("-", "").replace("/", "").isalpha() and text.lower() not in words


def check_grid(content: Mapping[str, Any], where: str) -> int:
    """Number of runs of the grid, planned as `trainer` plans it.

    Raises SpecError where it cannot be trained as it stands.
    """
    return len(plan_grid(dict(content), where).runs)

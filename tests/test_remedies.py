"""Remedies begin the same way everywhere: a small letter, a word that says what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERBS = {
    "add", "advise", "arrange", "ask", "blend", "call", "check", "choose", "copy", "count", "delete", "divide",
    "download", "drop", "end", "fetch", "fit", "free", "give", "import", "install", "keep", "label", "leave",
    "list", "load", "lower", "make", "mend", "move", "name", "number", "plan", "probe", "put", "read", "remove",
    "rename", "restore", "run", "save", "say", "spell", "split", "start", "state", "take", "train", "try",
    "unpack", "use", "wait", "write",
}  # fmt: skip


def beginnings(node: ast.expr, constants: dict[str, list[ast.expr]]) -> Iterator[str]:
    """How a remedy can begin, as far as it stands in the source."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]):
            yield text
        case ast.JoinedStr(values=[ast.FormattedValue(value=inner), *_]) | ast.BinOp(left=inner):
            yield from beginnings(inner, constants)
        case ast.IfExp(body=first, orelse=second):
            yield from beginnings(first, constants)
            yield from beginnings(second, constants)
        case ast.BoolOp(values=values):
            for value in values:
                yield from beginnings(value, constants)
        case ast.Name(id=name):
            for value in constants.get(name, []):
                yield from beginnings(value, constants)


def remedies() -> Iterator[tuple[str, str]]:
    """(place, how it begins) of all remedies; what a name stands for is looked up among constants and assignments."""
    trees = {
        path: ast.parse(path.read_text()) for name in ("predictor", "trainer") for path in (ROOT / name).rglob("*.py")
    }
    shared: dict[str, list[ast.expr]] = {}
    own: dict[Path, dict[str, list[ast.expr]]] = {path: {} for path in trees}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                own[path].setdefault(name, []).append(node.value)
                if node in tree.body and name.isupper():
                    shared.setdefault(name, []).append(node.value)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            for word in node.keywords if isinstance(node, ast.Call) else ():
                if word.arg == "remedy" and ast.unparse(node.func) != "InstalledPart":  # there it is a command
                    known = {**shared, **own[path]}
                    for text in beginnings(word.value, known):
                        yield f"{path.relative_to(ROOT)}:{word.value.lineno}", text


def test_every_remedy_says_what_to_do() -> None:
    found = list(remedies())
    assert len(found) > 350
    said = [(place, text) for place, text in found if text and not text.startswith("did you mean ")]
    assert [(place, text) for place, text in said if text.split()[0].rstrip(":") not in VERBS] == []

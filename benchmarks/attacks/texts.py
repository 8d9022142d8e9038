"""Names in data that a terminal, a spreadsheet, a page or a figure would obey."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
from harness import Attack
from made import STUDY, records

NASTY = {
    "clears the screen": "\x1b[2J\x1b[H", "forges a line": "cat\nfake   99.9 %", "goes back": "cat\rfake",
    "turns around": "\u202egnp.exe", "isolates": "\u2066a\u2069", "is an 8-bit escape": "\x9b2J", "holds NUL": "a\x00b",
    "sets the title": "\x1b]0;owned\x07", "rings": "\x07\x07", "deletes": "abc\x7f\x08\x08", "is invisible": "\u200b\ufeff\u2060",
    "separates lines": "a\u2028b\u2029c\x85d", "is a formula": "=HYPERLINK(\"http://x\")", "calls": "@SUM(1+1)*cmd|' /C calc'!A0",
    "adds": "+1+1", "subtracts": "-1+1|", "is a wide formula": "\uff1d1+1", "is a tag": "<script>alert(1)</script>",
    "closes a cell": "a|b|c", "escapes a pipe": "a\\|b", "is markup": "[bold red]x[/]", "is mathematics": "$\\frac{",
    "is a template": "{{ 7*7 }}{% x %}", "is wide": "日本語テスト", "is an emoji": "👨‍👩‍👧", "is long": "x" * 900,
    "is zalgo": "a" + "\u0301" * 300, "is SQL": "'; DROP TABLE x; --", "is a format": "%s%n{0}", "is a path": "../../outside",
}  # fmt: skip
FORMS = ("table", "csv", "markdown", "json")


def manifests() -> Iterator[Attack]:
    """Labels, sources and columns of manifests, in every format."""
    for what, text in NASTY.items():

        def prepare(folder: Path, text: str = text) -> None:
            stream = io.StringIO()
            csv.writer(stream).writerows([["label", "count"], ["bear", 50], [text, 20], ["bus", 9]])
            (folder / "m.csv").write_bytes(stream.getvalue().encode())
            duckdb.execute("COPY (SELECT unnest($1) AS label, unnest([50, 20, 9]) AS count) TO "
                           f"'{folder}/m.parquet' (FORMAT parquet)", [["bear", text, "bus"]])  # fmt: skip

        for form in FORMS:
            yield Attack(
                kind="text of data", what=f"a label that {what}, {form}", prepare=prepare, codes=(0, 2),
                args=["predict", "m.csv" if form != "csv" else "m.parquet", "--classes", "--format", form],
                also=_one_line if form in ("csv", "table") else lambda folder: True,
            )  # fmt: skip
        yield Attack(kind="text of data", what=f"a label that {what}, advice", prepare=prepare, codes=(0, 2),
                     args=["advise", "m.parquet", "--budget", "50"])  # fmt: skip


def _one_line(folder: Path) -> bool:
    return not any(line.startswith("fake") for line in (folder.parent / "streams/stdout").read_text().splitlines())


def registries() -> Iterator[Attack]:
    """Names in records: target sets, domains, axes, outcomes, devices, classes, citations."""
    for what, text in NASTY.items():

        def prepare(folder: Path, text: str = text) -> None:
            (folder / "runs" / STUDY).mkdir(parents=True)
            for source in records(12):
                content = json.loads(source)
                content |= {"target_set": text, "domain": text, "axes": {text: text, "samples_per_class": 5}}
                content["environment"] |= {"device_name": text}
                (folder / "runs" / STUDY / f"{content['run_id']}.json").write_text(json.dumps(content))

        for number, args in enumerate((["runs", "list", "runs"], ["runs", "show", "runs"], ["agreement", "runs"],
                                       ["runs", "check", "runs"])):  # fmt: skip
            form = FORMS[(number + len(what)) % len(FORMS)]
            yield Attack(
                kind="text of data", what=f"a target set that {what}: {' '.join(args[:2])}, {form}", codes=(0, 2),
                args=[*args, "--format", form], prepare=prepare, also=_one_line,
            )  # fmt: skip


def where() -> Iterator[Attack]:
    """`--where` that would read, write, load, or never end."""
    secret = "'../outside/secret.txt'"
    for condition in (
        "1=1; DROP TABLE x", "1=1; COPY (SELECT 1) TO 'pwned'", "1=1) ; ATTACH 'pwned' --", "label IN (SELECT * FROM read_csv("
        + secret + "))", f"exists(SELECT 1 FROM {secret})", f"(SELECT count(*) FROM read_text({secret})) > 0",
        f"(SELECT content FROM read_text({secret})) = label", f"(SELECT string_agg(filename) FROM read_blob({secret})) = label",
        "(SELECT count(*) FROM glob('/etc/*')) > 0", "(SELECT count(*) FROM read_csv('/etc/passwd')) > 0",
        "(SELECT count(*) FROM sniff_csv('/etc/passwd')) > 0", "(SELECT count(*) FROM duckdb_settings()) > 0",
        "(SELECT count(*) FROM range(1000000000000)) > 0", "(SELECT count(*) FROM range(1000000000) a, range(1000000000) b) > 0",
        "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t) SELECT count(*) FROM t) > 0",
        "label = (SELECT getenv('HOME'))", "getenv('HOME') = label", "current_setting('home_directory') = label",
        "pragma_version() = label", "load_extension('x')", "(SELECT 1 FROM pragma_database_list) = 1", "copy_database('a')",
        "nextval('x') > 0", "read_text('/etc/passwd') = label", "label = error('x')", "list_sum(range(100000000000)) > 0",
        "repeat('x', 10000000000) = label", "length(repeat(repeat('x', 100000), 1000000)) > 0", "sleep(1000)",
        "label LIKE repeat('%a', 100000)", "regexp_matches(repeat('a', 100000), '(a+)+$b')", "(" * 3000 + "1=1" + ")" * 3000,
        "label = " + "'x' || " * 3000 + "'y'", "NOT " * 3000 + "true", "1" + "+1" * 20000 + " > 0", "", ";", "--", "/*", "'", '"',
        "\x00", "\ud800", "*", "COLUMNS(*) > 0", "$1 = 1", "? = 1", "label = :x", "x := 1", "random() > 2", "count(*) > 0",
        "sum(count) OVER () > 0", "unnest([1,2]) = 1", "label = ANY(SELECT 1)", "1=1 LIMIT 1", "1=1 UNION SELECT 1",
        "true) OR (true", "1=1 GROUP BY label", "1=1 ORDER BY 1", "1=1 INTO OUTFILE 'pwned'", "SYSTEM('touch pwned')",
        "os.system('touch pwned')", "label IN (SELECT label)", "EXISTS(FROM duckdb_secrets())", "(FROM '/etc/passwd') = 1",
        "(TABLE information_schema.tables) = 1", "struct_extract({'a': 1}, 'a') = 2", "try_cast('x' AS INT) > 0",
        "apply([1], x -> (SELECT 1)) = [1]", "list_filter(range(10), x -> x > (SELECT count(*) FROM range(1000000000000))) = []",
        "label = 'x' COLLATE nocase", "hash(label) % 2 = 3", "query('SELECT 1') = 1", "query_table('x') = 1",
    ):  # fmt: skip
        yield Attack(kind="--where", what=condition[:60], args=["indicators", "m.csv", "--where", condition], codes=(0, 2),
                     prepare=lambda folder: (folder / "m.csv").write_text("label,count\ncat,3\ndog,2\n"))  # fmt: skip

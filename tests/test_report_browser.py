"""The report in a browser: axe finds nothing, nothing is wider than the window, light and dark, narrow and wide."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from predictor.render.report import Material, registry_page, report_html

ROOT = Path(__file__).parents[1]
MOST = 3_000_000  # bytes of the page about the registry that ships
CHECK = """<script>%s</script><script>
addEventListener("load", async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  const told = {
    violations: found.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]),
    checked: found.passes.length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    fetched: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
  };
  const cell = document.createElement("pre");
  cell.id = "axe-told";
  cell.textContent = JSON.stringify(told);
  document.body.append(cell);
});
</script></body>"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> str:
    name = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)
    if name is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    return name


@pytest.fixture(scope="module")
def axe() -> str:
    found = importlib.util.find_spec("axe_playwright_python")  # of its axe.min.js alone: it needs no Playwright
    if found is None or found.origin is None:
        pytest.skip("needs axe: pip install '.[integrations]'")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def told(browser: str, axe: str, page: str, place: Path, width: int, dark: bool) -> dict:
    """What axe and the browser say of a page."""
    file = place / "page.html"
    file.write_text(page.replace("<details", "<details open").replace("</body>", CHECK % axe), encoding="utf-8")
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},1200", "--dump-dom",
             "--virtual-time-budget=60000", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
             f"--user-data-dir={place / 'profile'}"]  # fmt: skip
    done = subprocess.run([*words, file.as_uri()], capture_output=True, text=True, timeout=300)
    found = re.search(r'<pre id="axe-told">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(found[1].replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))


@pytest.fixture(scope="module")
def page(about: Material) -> str:
    return report_html(about)


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (500, False), (500, True)])
def test_axe_finds_nothing(browser: str, axe: str, page: str, tmp_path: Path, width: int, dark: bool) -> None:
    found = told(browser, axe, page, tmp_path, width, dark)
    assert found["violations"] == [] and found["checked"] > 10
    assert found["wider"] == 0, "tables and figures scroll inside themselves"
    assert found["dark"] is dark and found["fetched"] == []


def test_axe_would_find_a_fault(browser: str, axe: str, page: str, tmp_path: Path) -> None:
    broken = page.replace("--soft: #525d6c", "--soft: #dddddd").replace('role="img" aria-label', 'role="img" data-no')
    found = told(browser, axe, broken, tmp_path, 1200, False)
    assert {name for name, *_ in found["violations"]} >= {"color-contrast", "svg-img-alt"}


def test_the_registry_that_ships(browser: str, axe: str, tmp_path: Path) -> None:
    page, n_runs = registry_page(ROOT / "runs")
    assert len(page.encode()) <= MOST and n_runs > 4000
    found = told(browser, axe, page, tmp_path, 500, False)
    assert found["violations"] == [] and found["wider"] == 0 and found["fetched"] == []


def test_on_paper_folded_studies_are_a_line_and_no_page_is_empty(browser: str, page: str, tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext: apt-get install poppler-utils")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
             "--no-pdf-header-footer", f"--print-to-pdf={tmp_path / 'page.pdf'}", tmp_path / "page.html"]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    done = subprocess.run(["pdftotext", "-layout", tmp_path / "page.pdf", "-"], check=True, capture_output=True)
    pages = done.stdout.decode().split("\f")[:-1]
    assert 3 < len(pages) < 40 and all(text.strip() for text in pages)
    whole = " ".join(" ".join(pages).split())
    for found in re.finditer(r'<details id="study-\d+"><summary>(\S+) ', page):
        assert f"{found[1]} " in whole.split("Study by study")[1]
    assert "as CSV" not in whole and "Skip to the text" not in whole

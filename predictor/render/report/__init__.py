"""A registry as one self-contained HTML page, for readers who never heard of the paper.

`material` reads and computes, `story` says it in five sentences, `drawing` and `embedded` make the figures, `trained`,
`verdicts`, `ranking`, `scores` and `studies` the tables of their sections, `page` puts it together.
"""

from predictor.render.report.material import Material, material, material_of
from predictor.render.report.page import registry_page, report_html

__all__ = ["Material", "material", "material_of", "registry_page", "report_html"]

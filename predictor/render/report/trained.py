"""What was trained, and what it cost; the figure of the paper and the curve of accuracy against images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.render.report.drawing import growth, two_scalings
from predictor.render.report.embedded import EmbeddedTable, Picture, picture
from predictor.render.report.material import Material
from predictor.render.tables import number

if TYPE_CHECKING:
    import pandas as pd

    from predictor.records import RunRecord
    from predictor.records.columns import Columns

PANELS = 3  # of the figure of the paper
FEWEST = 8  # configurations of a panel
JOULES = 3.6e6  # of a kWh


def study_table(about: Material) -> EmbeddedTable:
    """What each study holds: configurations, runs, target sets, domains, networks, hours."""
    rows = [_study(study, about) for study in about.frame["study"].unique()]
    return EmbeddedTable("Studies", [shown for shown, _ in rows], [full for _, full in rows])


def _study(study: str, about: Material) -> tuple[dict[str, str], dict[str, Any]]:
    here = about.frame["study"].eq(study).to_numpy()
    runs, costs = about.frame[here], about.columns.own[here]
    alike = [about.columns.examples[number] for number in np.unique(about.columns.like[here])]
    seconds = sum(costs["seconds"].dropna().tolist())
    joules = costs["joules"].dropna().tolist()
    networks = sorted({(one.spec or {}).get("model", {}).get("name", "") for one in alike} - {""})
    devices = sorted({_device(one) for one in alike if one.environment})
    full: dict[str, Any] = {
        "study": study,
        "provenance": ", ".join(sorted(runs["provenance"].unique()))
        + (" (held out)" if runs["held_out"].iloc[0] else ""),
        "configurations": runs["configuration_id"].nunique(),
        "runs": len(runs),
        "diverged": int(runs["status"].eq("diverged").sum()),
        "target sets": runs["target_set"].nunique(),
        "domains": runs["domain"].nunique(),
        "networks": ", ".join(networks) or None,
        "device": ", ".join(devices) or None,
        "hours": seconds / 3600 if seconds else None,
        "kWh": sum(joules) / JOULES if joules else None,
    }
    shown = {name: "-" if value is None else number(value) for name, value in full.items()}
    return {**shown, "hours": f"{seconds / 3600:.2f}" if seconds else "-"}, full


def _device(record: RunRecord) -> str:
    assert record.environment is not None
    return record.environment.device_name or record.environment.device


def cost_line(columns: Columns) -> str:
    """Hours of all runs, by device."""
    hours: dict[str, float] = {}
    for kind, seconds in zip(columns.like.tolist(), columns.own["seconds"].tolist(), strict=True):
        record = columns.examples[kind]
        if record.environment and np.isfinite(seconds):
            hours[_device(record)] = hours.get(_device(record), 0.0) + seconds / 3600
    if not hours:
        return "These runs do not say what they cost."
    told = ", ".join(
        f"{value:,.1f} hours on {name}" for name, value in sorted(hours.items(), key=lambda pair: -pair[1])
    )
    return f"Training and testing took {told}, one run after the other; runs side by side take less."


def citations(columns: Columns) -> list[str]:
    """Who reported the rows that were not trained here."""
    lines = {}
    said = columns.own["citation"].where(columns.own["citation"].notna(), "")
    for kind, own in zip(columns.like.tolist(), said.tolist(), strict=True):
        record = columns.examples[kind]
        if record.provenance != "trained" and (text := getattr(record.data, "citation", None) or own):
            lines[f"{record.study}: {record.provenance}, not trained here. {text}"] = None
    return list(lines)


def pictures(about: Material, colours: Mapping[str, Any]) -> list[Picture]:
    """Accuracy against robustness, and accuracy against images, where the runs have them."""
    made = []
    panels = _scaling_panels(about.trained)
    if panels:
        shown = sum(map(len, panels.values()))
        made.append(
            picture(
                two_scalings(panels), "Accuracy and robustness",
                f"After Figure 1 of the paper. A dot is a configuration, the mean of its seeds (n = {shown:,}), its "
                "area the number of training images; robustness is the mean accuracy over the distribution shifts that "
                "its target set is tested on. V: only classes that are tested. H: other classes as well.",
                _scaling_alt(panels),
            )
        )  # fmt: skip
    curves = _growth_panels(about.trained)
    if curves:
        made.append(
            picture(
                growth(curves, colours), "Accuracy against images",
                "A line is a target set trained on equally large classes and no others, at the image-steps that it was "
                f"trained at most often; a point is a size (n = {sum(map(len, curves.values())):,}). Colours are kinds "
                "of images, shapes target sets.",
                _growth_alt(curves),
            )
        )  # fmt: skip
    return made


def _scaling_panels(trained: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Of network and domain, those with most configurations."""
    if not {"out_accuracy", "out_robustness"} <= set(trained):
        return {}
    both = trained[
        trained["out_accuracy"].notna() & trained["out_robustness"].notna() & trained["ind_n_samples"].notna()
    ]
    groups = sorted(both.groupby(["spec_model", "domain"]), key=lambda pair: (-len(pair[1]), pair[0]))
    return {
        f"{domain}, {model}": own.rename(
            columns={"out_accuracy": "accuracy", "out_robustness": "robustness", "ind_n_samples": "images"}
        ).assign(other=own["ind_n_other_classes"].fillna(0).astype(float).gt(0))
        for (model, domain), own in groups[:PANELS]
        if len(own) >= FEWEST
    }


def _scaling_alt(panels: Mapping[str, pd.DataFrame]) -> str:
    told = []
    for title, own in panels.items():
        rho = own[["accuracy", "robustness"]].corr("spearman").iloc[0, 1]
        told.append(
            f"{title}: {len(own)} configurations, accuracy {100 * own['accuracy'].min():.0f} to "
            f"{100 * own['accuracy'].max():.0f} %, robustness {100 * own['robustness'].min():.0f} to "
            f"{100 * own['robustness'].max():.0f} %" + (f", rank correlation {rho:.2f}" if np.isfinite(rho) else "")
        )
    return f"Accuracy against robustness. {'; '.join(told)}."


def _growth_panels(trained: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Of the two networks with most configurations, balanced sets without other classes, in one stage."""
    if "out_accuracy" not in trained:
        return {}
    alone = trained[
        trained["axis_profile"].fillna("balanced").eq("balanced") & trained["ind_n_other_classes"].fillna(0).eq(0)
        & trained["axis_stages"].isna() & trained["out_accuracy"].notna() & trained["ind_n_samples"].notna()
    ]  # fmt: skip
    found = {}
    for model, own in sorted(alone.groupby("spec_model"), key=lambda pair: -len(pair[1])):
        kept = []
        for _, one in own.groupby("target_set"):
            steps = one["spec_image_steps"]
            usual = one[steps.eq(steps.mode().iloc[0])] if steps.nunique() < len(one) and steps.notna().any() else one
            line = usual.groupby(["domain", "target_set", "ind_n_samples"], as_index=False)["out_accuracy"].mean()
            kept += [line] if len(line) > 1 else []
        if kept and len(found) < 2:
            import pandas as pd

            joined = pd.concat(kept)
            found[str(model)] = joined.rename(columns={"ind_n_samples": "images", "out_accuracy": "accuracy"})
    return found


def _growth_alt(panels: Mapping[str, pd.DataFrame]) -> str:
    told = []
    for title, own in panels.items():
        ends = own.sort_values("images").groupby("target_set")["accuracy"].agg(["first", "last"])
        told.append(
            f"{title}: {len(ends)} target sets; from fewest to most images accuracy goes from "
            f"{100 * ends['first'].mean():.0f} to {100 * ends['last'].mean():.0f} % on average"
        )
    return f"Accuracy against training images. {'; '.join(told)}."

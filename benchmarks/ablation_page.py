"""The ablation's page: what each part gave, against the rung before it and against the study's recipe."""

from collections.abc import Mapping, Sequence
from typing import Any

METRIC = "mean_km"
#: To reach: the best of each task, as a part of the distance of the best constant answer.
AIM = 0.6


def page(tasks: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    tables = "\n\n".join(_task(task) for task in tasks)
    return f"""# Does each part do what it should?

**Emulated world** ({tasks[0]["world_version"]}): these figures show what the machinery does on drawn pictures. They
choose no default: defaults follow the literature.

`make ablation`: four tasks × {facts["seeds"]} paired seeds × {len(_labels(tasks[0]))} rungs, {facts["runs"]} runs in
{facts["minutes"]:.0f} minutes ({facts["new"]} of them new) with cached features of all stages of a frozen
EfficientNet-Lite0; commit {facts["commit"]}, {facts["machine"]}.
Each rung has all parts of the one before. The study's recipe has its loss,
temperature, batch, single views and argmax, on the same features, and may train as many epochs as ours; each stops by
validation ground and is tested once, on blocked test ground. "+ decoding" and "+ kNN" answer otherwise with the weights
of the rung before. "the default" is what `geolocate model train` does: the weights of "+ multi-positive", decoding, and
neighbours where val ground asks for them.

Brackets are 95 % intervals that draw seeds and ground blocks together. "− study-recipe" is the paired difference in
mean km with the interval at the level that Holm's correction over the rungs leaves, and **bold** where it excludes 0.

{tables}

## What was aimed at
{_aims(tasks)}
"""


def _labels(task: Mapping[str, Any]) -> list[str]:
    return list(task["against_first"]["runs"])


def _task(task: Mapping[str, Any]) -> str:
    compared, counts = task["against_first"], task["against_first"]["counts"]
    constant = compared["metrics"][METRIC]["best_constant"]["value"]
    lines = [
        f"## {task['task']}",
        f"{counts['classes']} classes, {counts['test_panoramas']} test panoramas in "
        f"{compared['intervals']['blocks']} ground blocks. The best constant answer: {constant:.0f} km on average.",
        "",
        "| | mean km | × best constant | accuracy, % | − the rung before, km | − study-recipe, km |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    before = [None, *task["against_before"]]
    for label, step in zip(_labels(task), before, strict=True):
        km, right = (compared["metrics"][name][label] for name in (METRIC, "accuracy"))
        lines.append(
            f"| {label} | {_bracketed(km)} | {km['value'] / constant:.2f} | {100 * right['value']:.1f} | "
            f"{_difference(step, label)} | {_difference(compared, label)} |"
        )
    return "\n".join(lines)


def _bracketed(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.1f}"
    return f"{figure['value']:.1f} [{figure['low']:.1f}, {figure['high']:.1f}]"


def _difference(compared: Mapping[str, Any] | None, label: str) -> str:
    one = compared and compared["paired"][METRIC].get(label)
    if not one:
        return ""
    if one.get("holm_low") is None:
        return f"{one['value']:+.1f}"
    text = f"{one['value']:+.1f} [{one['holm_low']:+.1f}, {one['holm_high']:+.1f}]"
    return f"**{text}**" if one["told_apart"] else text


def _aims(tasks: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for task in tasks:
        compared = task["against_first"]
        constant = compared["metrics"][METRIC]["best_constant"]["value"]
        kms = {label: compared["metrics"][METRIC][label]["value"] for label in _labels(task)}
        best = min(kms, key=lambda label: kms[label])
        share, whole = kms[best] / constant, _labels(task)[-1]
        one = compared["paired"][METRIC][whole]
        won = bool(one.get("told_apart")) and one["value"] < 0
        lines.append(
            f"- {task['task']}: best is {best} at {share:.2f} × the best constant, aimed at {AIM}: "
            f"{'reached' if share <= AIM else '**missed**'}; {whole} against the study's recipe "
            f"{_difference(compared, whole)} km: {'better after Holm' if won else '**not told apart, or worse**'}."
        )
    return "\n".join(lines)

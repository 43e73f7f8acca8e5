"""Follow the hashes: what a dataset version or a run was made of, what was made of it, and whether all of it agrees.

In: the name of a version or of a run. Out: a tree of nodes, each with the hash that was written down and what became
of the thing since: it agrees, changed, or is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from geolocate.dataset.lineage import code_version, collection_hashes, hash_of_file, layer_hashes
from geolocate.dataset.versions import dataset_versions, version_path
from geolocate.errors import DatasetError, RegionError
from geolocate.geography.partition import partition_version
from geolocate.geography.regions import Region, load_region
from geolocate.storage import DataRoot, read_json

#: ``noted`` is a fact that no file can contradict, ``unknown`` one that was not written down at the time.
State = Literal["agrees", "changed", "missing", "noted", "unknown"]


@dataclass(frozen=True)
class Node:
    """One thing that others were made of; ``sha256`` is the hash that was written down then."""

    kind: str
    name: str
    state: State
    sha256: str | None = None
    note: str = ""
    made_of: tuple["Node", ...] = ()
    used_by: tuple["Node", ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the tree as JSON values."""
        return asdict(self)

    def disagreeing(self) -> Iterator["Node"]:
        """Give each node of the tree whose hash no longer agrees with what is on the disk."""
        if self.state in ("changed", "missing"):
            yield self
        for node in (*self.made_of, *self.used_by):
            yield from node.disagreeing()


def trace(root: DataRoot, name: str) -> Node:
    """Trace a run, or a dataset version with the runs that were trained on it.

    Raises DatasetError when the name is neither a run nor a dataset, or both.
    """
    runs, versions = run_configs(root), dataset_versions(root, name) if "@" not in name else []
    if name in runs and versions:
        raise DatasetError(f"{name!r} is a run and a dataset: write {name}@{versions[-1]} for the dataset")
    if name in runs:
        return _run(root, name, runs[name])
    path = version_path(root, name)
    card = read_json(path / "card.json")
    trained = {run: config for run, config in runs.items() if config["dataset"]["sha256"] == card["sha256"]}
    return _version(root, path, card, tuple(_leaf_of_run(root, run) for run in trained))


def run_configs(root: DataRoot) -> dict[str, dict[str, Any]]:
    """Return what each run was started with, by its name."""
    found = sorted((root.path / "runs").glob("[!.]*/config.json"))
    return {path.parent.name: read_json(path) for path in found}


def _run(root: DataRoot, run: str, config: Mapping[str, Any]) -> Node:
    leaf, dataset = _leaf_of_run(root, run), config["dataset"]
    path = root.dataset(dataset["name"], dataset["version"])
    name = f"{dataset['name']}@{dataset['version']}"
    if not (path / "card.json").exists():
        made_of = Node("dataset", name, "missing", dataset["sha256"], f"{path} is gone")
    else:
        card = read_json(path / "card.json")
        made_of = _version(root, path, card)
        if card["sha256"] != dataset["sha256"]:
            made_of = Node("dataset", name, "changed", dataset["sha256"], "another content under the same version")
    return Node(leaf.kind, run, leaf.state, leaf.sha256, leaf.note, (made_of,))


def _leaf_of_run(root: DataRoot, run: str) -> Node:
    folder = root.run(run)
    if not (folder / "checkpoint.json").exists():
        return Node("run", run, "noted", note="not finished")
    expected = read_json(folder / "checkpoint.json").get("checkpoint_sha256")
    evaluated = "evaluated" if (folder / "metrics.json").exists() else "not evaluated"
    node = _compared("run", run, expected, hash_of_file(folder / "checkpoint.safetensors"))
    return Node(node.kind, run, node.state, expected, f"{evaluated}; {node.note}" if node.note else evaluated)


def _version(root: DataRoot, path: Path, card: Mapping[str, Any], used_by: tuple[Node, ...] = ()) -> Node:
    altered = [file for file, sha256 in card["files"].items() if hash_of_file(path / file) != sha256]
    lineage = card.get("lineage")
    name = f"{card['name']}@{card['version']}"
    note = f"altered: {', '.join(altered)}" if altered else f"{card['images']} images, {card['world']} world"
    made_of = (
        (*_parent(root, card), *_collections(root, lineage), _region(card, lineage), *_rest(card, lineage))
        if lineage
        else (Node("lineage", "made of", "unknown", note="published before hashes were written down"),)
    )
    return Node("dataset", name, "changed" if altered else "agrees", card["sha256"], note, made_of, used_by)


def _parent(root: DataRoot, card: Mapping[str, Any]) -> Iterator[Node]:
    """Name the version that this one took the place of; its own tree is shown when it is traced."""
    if "parent" not in card:
        return
    name, then = card["parent"]["version"], card["parent"]["sha256"]
    dataset, _, version = name.partition("@")
    path = root.dataset(dataset, version) / "card.json"
    yield _compared("parent", name, then, read_json(path)["sha256"] if path.exists() else None)


def _collections(root: DataRoot, lineage: Mapping[str, Any]) -> Iterator[Node]:
    for name, then in lineage["collections"].items():
        now = collection_hashes(root, name)
        parts = tuple(_compared(part, part, sha256, now[part]) for part, sha256 in then.items() if sha256)
        yield Node("collection", name, _worst(parts), made_of=parts)


def _region(card: Mapping[str, Any], lineage: Mapping[str, Any]) -> Node:
    then = lineage["region"]
    try:
        region = load_region(card["region"])
    except RegionError as error:
        return Node("region", card["region"], "missing", then["fingerprint"], str(error))
    parts = tuple(_region_parts(region, lineage))
    same = region.fingerprint == then["fingerprint"]
    note = "" if same else f"its file changed: {region.fingerprint} now"
    return Node("region", card["region"], "agrees" if same else "changed", then["fingerprint"], note, parts)


def _region_parts(region: Region, lineage: Mapping[str, Any]) -> Iterator[Node]:
    now = layer_hashes(region)
    for layer, sha256 in lineage["region"]["layers"].items():
        yield _compared("layer", layer, sha256, now.get(layer))
    then, current = lineage["partition_version"], partition_version(region)
    note = "" if then == current else f"{current} now: such a version is no longer opened"
    yield Node("partition", then, "agrees" if then == current else "changed", note=note)


def _rest(card: Mapping[str, Any], lineage: Mapping[str, Any]) -> Iterator[Node]:
    if lineage["suburb_overrides"]:
        path = Path(card["suburb_overrides"])
        yield _compared("overrides", str(path), lineage["suburb_overrides"], hash_of_file(path))
    code, current = lineage["code"], code_version()
    note = "" if code == current else f"{_code(current)} now"
    yield Node("code", _code(code), "noted", note=note)
    world = f"{card['world']} {card['world_version']}" if card.get("world_version") else card["world"]
    yield Node("world", world, "noted")
    yield Node("schema", lineage["schema_version"], "noted")


def _code(code: Mapping[str, str | None]) -> str:
    return f"{code['version']}, commit {code['commit']}" if code["commit"] else str(code["version"])


def _compared(kind: str, name: str, then: str | None, now: str | None) -> Node:
    if now is None:
        return Node(kind, name, "missing", then, "no such file any more")
    return Node(kind, name, "agrees", then) if now == then else Node(kind, name, "changed", then, f"{now[:12]} now")


def _worst(parts: tuple[Node, ...]) -> State:
    states = {part.state for part in parts}
    return "missing" if "missing" in states else "changed" if "changed" in states else "agrees"

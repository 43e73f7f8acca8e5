"""Export as archives that training reads in a stream: WebDataset shards, Parquet for Hugging Face ``datasets``.

In: an export job. Out: its folder, filled. Rows keep the order of their image ids, which are hashes: neighbours in a
shard have nothing to do with each other.
"""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from geolocate.dataset.export_job import ExportJob

#: Pictures a shard: some 50 MB at 320 x 320, 200 MB at 640 x 640.
SHARD = 1_000
#: Pictures of Parquet that a reader must take in at once.
_ROW_GROUP = 100
#: What the other side calls the parts.
SPLITS = {"train": "train", "val": "validation", "calibration": "calibration", "test": "test"}


def write_webdataset(job: ExportJob) -> None:
    """Write ``<part>/<part>-<shard>.tar``: of each image ``<id>.jpg`` and ``<id>.json`` with its row and ``label``."""
    from webdataset import TarWriter  # loads torch, which no other format needs

    done = 0
    for shard in job.shards(SHARD):
        folder = job.folder / shard.part
        folder.mkdir(exist_ok=True)
        # A fixed time makes the same rows the same bytes.
        with TarWriter(str(folder / f"{shard.part}-{shard.number:06d}.tar"), encoder=False, mtime=0) as tar:
            for record in shard.records():
                row = json.dumps(record, ensure_ascii=False).encode()
                tar.write({"__key__": record["image_id"], "jpg": job.body(record["sha256"]), "json": row})
                done += 1
                job.tell(done, len(job.rows))


def write_hugging_face(job: ExportJob) -> None:
    """Write ``data/<split>-<shard>-of-<shards>.parquet`` and a ``README.md`` that tells ``load_dataset`` of them."""
    (job.folder / "data").mkdir()
    schema, done = _schema(job), 0
    for shard in job.shards(SHARD):
        name = f"{SPLITS[shard.part]}-{shard.number:05d}-of-{shard.total:05d}.parquet"
        records = shard.records()
        with pq.ParquetWriter(job.folder / "data" / name, schema, compression="zstd") as file:
            for start in range(0, len(records), _ROW_GROUP):
                group = [_with_picture(job, record) for record in records[start : start + _ROW_GROUP]]
                file.write_table(pa.Table.from_pylist(group, schema))
                done += len(group)
                job.tell(done, len(job.rows))
    _write_readme(job)


def _with_picture(job: ExportJob, record: dict[str, Any]) -> dict[str, Any]:
    picture = {"bytes": job.body(record["sha256"]), "path": f"{record['image_id']}.jpg"}
    return record | {"image": picture}


def _schema(job: ExportJob) -> pa.Schema:
    """Return the columns, with the note by which ``datasets`` knows pictures and labels."""
    plain = pa.Schema.from_pandas(job.rows, preserve_index=False)
    columns = {field.name: pa.string() if _is_text(field.type) else field.type for field in plain}
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", picture), ("label", pa.int64()), *columns.items()])
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": _features(job, columns)}})})


def _is_text(kind: pa.DataType) -> bool:
    # A column without a single value has no type of its own.
    return bool(pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _features(job: ExportJob, columns: dict[str, pa.DataType]) -> dict[str, Any]:
    # The other side's names of types differ from Arrow's in two cases only.
    names = {"double": "float64", "float": "float32"}
    return {
        "image": {"_type": "Image"},
        "label": {"names": [str(name) for name in job.version.classes["class_name"]], "_type": "ClassLabel"},
        **{name: {"dtype": names.get(str(kind), str(kind)), "_type": "Value"} for name, kind in columns.items()},
    }


def _write_readme(job: ExportJob) -> None:
    """Turn the version's card into what ``load_dataset`` reads first: files and splits in its head, JSON being YAML."""
    path = job.folder / "card.md"
    card = path.read_text(encoding="utf-8") if path.exists() else f"---\n---\n# {job.version.ref}\n"
    present = set(job.rows["part"])
    files = [{"split": split, "path": f"data/{split}-*"} for part, split in SPLITS.items() if part in present]
    configs = json.dumps([{"config_name": "default", "data_files": files}])
    head = f"---\nconfigs: {configs}\n"
    (job.folder / "README.md").write_text(card.replace("---\n", head, 1), encoding="utf-8")
    path.unlink(missing_ok=True)

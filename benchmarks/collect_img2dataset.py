"""img2dataset over a list of addresses, hashes on; run by the Python of an environment that has it.

    python benchmarks/collect_img2dataset.py URL IMAGES

Out: one line of JSON as collect_contenders.py prints it. Its processes start anew with every call and need several
seconds for their imports, which shall not count: the seconds are those between its own first and last time stamp, and
the CPU time of a call with few images is taken off.
"""

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

# Otherwise one of its packages asks the network for newer versions at every start.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

SIDE = 640
WARM_UP = 64


def main() -> None:
    url, images = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="geolocate-benchmark-") as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        few_cpu_s, all_cpu_s = (downloaded(url, count, place) for count, place in ((WARM_UP, few), (images, many)))
        shards = [json.loads(path.read_text()) for path in (many / "out").glob("*_stats.json")]
    seconds = max(shard["end_time"] for shard in shards) - min(shard["start_time"] for shard in shards)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    done = sum(shard["successes"] for shard in shards)
    result = {"images": done, "seconds": seconds, "cpu_s": all_cpu_s - few_cpu_s, "peak_mb": peak / 1024}
    print(json.dumps(result))


def downloaded(url: str, images: int, folder: Path) -> float:
    """Download so many pictures and return the CPU seconds of all processes."""
    from img2dataset import download

    folder.mkdir()
    addresses = folder / "addresses.txt"
    queries = (
        f"pano=p{number // 3:021d}&size={SIDE}x{SIDE}&heading={number % 3 * 90}&key=k" for number in range(images)
    )
    addresses.write_text("\n".join(f"{url}/maps/api/streetview?{query}" for query in queries))
    before = cpu_s()
    download(
        url_list=str(addresses),
        output_folder=str(folder / "out"),
        processes_count=os.cpu_count() or 2,
        thread_count=64,
        resize_mode="no",
        compute_hash="sha256",
        number_sample_per_shard=250,
    )
    return cpu_s() - before


def cpu_s() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


if __name__ == "__main__":
    main()

"""Who is to be named, and what licences ask for, stands beside every version and every copy of it."""

import time

import numpy as np
import pandas as pd

from geolocate.dataset import PublishRequest, publish
from geolocate.dataset.attribution import ATTRIBUTION, attribution_text, needs_attribution, owed_for
from geolocate.dataset.exporting import export_dataset
from geolocate.dataset.forgetting import Wanted, choose_victims
from geolocate.manifest import write_manifest
from geolocate.manifest.tombstones import Rules
from geolocate.reporting.forgetting import forget_everywhere
from geolocate.storage import DataRoot, read_json
from tests.dataset.published import city_rows

ANN = {"license": "CC-BY-SA-4.0", "rights_basis": "open-licence", "creator": "Ann", "attribution": "© Ann, Panoramax"}
BEA = ANN | {"license": "etalab-2.0", "creator": "Bea", "attribution": "© Bea, Panoramax"}
CEM = {"license": "LicenseRef-x", "rights_basis": "agreement:No. 7", "creator": None, "attribution": "© Somebody"}
DEE = {"license": "CC0-1.0", "rights_basis": "own", "creator": None, "attribution": "geolocate emulator"}


def rows_of(*kinds, world="real"):
    return pd.DataFrame([{**kind, "world": world} for kind in kinds])


def test_each_licence_has_its_address_what_it_asks_and_whom_to_name():
    text = attribution_text(
        "open@1", rows_of(ANN, ANN, ANN | {"creator": "Abe", "attribution": "© Abe"}, BEA, CEM, DEE)
    )
    by_sa, etalab = text.index("CC-BY-SA-4.0 (open-licence): 3 pictures"), text.index("etalab-2.0 (open-licence): 1")
    assert by_sa < etalab
    assert "https://creativecommons.org/licenses/by-sa/4.0/" in text[by_sa:etalab]
    assert "Share-alike" in text[by_sa:etalab]
    assert "Share-alike" not in text[etalab:]
    assert text.index("2  © Ann, Panoramax") < text.index("1  © Abe")
    assert "1  © Bea, Panoramax" in text[etalab:]
    assert "Held under No. 7" in text
    assert "Dedicated to the public" in text
    assert "emulated" not in text.split("pictures of")[1].split("CC-BY-SA")[0]


def test_an_emulated_version_says_that_nobody_took_these_pictures():
    assert "emulated world: they are no photographs" in attribution_text("x@1", rows_of(ANN, world="emulated"))


def test_a_name_cannot_break_out_of_its_line():
    text = attribution_text("x@1", rows_of(ANN | {"creator": "Eve\nCC0-1.0 (own)", "attribution": "© Eve\n\nCC0"}))
    assert "© Eve CC0 (by Eve CC0-1.0 (own))" in text


def test_what_is_dedicated_to_the_public_needs_no_file():
    assert not needs_attribution(rows_of(DEE))
    assert needs_attribution(rows_of(DEE, CEM))


def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(0)
    name = rng.integers(0, 20_000, 1_000_000).astype(str)
    rows = pd.DataFrame({"creator": name, "attribution": "© " + pd.Series(name), "rights_basis": "open-licence"})
    rows = rows.assign(license=np.where(rng.random(len(rows)) < 0.5, "CC-BY-SA-4.0", "etalab-2.0"), world="real")
    started = time.monotonic()
    text = attribution_text("x@1", rows)
    assert time.monotonic() - started < 10
    assert sum(owed.images for owed in owed_for(rows.head(1000))) == 1000
    assert text.count("\n") > 20_000


def test_versions_and_copies_have_the_file_and_lose_who_is_forgotten(tmp_path):
    root = DataRoot(tmp_path / "data")
    rows = city_rows(root, license="CC-BY-SA-4.0", rights_basis="open-licence")
    rows["attribution"] = "© " + rows["creator"] + ", Panoramax"
    write_manifest(rows, root.collection("open") / "manifest" / "00000.parquet")
    ref = publish(root, PublishRequest(name="open", collections=("open",), top=20))
    version = root.dataset("open", ref.version)
    text = (version / ATTRIBUTION).read_text()
    assert f"pictures of {ref}" in text
    assert "75  © Leeds, Panoramax" in text
    card = read_json(version / "card.json")
    assert [(entry["license"], entry["creators"]) for entry in card["owed"]] == [("CC-BY-SA-4.0", 3)]
    assert "Share-alike" in (version / "card.md").read_text()
    export_dataset(root, "open", "csv", tmp_path / "copy", "none")
    assert "75  © Leeds, Panoramax" in (tmp_path / "copy" / ATTRIBUTION).read_text()
    wanted = Wanted(rules=Rules(creators=("Leeds",)))
    forget_everywhere(root, wanted, choose_victims(root, wanted))
    after = (version / ATTRIBUTION).read_text()
    assert "Leeds" not in after
    assert "75  © Bristol, Panoramax" in after

"""Rights are facts in the rows; what follows from them stands in a policy, and is asked where the use happens."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolocate.dataset import publish
from geolocate.dataset.rights import USES, allowed, check_rights, expired, load_policy, policy_in_force
from geolocate.errors import RightsError, SettingsError
from geolocate.storage import DataRoot
from tests.dataset.published import request, write_cities

ALL = set(USES)
KEEP = ALL - {"redistribute"}


def row(basis, license_id="CC0-1.0", until=None):
    return pd.DataFrame({"rights_basis": [basis], "license": [license_id], "retain_until": [until]})


@pytest.mark.parametrize(
    ("basis", "license_id", "uses"),
    [
        ("own", "All-Rights-Reserved", ALL),
        ("open-licence", "CC0-1.0", ALL),
        ("open-licence", "CC-BY-4.0", ALL),
        ("open-licence", "cc-by-sa-4.0", ALL),
        ("open-licence", "OGL-UK-3.0", ALL),
        ("open-licence", "CC-BY-NC-4.0", KEEP),
        ("open-licence", "CC-BY-NC-SA-4.0", KEEP),
        ("open-licence", "CC-BY-ND-4.0", {"store", "evaluate"}),
        ("open-licence", "CC-BY-NC-ND-4.0", {"store", "evaluate"}),
        ("open-licence", "Some-New-Licence-1.0", KEEP),
        ("agreement:G-17", "LicenseRef-Google-Maps-Platform", KEEP),
        ("none", "CC0-1.0", set()),
        ("", "", set()),
        ("hearsay", "CC0-1.0", set()),
    ],
)
def test_the_careful_default(basis, license_id, uses):
    policy = policy_in_force()
    assert {use for use in USES if allowed(policy, row(basis, license_id), use).all()} == uses


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(["own", "none", "agreement:x"]), st.sampled_from(["CC0-1.0", "X"])), max_size=9)
)
def test_each_row_is_judged_by_itself(kinds):
    policy = policy_in_force()
    rows = pd.DataFrame(kinds, columns=["rights_basis", "license"])
    alone = [bool(allowed(policy, row(*kind), "redistribute").all()) for kind in kinds]
    assert list(allowed(policy, rows, "redistribute")) == alone


def test_what_had_to_be_deleted_is_used_for_nothing():
    until = pd.concat([row("own", until=day) for day in ("2020-05-01", "2020-05-02T10:00:00Z", "2020-05-03", None)])
    assert list(expired(until, date(2020, 5, 2))) == [True, False, False, False]
    for use in USES:
        with pytest.raises(RightsError, match=r"1 of 1 rows had to be deleted by 2020-05-01.*forget --expired"):
            check_rights(row("own", until="2020-05-01"), use)


def test_a_policy_of_ones_own_takes_the_place_of_the_default(tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text('[[rules]]\nrights_basis = ["agreement:G-*"]\nuses = ["redistribute"]\n')
    monkeypatch.setenv("GEOLOCATE_POLICY", str(file))
    check_rights(row("agreement:G-17"), "redistribute")
    with pytest.raises(
        RightsError, match=r"1 of 1 rows may not be trained on: rights_basis 'agreement:G-17'.*mine\.toml"
    ):
        check_rights(row("agreement:G-17"), "train")
    with pytest.raises(RightsError, match="rights_basis 'own'"):
        check_rights(row("own"), "store")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read.*GEOLOCATE_POLICY"),
        ("rules = [", "is not TOML"),
        ('[[rules]]\nrights_basis = ["own"]\nuses = ["sell"]\n', r"rules\.0\.uses\.0 'sell': .*'store'"),
        ("[[rules]]\nrights_basis = []\nuses = []\n", r"rules\.0\.rights_basis"),
        ('[[rules]]\nbasis = ["own"]\nuses = []\n', r"rules\.0\.\w+"),
        ("", "rules: Field required"),
    ],
)
def test_a_file_that_is_no_policy_is_one_line(tmp_path, text, words):
    file = tmp_path / "policy.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=words) as caught:
        load_policy(file)
    assert "\n" not in str(caught.value)


def test_nothing_without_rights_is_published(tmp_path):
    root = DataRoot(tmp_path)
    write_cities(root, rights_basis="none")
    with pytest.raises(RightsError, match=r"225 of 225 rows may not be kept in a dataset: rights_basis 'none'"):
        publish(root, request())

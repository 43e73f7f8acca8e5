"""Which use the rights in the rows allow: rights are facts, a policy file says what follows from them.

In: rows with ``rights_basis, license`` and, where they have it, ``retain_until``; a policy. Out: which rows may be
used, or one line that says how many may not and why.
"""

import tomllib
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, get_args

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geolocate.errors import RightsError, SettingsError, first_mistake
from geolocate.settings import settings_from_environment

Use = Literal["store", "train", "evaluate", "redistribute"]
USES: tuple[Use, ...] = get_args(Use)

_DEFAULT = Path(__file__).parent / "policy.toml"
_VERBS = {
    "store": "kept in a dataset",
    "train": "trained on",
    "evaluate": "evaluated on",
    "redistribute": "passed on",
}

Patterns = Annotated[tuple[str, ...], Field(min_length=1)]


class Rule(BaseModel):
    """What may be done with pictures whose rights basis and licence fit the patterns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rights_basis: Patterns
    license: Patterns = ("*",)
    uses: tuple[Use, ...]
    why: str = ""

    def fits(self, rights_basis: str, license_id: str) -> bool:
        """Say whether the rule is about such pictures; SPDX ids do not tell upper from lower case."""
        return _fits(rights_basis, self.rights_basis) and _fits(license_id, self.license)


class Policy(BaseModel):
    """Rules in their order: the first that fits decides, and what no rule fits may not be used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...]
    file: Path

    def uses_of(self, rights_basis: str, license_id: str) -> tuple[Use, ...]:
        """Return what may be done with a picture of this basis and licence."""
        return next((rule.uses for rule in self.rules if rule.fits(rights_basis, license_id)), ())


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)


def policy_in_force() -> Policy:
    """Read the policy file that ``GEOLOCATE_POLICY`` names, or the one that travels with the library."""
    return load_policy(settings_from_environment().policy or _DEFAULT)


def load_policy(path: Path) -> Policy:
    """Read a policy file. Raises SettingsError for one that is missing or is not a policy."""
    try:
        return Policy.model_validate({"file": path, **tomllib.loads(path.read_text(encoding="utf-8"))})
    except ValidationError as error:
        raise SettingsError(f"policy {path}: {first_mistake(error)}; see docs/dataset-versions.md") from None
    except OSError as error:
        raise SettingsError(f"policy {path} cannot be read ({error.strerror}): check GEOLOCATE_POLICY") from None
    except ValueError as error:
        raise SettingsError(f"policy {path} is not TOML: {error}") from None


def allowed(policy: Policy, rows: pd.DataFrame, use: Use) -> "pd.Series[bool]":
    """Say of each row whether the policy allows the use; what had to be deleted by now is allowed for none."""
    kinds = rows[["rights_basis", "license"]].drop_duplicates().itertuples(index=False, name=None)
    verdicts = {kind: use in policy.uses_of(*kind) for kind in kinds}
    pairs = zip(rows["rights_basis"], rows["license"], strict=True)
    return pd.Series([verdicts[pair] for pair in pairs], rows.index, dtype=bool) & ~expired(rows)


def expired(rows: pd.DataFrame, today: date | None = None) -> "pd.Series[bool]":
    """Say of each row whether its ``retain_until`` has passed, by the date in UTC; that day itself is allowed."""
    if "retain_until" not in rows:
        return pd.Series(data=False, index=rows.index)
    now = (today or datetime.now(UTC).date()).isoformat()
    until = rows["retain_until"]
    return until.notna() & (until.astype("string").fillna(now).str[:10] < now).astype(bool)


def check_rights(rows: pd.DataFrame, use: Use, policy: Policy | None = None) -> None:
    """Raise RightsError, in one line, when a row may not be used so; without a policy the one in force decides."""
    policy = policy or policy_in_force()
    refused = rows[~allowed(policy, rows, use)]
    if refused.empty:
        return
    late = refused[expired(refused)]
    if len(late):
        raise RightsError(
            f"{len(late)} of {len(rows)} rows had to be deleted by {late['retain_until'].min()} (retain_until): "
            "`geolocate data forget --expired` does it"
        )
    kinds = refused.value_counts(["rights_basis", "license"])
    basis, license_id = kinds.index[0]
    others = f" and {len(kinds) - 1} other kinds" if len(kinds) > 1 else ""
    raise RightsError(
        f"{len(refused)} of {len(rows)} rows may not be {_VERBS[use]}: rights_basis {basis!r}, licence {license_id!r}"
        f"{others} (use {use!r} of {policy.file}); leave their collection out, or name a policy of your own in "
        "GEOLOCATE_POLICY"
    )

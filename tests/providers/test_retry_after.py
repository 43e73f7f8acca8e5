"""How long a server asks to wait."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolocate.providers.retry_after import retry_after_s


def test_seconds_and_dates_are_read():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after_s("120") == 120.0
    assert 85 < retry_after_s(later) <= 90
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "9" * 40])
def test_what_cannot_be_read_is_left_to_our_own_back_off(header):
    assert retry_after_s(header) is None


ODD_DATES = st.builds(
    "Mon, {} Jan {} {}:{}:00 {}".format,
    *[st.integers(0, 10**20)] * 4,
    st.sampled_from(["GMT", "-0000", "+9999", "-2359", ""]),
)


@given(st.text() | ODD_DATES)
def test_no_header_ends_a_run(header):
    seconds = retry_after_s(header)
    assert seconds is None or seconds >= 0

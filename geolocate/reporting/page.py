"""Fill a page's template.

In: the template's name and what it shows. Out: one text; in HTML whatever a name may hold is escaped.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return the page, HTML (escaped) or Markdown.

    A name that the template asks for and ``content`` lacks is an error, not a gap.
    """
    escaped = template.endswith("html.j2")
    environment = Environment(
        loader=PackageLoader("geolocate.reporting"),
        autoescape=select_autoescape(default=escaped, default_for_string=escaped),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(content)

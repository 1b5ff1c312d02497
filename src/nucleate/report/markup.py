"""Pages and pieces of pages, made from the folder `templates`.

Every text is escaped there, unless it is `Markup` already.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MINUS = "\u2212"


@cache
def environment() -> Environment:
    """The templates with their filters; a value that a template asks for and does not get is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from nucleate.evaluate.metric import format_interval, format_published, format_value

    found = Environment(
        loader=PackageLoader("nucleate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "formula": formula_html,
        "space_group": space_group_html,
        "signed": signed,
        "exact": repr,
        "thousands": "{:,}".format,
        "duration": duration_text,
    }
    found.globals |= {
        "format_value": format_value,
        "format_interval": format_interval,
        "format_published": format_published,
    }
    return found


def render_template(template: str, **values: Any) -> str:
    """The whole page that a template makes of these values."""
    return environment().get_template(template).render(values)


def macro(template: str, name: str, *values: Any) -> Markup:
    """A piece of a page, made by the macro `name` of a template."""
    from markupsafe import Markup

    made = getattr(environment().get_template(template).module, name)(*values)
    return Markup(made.strip())


def asset(name: str) -> Markup:
    """A style or script of this package, which goes into a page as it is."""
    from markupsafe import Markup

    return Markup((resources.files("nucleate.report") / "assets" / name).read_text(encoding="utf-8"))


def script(text: str) -> Markup:
    """JavaScript of this package, which goes into a page as it is."""
    from markupsafe import Markup

    return Markup(text)


def script_hashes(scripts: Sequence[str]) -> str:
    """Hashes of the scripts for a content security policy, with which a browser runs no other scripts."""
    digests = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def embedded_json(values: Any) -> Markup:
    """JSON for a script element, escaped so that no text in it can end the element."""
    from markupsafe import Markup

    text = json.dumps(values, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def formula_html(formula: str) -> Markup:
    """A formula with its counts as subscripts."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"(?<=[A-Za-z\])])(\d+(?:\.\d+)?)", r"<sub>\1</sub>", str(escape(formula))))


def space_group_html(symbol: str) -> Markup:
    """A Hermann-Mauguin symbol with bars over rotoinversions and screw axes as subscripts."""
    from markupsafe import Markup, escape

    text = re.sub(r"_(\d)", r"<sub>\1</sub>", str(escape(symbol)))
    return Markup(re.sub(r"-(\d)", r'<span class="bar">\1</span>', text))


def signed(value: float) -> str:
    """A number with three decimals and a true minus sign, and with no minus before zero."""
    return f"{value:.3f}".replace("-", MINUS) if round(value, 3) else "0.000"


def duration_text(seconds: float) -> str:
    """A time in seconds as a readable text: "0.42 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

#!/usr/bin/env python3
# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print plugins/module_utils/_litellm_keys.py, taken from the LiteLLM that is importable here.

LiteLLM accepts unknown settings in silence, so the plan checks them against these lists. Run this with the Python of an
environment that holds the pinned LiteLLM, whenever the pin moves, and read the difference before you commit it.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import pathlib
import re
import textwrap
import typing

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

# One word of an annotation decides; the first that fits, in this order.
KINDS = (
    ("bool", r"bool"),
    ("number", r"float"),
    ("int", r"int"),
    ("list", r"list|sequence|tuple"),
    ("map", r"dict|mapping"),
    ("text", r"str|literal\[.*"),
)
# Attributes of the litellm module that are not settings: catalogues of models, and keys.
NO_SETTING = re.compile(
    r"_models$|_models_set$|(^|_)key$|(^|_)token$|^api_|^model_(list|cost)"
    r"|^(annotations|email|project|organization|logging|tracer|retry)$|_instance|^models_by_provider$|^known_tokenizer_config$|_map$|^error_logs$|session$|^initialized_|^secret_manager_client$"
)


def kind(annotation: object) -> str:
    """Name the kind of value an annotation allows; 'any' where it allows several, or a class of LiteLLM's own."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\b(typing|collections\.abc|types)\.", "", text).lower()
    text = re.sub(r"^optional\[(.*)\]$", r"\1", text).replace(" | none", "")
    text = re.sub(r"^<class '(.*)'>$", r"\1", text)
    text = re.sub(r"^(list|dict|sequence|mapping|tuple|set|frozenset)\[.*\]$", r"\1", text)
    return next((name for name, pattern in KINDS if re.fullmatch(pattern, text)), "any")


def router_settings() -> dict[str, str]:
    """The arguments of the router, which is where the proxy hands router_settings to."""
    from litellm import Router

    parameters = inspect.signature(Router.__init__).parameters
    return {name: kind(parameters[name].annotation) for name in Router.get_valid_args()}


def general_settings() -> dict[str, str]:
    """The documented fields, and the names that the proxy's source reads without documenting them."""
    import litellm
    from litellm.proxy._types import ConfigGeneralSettings

    proxy = pathlib.Path(litellm.__file__).parent / "proxy"
    pattern = re.compile(r"general_settings(?:\.get\(|\[)\s*\"([a-z_0-9]+)\"")
    read = {name for file in proxy.rglob("*.py") for name in pattern.findall(file.read_text(encoding="utf-8"))}
    fields = {name: kind(field.annotation) for name, field in ConfigGeneralSettings.model_fields.items()}
    return {**dict.fromkeys(read, "any"), **fields}


def litellm_settings() -> dict[str, str]:
    """The names the proxy reads, and the litellm module's own settings, which the proxy assigns by name."""
    import litellm

    source = (pathlib.Path(litellm.__file__).parent / "proxy" / "proxy_server.py").read_text(encoding="utf-8")
    loader = source[source.index("for key, value in litellm_settings.items()") :]
    loader = loader[: loader.index("## GENERAL SERVER SETTINGS")]
    read = set(re.findall(r"key == \"([a-z_0-9]+)\"", loader))
    read |= set(re.findall(r"litellm_settings(?:\.get\(|\[)\s*\"([a-z_0-9]+)\"", source))
    return {**dict.fromkeys(read, "any"), **module_settings(vars(litellm))}


def module_settings(module: dict[str, typing.Any]) -> dict[str, str]:
    """The lower-case attributes that hold a plain value and are annotated as one, or are not annotated at all."""
    found = {}
    for name, value in module.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or NO_SETTING.search(name):
            continue
        if callable(value) or inspect.ismodule(value):
            continue
        annotation = module["__annotations__"].get(name)
        if annotation is None and isinstance(value, (bool, int, float)):
            annotation = type(value)
        if annotation is not None and not str(annotation).lower().startswith("set"):
            found[name] = kind(annotation)
    return found


def block(title: str, keys: dict[str, str]) -> str:
    """Write one table: a line of names for each kind."""
    lines = [f"{title}: Mapping[str, str] = _table("]
    for each in sorted(set(keys.values())):
        names = " ".join(sorted(name for name, found in keys.items() if found == each))
        lines += [f'    {each}="""', textwrap.indent(textwrap.fill(names, 110), "    "), '    """,']
    return "\n".join([*lines, ")"])


HEAD = '''\
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings LiteLLM knows, by section, with the kind of value each takes. Written by tools/litellm_keys.py."""

from __future__ import annotations

from collections.abc import Mapping

LITELLM_VERSION = "VERSION"


def _table(**kinds: str) -> Mapping[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}

'''


def main() -> None:
    """Print the module."""
    print(HEAD.replace('VERSION = "VERSION', f'VERSION = "{importlib.metadata.version("litellm")}'))
    print(block("ROUTER_SETTINGS", router_settings()), end="\n\n")
    print(block("LITELLM_SETTINGS", litellm_settings()), end="\n\n")
    print(block("GENERAL_SETTINGS", general_settings()))


if __name__ == "__main__":
    main()

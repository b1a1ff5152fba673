#!/usr/bin/env python3
# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the lists of what LiteLLM knows, taken from the LiteLLM that is importable here.

tools/litellm_keys.py settings    plugins/module_utils/_litellm_keys.py: sections, their settings, a few choices
tools/litellm_keys.py models      plugins/module_utils/_litellm_model_keys.py: what an entry of model_list may hold

LiteLLM accepts unknown settings in silence, so the plan and the checker know these lists. Run this with the Python of
an environment that holds the pinned LiteLLM, whenever the pin moves, and read the difference before you commit it.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import pathlib
import re
import sys
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


def sources(below: str) -> typing.Iterator[str]:
    """The text of LiteLLM's files: of one, or of all below a directory."""
    import litellm

    place = pathlib.Path(litellm.__file__).parent / below
    for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
        yield file.read_text(encoding="utf-8")


def names_in(texts: typing.Iterable[str], pattern: str) -> set[str]:
    """What a pattern finds in the source, where no table of LiteLLM's says it."""
    return {name for text in texts for name in re.findall(pattern, text)}


def router_settings() -> dict[str, str]:
    """The arguments of the router, which is where the proxy hands router_settings to."""
    from litellm import Router

    parameters = inspect.signature(Router.__init__).parameters
    return {name: kind(parameters[name].annotation) for name in Router.get_valid_args()}


def general_settings() -> dict[str, str]:
    """The documented fields, and the names that the proxy's source reads without documenting them."""
    from litellm.proxy._types import ConfigGeneralSettings

    read = names_in(sources("proxy"), r"general_settings(?:\.get\(|\[)\s*\"([a-z_0-9]+)\"")
    fields = {name: kind(field.annotation) for name, field in ConfigGeneralSettings.model_fields.items()}
    # These are read by the name of a constant, and only the literal true counts.
    switches = names_in(sources("proxy"), r"_CONFIG_KEY: Final = \"([a-z_0-9]+)\"")
    return {**dict.fromkeys(read, "any"), **dict.fromkeys(switches, "bool"), **fields}


def litellm_settings() -> dict[str, str]:
    """The names the proxy reads, and the litellm module's own settings, which the proxy assigns by name."""
    import litellm

    server = next(sources("proxy/proxy_server.py"))
    loader = server[server.index("for key, value in litellm_settings.items()") :]
    loader = loader[: loader.index("## GENERAL SERVER SETTINGS")]
    read = set(re.findall(r"key == \"([a-z_0-9]+)\"", loader))
    texts = [*sources("proxy"), *sources("integrations")]
    read |= names_in(texts, r"litellm_settings(?:\.get\(|\[)\s*\"([a-z_0-9]+)\"")
    read |= names_in(sources("proxy"), r"getattr\(litellm, \"([a-z][a-z_0-9]+)\", (?:False|True|None)\)")
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


def top_level() -> set[str]:
    """The sections of a configuration: the documented ones, and those that the proxy's loader reads."""
    from litellm.proxy._types import ConfigYAML

    server = next(sources("proxy/proxy_server.py"))
    loader = server[server.index("async def get_config(") : server.index("def _load_alerting_settings")]
    loader += server[server.index("def load_credential_list") : server.index("def parse_search_tools")]
    read = set(re.findall(r"(?<![\w.])config\.get\(\s*\"([a-z_0-9]+)\"", loader))
    read |= set(re.findall(r"config\.get\(\"[a-z_]+\", config\.get\(\"([a-z_]+)\"", loader))
    return {*ConfigYAML.model_fields, *read, "include"}


def callbacks() -> set[str]:
    """The names that stand for a logger or hook of LiteLLM's own."""
    import litellm

    hooks = names_in(
        [*sources("proxy/common_utils/callback_utils.py"), *sources("litellm_core_utils/litellm_logging.py")],
        r"(?:callback|logging_integration) == \"([a-z_0-9]+)\"",
    )
    return {*litellm._known_custom_logger_compatible_callbacks, *hooks}


# Settings that work without a licence, although a function that asks for one reads them too.
FREE = {
    "allow_user_auth",
    "enable_oauth2_proxy_auth",
    "litellm_key_header_name",
    "pass_through_endpoints",
    "use_x_forwarded_for",
}


def licensed() -> set[str]:
    """The settings that a function reads which also asks for a licence; the loader of everything is left out."""
    found: set[str] = set()
    for text in sources("proxy"):
        for function in re.split(r"^\s*(?:async )?def |^class ", text, flags=re.MULTILINE):
            if "premium_user is not True" in function and not function.startswith("load_config"):
                found |= set(re.findall(r"general_settings(?:\.get\(|\[)\s*\"([a-z_0-9]+)\"", function))
                found |= set(re.findall(r"\"([a-z_0-9]+)\" in general_settings", function))
    loader = next(sources("proxy/proxy_server.py"))
    found |= set(re.findall(r"\n +if ([a-z_]+) is not None and premium_user is False", loader))
    found |= set(re.findall(r"general_settings\.get\(\"([a-z_]+)\"\) is not None and premium_user", loader))
    return found & general_settings().keys() - FREE


def licensed_callbacks() -> set[str]:
    """The hooks that ask for a licence as soon as they are named."""
    source = next(sources("proxy/common_utils/callback_utils.py"))
    branches = re.split(r"elif isinstance\(callback, str\) and callback == ", source)
    return {branch.split('"')[1] for branch in branches[1:] if "premium_user is not True" in branch}


def pricing() -> set[str]:
    """The prices, which a deployment may state in either place."""
    from litellm.types.utils import CustomPricingLiteLLMParams

    return set(CustomPricingLiteLLMParams.model_fields)


def litellm_params() -> dict[str, str]:
    """What a deployment may be told: LiteLLM's own parameters, and those of the OpenAI API that it passes on."""
    import litellm
    from litellm.types.router import LiteLLM_Params
    from litellm.types.utils import all_litellm_params

    standard = {*litellm.OPENAI_CHAT_COMPLETION_PARAMS, *litellm.constants.OPENAI_EMBEDDING_PARAMS, "extra_body"}
    names = {name for name in {*all_litellm_params, *standard} if re.fullmatch(r"[a-z][a-z0-9_]*", name)}
    fields = {name: kind(field.annotation) for name, field in LiteLLM_Params.model_fields.items()}
    found = {**dict.fromkeys(names, "any"), **fields}
    return {name: each for name, each in found.items() if name not in {*pricing(), "self"}}


def model_info() -> dict[str, str]:
    """What is known about a model: LiteLLM's own fields, those of its catalogue, and those that its source reads."""
    import litellm
    from litellm.types.router import ModelInfo

    catalogue: dict[str, str] = {}
    for entry in litellm.model_cost.values():
        catalogue.update(
            {name: kind(type(value)) for name, value in entry.items() if re.fullmatch(r"[a-z_0-9]+", name)}
        )
    texts = [
        *sources("router.py"),
        *sources("router_utils"),
        *sources("proxy/health_check.py"),
        *sources("proxy/proxy_server.py"),
    ]
    read = names_in(texts, r"model_info\.get\(\"([a-z_0-9]+)\"")
    read |= names_in(sources("proxy/health_check.py"), r"\"((?:disable_)?(?:background_)?health_check[a-z_]*)\"")
    read |= names_in(sources("router_utils/cooldown_handlers.py"), r"mi\.get\(\"([a-z_]+)\"")
    fields = {name: kind(field.annotation) for name, field in ModelInfo.model_fields.items()}
    found = {**dict.fromkeys(read, "any"), **catalogue, **fields}
    return {name: each for name, each in found.items() if name not in pricing()}


def providers() -> set[str]:
    """What may stand before the first slash of a model."""
    import litellm
    from litellm.llms.openai_like.json_loader import JSONProviderRegistry

    known = {getattr(name, "value", name) for name in litellm.provider_list}
    return {*map(str, known), *JSONProviderRegistry.list_providers()}


def modes() -> set[str]:
    """What a model may be for, by the catalogue."""
    import litellm

    found = {entry.get("mode") for entry in litellm.model_cost.values()}
    return {mode for mode in found if mode and re.fullmatch(r"[a-z_]+", mode)}


def block(title: str, keys: dict[str, str]) -> str:
    """Write one table: a line of names for each kind."""
    lines = [f"{title}: Mapping[str, str] = _table("]
    for each in sorted(set(keys.values())):
        lines += [f'    {each}="""', filled(name for name, found in keys.items() if found == each), '    """,']
    return "\n".join([*lines, ")"])


def names(title: str, found: typing.Iterable[str]) -> str:
    """Write one list of names."""
    return "\n".join([f"{title} = _names(", '    """', filled(found), '    """', ")"])


def filled(found: typing.Iterable[str]) -> str:
    return textwrap.indent(textwrap.fill(" ".join(sorted(found)), 110, break_on_hyphens=False), "    ")


HEAD = '''\
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAT Written by tools/litellm_keys.py."""

from __future__ import annotations

from collections.abc import Mapping

'''

TABLE = """
def _table(**kinds: str) -> Mapping[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())
"""


def settings_module() -> list[str]:
    """The blocks of _litellm_keys.py."""
    import litellm
    from litellm.router_utils.routing_groups import VALID_ROUTING_STRATEGIES
    from litellm.types.caching import LiteLLMCacheType
    from litellm.types.router import AllowedFailsPolicy, OptionalPreCallChecks, RetryPolicy

    checks = typing.get_args(typing.get_args(OptionalPreCallChecks)[0])
    what = "The settings LiteLLM knows, by section, with the kind of value each takes."
    return [
        HEAD.replace("WHAT", what) + f'LITELLM_VERSION = "{importlib.metadata.version("litellm")}"',
        f"MAX_FALLBACKS = {litellm.ROUTER_MAX_FALLBACKS}\nALLOWED_FAILS = {litellm.allowed_fails}\n\n" + TABLE,
        names("TOP_LEVEL", top_level()),
        names("ROUTING_STRATEGIES", VALID_ROUTING_STRATEGIES),
        names("PRE_CALL_CHECKS", checks),
        names("CACHE_TYPES", (each.value for each in LiteLLMCacheType)),
        names("RETRY_POLICY", RetryPolicy.model_fields),
        names("ALLOWED_FAILS_POLICY", AllowedFailsPolicy.model_fields),
        names("CALLBACKS", callbacks()),
        names("LICENSED", licensed()),
        names("LICENSED_CALLBACKS", licensed_callbacks()),
        block("ROUTER_SETTINGS", router_settings()),
        block("LITELLM_SETTINGS", litellm_settings()),
        block("GENERAL_SETTINGS", general_settings()),
    ]


def models_module() -> list[str]:
    """The blocks of _litellm_model_keys.py."""
    from litellm.proxy.proxy_server import ProxyConfig

    return [
        HEAD.replace("WHAT", "What LiteLLM knows of a deployment, with the kind of value each takes.") + TABLE,
        names("PROVIDERS", providers()),
        names("MODES", modes()),
        names("BLOCKED_VARIABLES", ProxyConfig._BLOCKED_ENV_KEYS),
        block("LITELLM_PARAMS", litellm_params()),
        block("MODEL_INFO", model_info()),
        names("PRICING", pricing()),
    ]


def main() -> None:
    """Print one of the modules."""
    module = {"settings": settings_module, "models": models_module}[sys.argv[1]]
    print("\n\n".join(module()))


if __name__ == "__main__":
    main()

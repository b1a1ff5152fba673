# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine vLLM for the plan: what stands against a model, and the settings of its instance."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _tool_calling, _tool_calling_check
from ansible_collections.lab.llm_stack.plugins.module_utils._instance import Instance, env_text
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import is_secret
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import Evidence, evidence_of
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import Choice, Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_flags import FLAGS, VLLM_VERSION
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_options import (
    DERIVED,
    DERIVED_VARIABLES,
    FIELD,
    NOBODY,
    OPTIONS,
    PINNED,
    PREFIXES,
    SECRET_VARIABLES,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_33
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_source import check_source, source_of

__all__ = [
    "FIELD",
    "PINNED",
    "check",
    "planned",
    "settings",
    "source_of",
]

REGISTRY = VLLM_0_33
"""The parsers of the version that the role installs; on the host the preflight asks the installed one."""

_FLAG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_VAULT = "Set llm_stack_instance_key on the host, from a vault."


def check(source: str, options: Mapping[str, Any], path: str, *, tools: bool, context: int) -> Iterator[Problem]:
    """Yield what stands against a model that vLLM is to serve; ``context`` is 0 where none was said."""
    found = list(check_source(source, options, path))
    yield from found
    yield from _check_paths(options, path)
    yield from _check_extra(options.get("extra", {}), options, path)
    yield from _check_env(options.get("env", {}), path)
    yield from _check_context(context, options, path)
    yield from _check_accepted(options.get("accept", ()), path)
    # What another model's files would have shown is no reason against this one.
    evidence = None if found else _evidence(options)
    setting = _setting(options)
    choice = _tool_calling.choose(source, setting, REGISTRY, evidence)
    yield from _tool_calling_check.check(path, tools, setting, choice, REGISTRY, evidence)


def _check_paths(options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem for each file that vLLM would look for below its own directory, and not find."""
    template = options.get("chat_template")
    if template and not _is_path(template) and ("/" in template or template.endswith(".jinja")):
        remedy = "Write the absolute path of a file on the host, or a name in the model's tokenizer_config.json."
        yield Problem(f"{path}.vllm.chat_template", template, "is not an absolute path.", remedy)
    plugin = options.get("tool_parser_plugin")
    if plugin and not _is_path(plugin):
        remedy = "Write the absolute path of a file on the host."
        yield Problem(f"{path}.vllm.tool_parser_plugin", plugin, "is not an absolute path.", remedy)
    elif plugin and not options.get("tool_call_parser"):
        remedy = "Write the name that the plugin registers."
        yield Problem(f"{path}.vllm.tool_call_parser", NOTHING, "is missing, so the plugin would not be used.", remedy)


def _is_path(text: str) -> bool:
    return text.startswith(("/", "~/"))


def _check_extra(extra: Mapping[Any, Any], options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for flag, value in extra.items():
        name = str(flag).replace("-", "_").removeprefix("__")
        first = seen.setdefault(name, str(flag))
        wrong, remedy = _wrong_flag(str(flag), name, name in options)
        if first != str(flag):
            wrong, remedy = f"is the same flag as {first}.", "Remove one of them."
        elif not wrong and is_secret(name, value):
            wrong, remedy = "holds a secret in plain text.", _VAULT
        elif not wrong and value is None:
            wrong, remedy = "has no value.", "Write true for a flag that takes none."
        if wrong:
            yield Problem(f"{path}.vllm.extra.{flag}", NOTHING, wrong, remedy)


def _elsewhere(where: str) -> tuple[str, str]:
    """Say where something is decided, or why nobody may."""
    nobody, why = where.startswith(NOBODY), where.removeprefix(NOBODY)
    return (
        (f"has no place: {why}.", "Remove it.") if nobody else (f"is derived from {where}.", "Write it there instead.")
    )


def _wrong_flag(flag: str, name: str, again: bool) -> tuple[str, str]:
    """What is wrong with a flag, and what to write instead; a later vLLM may know one that is not like any other."""
    if flag.startswith("-"):
        return "begins with a dash.", f"Write {flag.lstrip('-')}."
    if not _FLAG.fullmatch(flag):
        return "cannot be a flag of vLLM.", "Write its long name in lower case."
    if name in OPTIONS:
        where = ", and it is written there too" if again else ""
        return f"has an option of its own{where}.", f"Write it as vllm.{name}."
    if name in DERIVED:
        return _elsewhere(DERIVED[name])
    if name.removeprefix("no_") in FLAGS:
        return "", ""
    close = nearest(name, FLAGS)
    return (f"is no flag of vLLM {VLLM_VERSION}.", close) if close.startswith("Did you mean") else ("", "")


def _check_env(env: Mapping[Any, Any], path: str) -> Iterator[Problem]:
    for name, value in env.items():
        below = f"{path}.vllm.env.{name}"
        if name in SECRET_VARIABLES:
            yield Problem(below, NOTHING, "does not belong here.", _SECRETS[name == "VLLM_API_KEY"])
        elif name in DERIVED_VARIABLES:
            yield Problem(below, NOTHING, *_elsewhere(DERIVED_VARIABLES[name]))
        elif not _VARIABLE.fullmatch(str(name)) or not str(name).startswith(PREFIXES):
            wrong = "is not a variable of vLLM or of the libraries below it."
            yield Problem(below, NOTHING, wrong, f"Their names begin with: {', '.join(PREFIXES)}.")
        elif is_secret(str(name), value):
            yield Problem(below, NOTHING, "holds a secret in plain text.", _VAULT)
        elif not isinstance(value, (str, int, float)) or (isinstance(value, str) and not value.isprintable()):
            yield Problem(below, value, "is not text on one line, a number, true or false.", "Write one value.")


_SECRETS = {True: _VAULT, False: "The model is fetched with the token in vllm_hub_token, from a vault."}


def _check_context(context: int, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem where vLLM would refuse the context, or split it into too few parts."""
    longest = (options.get(PINNED) or {}).get("evidence", {}).get("max_context")
    stretched = "hf_overrides" in options or "VLLM_ALLOW_LONG_MAX_MODEL_LEN" in options.get("env", {})
    if isinstance(longest, int) and context > longest and not stretched:
        wrong = f"is more than the {longest} tokens that the model was made for."
        yield Problem(f"{path}.context", context, wrong, f"Write {longest} or less.")
    batched = options.get("max_num_batched_tokens")
    if batched and context > batched and options.get("enable_chunked_prefill") is False:
        wrong = f"is less than context, which is {context}, and enable_chunked_prefill is false."
        yield Problem(f"{path}.vllm.max_num_batched_tokens", batched, wrong, f"Write {context} or more.")


def _check_accepted(accepted: Sequence[str], path: str) -> Iterator[Problem]:
    """Yield a problem for each finding of the preflight that is accepted and does not exist."""
    for index, code in enumerate(accepted):
        if code not in CODES:
            wrong = "is no verdict and no reason of the preflight."
            yield Problem(f"{path}.vllm.accept[{index}]", code, wrong, nearest(code, CODES))


# -- the choice of parsers --------------------------------------------------------------------------------------------


def _setting(options: Mapping[str, Any]) -> Setting:
    names = ("tool_call_parser", "reasoning_parser", "chat_template", "tool_parser_plugin", "accept_tools")
    return Setting(**{name: options.get(name) for name in names})


def _evidence(options: Mapping[str, Any]) -> Evidence | None:
    """What the model's files show, as the lock or the look into a folder of the controller noted it."""
    noted = (options.get(PINNED) or {}).get("evidence")
    return evidence_of(noted) if isinstance(noted, Mapping) else None


def choice(source: str, options: Mapping[str, Any]) -> Choice:
    """Choose the parsers and the template of a model."""
    return _tool_calling.choose(source, _setting(options), REGISTRY, _evidence(options))


def _tool_calling_of(chosen: Choice) -> dict[str, Any]:
    """Give the form the plan carries; ``chat_template`` is the file of the collection that the role brings along."""
    return {
        "support": chosen.verdict,
        "tool_parser": chosen.tool_parser,
        "reasoning_parser": chosen.reasoning_parser,
        "chat_template": chosen.chat_template if chosen.ships else None,
        "reasons": [f"{each.source}: {each.text}" for each in (*chosen.reasons, *chosen.thoughts)],
    }


# -- the instance -----------------------------------------------------------------------------------------------------


def settings(
    name: str, source: str, context: int, options: Mapping[str, Any], bind: str, port: int
) -> dict[str, object]:
    """Give vLLM's long flags as its YAML has them, but for the model's path, which only the host knows, and secrets."""
    typed = {key: options[key] for key in OPTIONS if key in options}
    decided = choice(source, options)
    parsers = decided.arguments("")
    if decided.ships:
        # The role brings the file, and only the host knows its path.
        del parsers["chat_template"]
    derived = {"host": bind, "port": port, "served_model_name": name, "max_model_len": context or None}
    every = {**options.get("extra", {}), **parsers, **typed, **derived}
    flags = {str(key).replace("_", "-"): value for key, value in every.items() if value is not None}
    return dict(sorted(flags.items()))


def env(options: Mapping[str, Any]) -> dict[str, str]:
    """Give the variables that the user wrote, as text."""
    return {name: env_text(value) for name, value in sorted(options.get("env", {}).items())}


def planned(instances: Sequence[Instance]) -> dict[str, Any]:
    """Give what the role takes for the instances of one host."""
    return {"instances": [_planned(each) for each in instances]}


def _files(options: Mapping[str, Any]) -> dict[str, Any]:
    """The files of the commit, as the lock has them; another commit, by hand, has others."""
    pin = options.get(PINNED) or {}
    same = options.get("revision") in (None, pin.get("revision"))
    return {"files": pin["files"]} if same and "files" in pin else {}


def _planned(instance: Instance) -> dict[str, Any]:
    model = instance.model
    options = model.options.get("vllm", {})
    return {
        "name": model.name,
        "unit": instance.unit,
        "model": model.name,
        "bind": instance.bind,
        "port": instance.port,
        "needs_key": instance.needs_key,
        "standby": model.standby,
        "slot": model.slot,
        "tools": model.tools,
        "context": model.context,
        "source": {**source_of(model.source, options).as_dict(), **_files(options)},
        "tool_calling": _tool_calling_of(choice(model.source, options)),
        "settings": settings(model.name, model.source, model.context, options, instance.bind, instance.port),
        "env": env(options),
        "accept": list(options.get("accept", ())),
    }

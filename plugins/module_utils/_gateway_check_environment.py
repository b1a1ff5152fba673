# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration takes from the environment, and the secrets that it should take from there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    REFERENCE,
    Config,
    Finding,
    Place,
    error,
    is_reference,
    likely,
    warning,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_model_keys import BLOCKED_VARIABLES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import is_secret, secrets

MASTER_KEY = "LITELLM_MASTER_KEY"
_WEAK = "dangerously_permit_weak_or_unset_master_key"

# What people write where an engine asks for no key.
_NO_SECRET = re.compile(
    r"none|empty|dummy|fake(-api)?(-key)?|no-?key(-.*)?|not-(needed|used)|sk-no-key-required|lm-studio|ollama|x+", re.I
)
_FOREIGN = re.compile(r"\$\{?\w+\}?|\{\{.*\}\}|%\w+%|env[:/].+|os\.environ\W.*|os\.getenv.*")


def check_environment(config: Config, place: Place) -> Iterator[Finding]:
    """Yield the findings about references to the environment, and about secrets in plain text."""
    yield from _check_master_key(config, place)
    yield from _check_literals(config)
    yield from _check_variables(config.whole.get("environment_variables"))
    found = list(_texts(config.whole, ""))
    for path, text in found:
        yield from _check_text(path, text)
    yield from _check_references(
        {path: text[len(REFERENCE) :] for path, text in found if _resolved(path, text)}, config, place
    )


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every text of a configuration with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def _resolved(path: str, text: str) -> bool:
    """LiteLLM resolves the values of mappings, not those of lists."""
    return text.startswith(REFERENCE) and not path.endswith("]")


def _check_text(path: str, text: str) -> Iterator[Finding]:
    if text.startswith(REFERENCE):
        if path.endswith("]"):
            wrong = "stays as it is: LiteLLM takes nothing from the environment inside a list of texts."
            yield error(path, text, wrong, "Write the value itself.")
        elif not re.fullmatch(r"\w+", text[len(REFERENCE) :]):
            yield error(path, text, "names no variable.", "Write os.environ/NAME, and nothing else.")
    elif REFERENCE in text:
        wrong = "stays as it is: LiteLLM takes a value from the environment only as a whole."
        yield error(path, text, wrong, "Put the whole value into the variable, and write os.environ/NAME.")
    elif _FOREIGN.fullmatch(text.strip()):
        yield error(path, text, "stays as it is: LiteLLM knows no such reference.", "Write os.environ/NAME.")


def _check_references(references: Mapping[str, str], config: Config, place: Place) -> Iterator[Finding]:
    if place.environment is None:
        names = sorted(set(references.values()) | ({MASTER_KEY} if "master_key" not in config.general else set()))
        if names:
            wrong = f"needs these variables, and an unset one counts as nothing, in silence: {', '.join(names)}."
            yield warning("environment", NOTHING, wrong, "Say which are set to have them checked.")
        return
    local = config.whole.get("environment_variables")
    for path, name in references.items():
        if name and name not in place.environment:
            set_here = isinstance(local, Mapping) and name in local
            wrong = "is not set in the gateway's environment, and LiteLLM takes that for nothing, in silence."
            if set_here:
                wrong = "is set below environment_variables, which is read after this, so it counts as nothing."
            remedy = likely(name, place.environment) or "Put it into the environment of the gateway."
            yield error(path, f"{REFERENCE}{name}", wrong, remedy)


def _check_master_key(config: Config, place: Place) -> Iterator[Finding]:
    path, value = "general_settings.master_key", config.general.get("master_key")
    if config.general.get(_WEAK) is True:
        wrong = "lets the gateway start without a key, open to whoever reaches it."
        yield error(f"general_settings.{_WEAK}", True, wrong, f"Remove it, and set {MASTER_KEY}.")
    elif value == "sk-1234":
        wrong = "is the key of the vendor's examples, with which LiteLLM does not start."
        yield error(path, value, wrong, f"Write os.environ/{MASTER_KEY}.")
    elif "master_key" in config.general and not value:
        yield error(
            path, value, "is empty, and LiteLLM does not start without a key.", f"Write os.environ/{MASTER_KEY}."
        )
    elif isinstance(value, str) and not is_reference(value):
        shape = "" if value.startswith("sk-") else ", and does not begin with sk- as LiteLLM's keys do"
        yield error(path, NOTHING, f"holds a secret in plain text{shape}.", f"Write os.environ/{MASTER_KEY}.")
    elif value is None and place.environment is not None and MASTER_KEY not in place.environment:
        wrong = "is missing, and LiteLLM does not start without a key."
        yield error(path, NOTHING, wrong, f"Write os.environ/{MASTER_KEY}, and set that in the gateway's environment.")


def _check_literals(config: Config) -> Iterator[Finding]:
    """Yield an error for each secret in plain text; the texts that stand for no key are none."""
    skipped = ("general_settings.master_key", "environment_variables")
    remedy = "Write os.environ/NAME, and put NAME into the environment of the gateway."
    for problem in secrets(_without_placeholders(config.whole), "", by_key=True):
        path = problem.path.lstrip(".")
        if not path.startswith(skipped):
            yield error(path, NOTHING, problem.wrong, remedy)


def _without_placeholders(value: object) -> object:
    if isinstance(value, Mapping):
        priced = {key: None if "_cost_" in str(key) else inner for key, inner in value.items()}  # not a key per token
        return {key: _without_placeholders(inner) for key, inner in priced.items()}
    if isinstance(value, (list, tuple)):
        return [_without_placeholders(inner) for inner in value]
    return None if isinstance(value, str) and _stands_for_none(value) else value


def _stands_for_none(text: str) -> bool:
    """Tell whether a text is no secret: a word for none, or a reference in the manner of another tool."""
    return bool(_NO_SECRET.fullmatch(text) or _FOREIGN.fullmatch(text.strip()))


def _check_variables(variables: object) -> Iterator[Finding]:
    for name, value in variables.items() if isinstance(variables, Mapping) else ():
        path = f"environment_variables.{name}"
        if name in BLOCKED_VARIABLES:
            yield error(path, value, "is not set: LiteLLM leaves this variable as it is.", "Set it in the service.")
        elif is_secret(str(name), _without_placeholders(value)):
            wrong = "holds a secret in plain text."
            yield error(path, NOTHING, wrong, "Put it into the environment of the gateway, and remove it here.")

# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what LiteLLM would accept and serve wrongly, or refuse, in a configuration written in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_backends import check_backends
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_deployments import check_deployment
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_environment import check_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_fallbacks import check_fallbacks
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_limits import check_limits
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_names import Names, check_names
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_needs import check_needs
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_read import check_duplicates, read
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_sections import SECTIONS, check_setting
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    ERROR,
    Config,
    Duplicate,
    Finding,
    Place,
    as_errors,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import covers

_HIDDEN = "holds a secret in plain text"


_UNKNOWN = Place()


def check_config(parsed: object, place: Place = _UNKNOWN, duplicates: Iterable[Duplicate] = ()) -> list[Finding]:
    """Give all findings about a parsed configuration, errors first, each in the order of the file's parts.

    ``duplicates`` are the keys written twice, of which the parsed data shows only the last.
    """
    config, malformed = read(parsed)
    form = [*check_duplicates(duplicates), *malformed, *_check_form(config)]
    refused = tuple(each.path for each in form)
    meaning = [each for each in _check_meaning(config, place) if not _is_refused(each.path, refused)]
    return sorted(_discreet([*form, *meaning]), key=lambda each: each.level != ERROR)


def _check_form(config: Config) -> Iterator[Finding]:
    """What can be said of each value by itself."""
    for deployment in config.deployments:
        yield from check_deployment(deployment)
    for section, settings in zip(SECTIONS, (config.router, config.litellm, config.general)):
        for key, value in settings.items():
            yield from as_errors(check_setting(section, str(key), value, f"{section}.{key}"))


def _check_meaning(config: Config, place: Place) -> Iterator[Finding]:
    """What can be said of values together, and of where they are to count."""
    if config.whole:
        names = Names(config)
        yield from check_backends(config, place)
        yield from check_names(config, names)
        yield from check_fallbacks(config, names)
        yield from check_limits(config, place)
        yield from check_needs(config, place)
        yield from check_environment(config, place)


def _is_refused(path: str, refused: Sequence[str]) -> bool:
    """Tell whether a value or what holds it was refused already: more about it would only restate that."""
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in refused)


def _discreet(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what would show a secret that another finding is about."""
    known = list(findings)
    hidden = [each.path for each in known if each.wrong.startswith(_HIDDEN)]
    for each in known:
        if each.wrong.startswith(_HIDDEN) or not any(covers(each.path, path) for path in hidden):
            yield each

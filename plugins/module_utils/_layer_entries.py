# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers that a user declares in llm_stack_layers: their shape, and what of their content cannot be merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check, secrets, unless_secret

VARIABLE = "llm_stack_layers"
MASTER_KEY = "os.environ/LITELLM_MASTER_KEY"

FIELD = Field(
    "section",
    fields={
        "name": Field("name", required=True, hint="Write a name to call the layer by in messages."),
        "file": Field("text", hint="Write the path of a YAML file of LiteLLM, as seen from the inventory's directory."),
        "config": Field("map"),
        "app": Field("name"),
        "overrides": Field("bool"),
        "remove": Field("list", item=Field("text"), hint="Write a list of keys: [router_settings.retry_policy]."),
    },
)

# What people write where an engine asks for no key.
_NO_KEYS = (
    *("none", "null", "empty", "dummy", "fake", "no-key", "not-needed", "unused", "local", "ollama", "lm-studio"),
    "sk-no-key-required",
)


@dataclass(frozen=True)
class Entry:
    """One declared layer. ``lines`` tells where in its file a value stands, by its place."""

    name: str
    path: str
    config: Mapping[str, Any]
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    app: str = ""
    overrides: bool = False
    removes: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """What the path of a value in a message begins with."""
        return self.path if self.file else f"{self.path}.config"

    def place(self, place: str) -> str:
        """Where a value is written: the file and its line, or the path of the variable."""
        if not self.file:
            return f"{self.root}.{place}"
        line = self.lines.get(place)
        return f"{self.file}:{line}" if line else self.file


def entries(written: object, files: object) -> tuple[Entry, ...]:
    """Give the declared layers whose shape and content are sound."""
    found = [_entry(index, each, files) for index, each in _sound(written)]
    return tuple(entry for entry in found if entry is not None)


def check_entries(written: object, files: object) -> list[Problem]:
    """Collect what is wrong with the declared layers beyond the shape of their keys."""
    problems = [*_check_names(written), *_check_sources(written, files)]
    for entry in entries(written, files):
        # Those of a config are looked for together with those of all other variables.
        hidden = list(secrets(without_no_keys(entry.config), entry.root, by_key=True)) if entry.file else []
        found = unless_secret(list(_check_content(entry)), hidden)
        problems += [_located(each, entry) for each in found]
    return problems


def _sound(written: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, each in enumerate(written if isinstance(written, Sequence) and not isinstance(written, str) else ()):
        if isinstance(each, Mapping) and not list(check(each, FIELD, VARIABLE)):
            yield index, each


def _entry(index: int, written: Mapping[str, Any], files: object) -> Entry | None:
    file = written.get("file", "")
    read = files.get(file, {}) if isinstance(files, Mapping) and file else {}
    config = written.get("config", read.get("config"))
    if not isinstance(config, Mapping) or ("file" in written and "config" in written) or read.get("problem"):
        return None
    return Entry(
        name=written["name"],
        path=f"{VARIABLE}[{index}]",
        config=config,
        file=file,
        lines=read.get("lines", {}),
        app=written.get("app", ""),
        overrides=written.get("overrides", False),
        removes=tuple(written.get("remove", ())),
    )


def _check_names(written: object) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, each in _sound(written):
        first = seen.setdefault(each["name"], index)
        if first != index:
            wrong = f"is already the name of {VARIABLE}[{first}]."
            yield Problem(f"{VARIABLE}[{index}].name", each["name"], wrong, "Choose another name.")


def _check_sources(written: object, files: object) -> Iterator[Problem]:
    for index, each in _sound(written):
        path = f"{VARIABLE}[{index}]"
        if ("file" in each) == ("config" in each):
            wrong = "has both a file and a config." if "file" in each else "has neither a file nor a config."
            yield Problem(path, NOTHING, wrong, "Write one of them.")
        elif "file" in each:
            read = files.get(each["file"], {}) if isinstance(files, Mapping) else {}
            yield from _check_file(f"{path}.file", each["file"], read)


def _check_file(path: str, file: str, read: Mapping[str, Any]) -> Iterator[Problem]:
    remedy = "The path is seen from the directory of the inventory."
    if not read or read.get("problem"):
        yield Problem(path, file, read.get("problem") or "was not read.", read.get("remedy") or remedy)
    elif not isinstance(read.get("config"), Mapping):
        yield Problem(path, file, "holds no mapping of keys to values.", "Begin with model_list: or router_settings:.")
    for twice in read.get("duplicates", ()):
        lines = " and ".join(str(line) for line in twice["lines"])
        wrong = f"has {twice['path']} on lines {lines}, of which YAML takes the last."
        yield Problem(path, file, wrong, "Keep one.")


def _check_content(entry: Entry) -> Iterator[Problem]:
    """Yield a problem for what has no path of its own in a merge, or would undo one."""
    config = entry.config
    if "include" in config:
        wrong = "would replace whole sections by those of other files."
        yield Problem(f"{entry.root}.include", NOTHING, wrong, f"Write each of the files as a layer in {VARIABLE}.")
    yield from _check_keys(config, entry.root)
    yield from _check_model_list(config.get("model_list", []), f"{entry.root}.model_list")
    for section in ("router_settings", "litellm_settings", "general_settings"):
        yield from _check_section(config.get(section, {}), f"{entry.root}.{section}")


def _check_keys(value: object, path: str) -> Iterator[Problem]:
    """Yield a problem for each key that is no text, such as YAML's yes and 1, where LiteLLM has only names."""
    for key in value if isinstance(value, Mapping) else ():
        if not isinstance(key, str):
            yield Problem(f"{path}.{key}", NOTHING, "is a key that is no text.", "Write it in quotes, or remove it.")


def _check_section(settings: object, path: str) -> Iterator[Problem]:
    if not isinstance(settings, Mapping):
        yield from check(settings, Field("map"), path)
        return
    from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import FALLBACKS

    for key in FALLBACKS:
        yield from _check_fallbacks(settings.get(key, []), f"{path}.{key}")
    if settings.get("master_key", MASTER_KEY) != MASTER_KEY and path.endswith("general_settings"):
        remedy = f"The role makes the key on the host. Write {MASTER_KEY}, or remove it."
        yield Problem(f"{path}.master_key", NOTHING, "is not the key of this gateway.", remedy)


def _check_model_list(written: object, path: str) -> Iterator[Problem]:
    spec = Field(
        "section",
        fields={
            "model_name": Field("text", required=True, hint="Write the name that clients ask for."),
            "litellm_params": Field("map"),
            "model_info": Field("map"),
        },
    )
    if not isinstance(written, list):
        yield from check(written, Field("list"), path)
        return
    from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import Item, deployment

    seen: dict[Item, int] = {}
    for index, each in enumerate(written):
        problems = list(check(each, spec, f"{path}[{index}]"))
        if not problems:
            problems += _check_keys(each.get("litellm_params"), f"{path}[{index}].litellm_params")
        yield from problems
        first = index if problems else seen.setdefault(deployment(each), index)
        if first != index:
            wrong = f"is the same deployment as model_list[{first}]."
            yield Problem(f"{path}[{index}]", NOTHING, wrong, "Remove one, or give each an id in model_info.")


def _check_fallbacks(written: object, path: str) -> Iterator[Problem]:
    """Check a list of fallbacks, which is merged by its one key."""
    if not isinstance(written, list):
        yield Problem(path, written, "is not a list.", "Write [{name: [first, second]}].")
        return
    seen: set[str] = set()
    for index, each in enumerate(written):
        pairs = list(each.items()) if isinstance(each, Mapping) else []
        if len(pairs) != 1 or not isinstance(pairs[0][1], list):
            yield Problem(f"{path}[{index}]", each, "is not one name with a list.", "Write {name: [first]}.")
        elif pairs[0][0] in seen:
            yield Problem(f"{path}[{index}]", pairs[0][0], "has fallbacks already.", "Write one list.")
        else:
            seen.add(pairs[0][0])


def _located(problem: Problem, entry: Entry) -> Problem:
    """Add to a problem the line of the file it is about."""
    if not entry.file:
        return problem
    place = problem.path[len(entry.root) + 1 :]
    while place and place not in entry.lines:
        place = place.rpartition("." if place.rfind(".") > place.rfind("[") else "[")[0]
    where = f"It stands in {entry.place(place)}."
    return replace(problem, remedy="\n".join(filter(None, [problem.remedy, where])))


def without_no_keys(value: Any) -> Any:  # noqa: ANN401 - it has the type of the value
    """Leave out the words that stand for no key, which are no secrets."""
    if isinstance(value, Mapping):
        return {key: without_no_keys(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_no_keys(inner) for inner in value]
    return None if isinstance(value, str) and value.lower() in _NO_KEYS else value

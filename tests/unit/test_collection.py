# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The rules this collection sets itself and no linter knows: see CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.lab.llm_stack.plugins.module_utils."

SOURCE_SUFFIXES = {".cfg", ".in", ".j2", ".py", ".sh", ".toml", ".yaml", ".yml"}
SOURCE_NAMES = {"Containerfile", "Makefile"}

# Each with what to write instead. Split, so that this file does not contain them.
FORBIDDEN = {
    "/wo" + "rk/": "a path of one machine",
    "../sha" + "red": "a path beside one checkout",
    "py" + "pi.org": "the host name of a registry; the user's pip configuration names it",
    "python" + "hosted": "the host name of a registry; the user's pip configuration names it",
    "deb.debian" + ".org": "the host name of a registry; the machine's apt sources name it",
    "ignore_" + "errors": "failed_when with the exact result",
    "not ansible_" + "check_mode": "a task that tells the truth in check mode",
    "not ansible" + ".check_mode": "a task that tells the truth in check mode",
}

MAX_LINES = {"plugins/module_utils/*.py": 300, "roles/*/tasks/*.yml": 60}
MAX_FUNCTION = 40
MAX_MAIN = 20


def tracked() -> list[Path]:
    """Every file of the checkout that git knows or would take, links left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    paths = [ROOT / name for name in names if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def text_of(path: Path) -> str:
    """The text of a file, nothing where it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def is_source(path: Path) -> bool:
    return path.suffix in SOURCE_SUFFIXES or path.name in SOURCE_NAMES or text_of(path).startswith("#!")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


FILES = tracked()
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# The whole


def test_every_source_file_names_its_licence() -> None:
    assert [
        name(path) for path in FILES if is_source(path) and "SPDX-License-Identifier" not in text_of(path)[:500]
    ] == []


def test_every_module_carries_the_notice_that_sanity_asks_for() -> None:
    notice = "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)"
    assert [name(path) for path in PLUGINS if notice not in text_of(path) and path.parent.name == "modules"] == []


def test_no_file_holds_what_has_no_place_here() -> None:
    found = [
        f"{name(path)}: {word} ({why})"
        for path in FILES
        for word, why in FORBIDDEN.items()
        # A callback of Ansible has a parameter of that name.
        if word in text_of(path) and not (word.startswith("ignore_") and path.suffix == ".py")
    ]
    assert found == []


def test_the_link_that_makes_the_checkout_importable_points_at_its_root() -> None:
    link = ROOT / "playbooks/collections/ansible_collections/lab/llm_stack"
    assert link.is_symlink()
    assert link.resolve() == ROOT


@pytest.mark.parametrize(("pattern", "limit"), MAX_LINES.items())
def test_files_stay_short_enough_to_read_at_once(pattern: str, limit: int) -> None:
    lengths = {name(path): len(text_of(path).splitlines()) for path in ROOT.glob(pattern)}
    assert {path: length for path, length in lengths.items() if length > limit} == {}


# Commands and documents


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", text_of(ROOT / "Makefile"), re.MULTILINE))


def test_make_alone_lists_every_command() -> None:
    phony = set(" ".join(re.findall(r"^\.PHONY:(.*)$", text_of(ROOT / "Makefile"), re.MULTILINE)).split())
    assert phony - {"help"} == make_targets()


def test_clean_leaves_the_archives_of_the_user() -> None:
    """A release that was fetched by hand lies in the checkout, too."""
    told = subprocess.run(["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [word for word in told.split() if word.endswith(".tar.gz")] == ["lab-llm_stack-*.tar.gz"]


def test_every_file_that_a_command_calls_exists() -> None:
    called = re.findall(
        r"\b(?:tools|tests|playbooks)/[\w./-]*\w", text_of(ROOT / "Makefile") + text_of(ROOT / ".ci/run")
    )
    made_by_tests = {"tests/output"}
    assert {path for path in called if not (ROOT / path).exists()} - made_by_tests == set()
    assert called


def test_every_make_command_in_the_documents_exists() -> None:
    documents = [path for path in FILES if path.suffix == ".md" and path.name != "CHANGELOG.md"]
    mentioned = {
        (name(path), target)
        for path in documents
        for target in re.findall(r"(?:`|^\s*\$? *)make ([a-z-]+)", text_of(path), re.MULTILINE)
    }
    assert {(path, target) for path, target in mentioned if target not in make_targets()} == set()
    assert mentioned


def test_every_relative_link_in_the_documents_leads_somewhere() -> None:
    broken = [
        f"{name(path)}: {link}"
        for path in FILES
        if path.suffix == ".md"
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text_of(path))
        if not (path.parent / link).exists()
    ]
    assert broken == []


def test_every_changelog_fragment_is_what_a_release_can_be_made_from() -> None:
    """A colon in a line of text makes a mapping of it, which shows only when a release is made."""
    sections = {name for name, _title in yaml.safe_load((ROOT / "changelogs/config.yaml").read_text())["sections"]}
    for file in sorted((ROOT / "changelogs/fragments").glob("*.yml")):
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        lines = [line for section in found.values() for line in (section if isinstance(section, list) else [section])]
        assert set(found) <= {*sections, "release_summary", "trivial"}, file.name
        assert all(isinstance(line, str) for line in lines), file.name


def test_the_two_ansible_configurations_agree() -> None:
    def settings(path: Path) -> list[str]:
        lines = [line for line in text_of(path).splitlines() if line and not line.startswith("#")]
        return [
            line.replace("../inventories", "inventories").replace("playbooks/collections", "collections")
            for line in lines
        ]

    assert settings(ROOT / "ansible.cfg") == settings(ROOT / "playbooks/ansible.cfg")


# Plugins


def module_names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__")


def test_the_action_group_lists_every_module() -> None:
    assert load(ROOT / "meta/runtime.yml")["action_groups"] == {"stack": module_names()}


def test_every_action_plugin_has_the_module_that_documents_it() -> None:
    actions = {path.stem for path in (ROOT / "plugins/action").glob("*.py") if path.stem != "__init__"}
    assert actions <= set(module_names())


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports."""
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (PACKAGE + alias.name for alias in node.names) if module + "." == PACKAGE else [module]


def is_standard(imported: str) -> bool:
    return imported.split(".", maxsplit=1)[0] in sys.stdlib_module_names


def may_import(path: Path, imported: str) -> bool:
    """The layers: pure core, then modules beside Ansible's own helpers, then what runs on the controller only."""
    if is_standard(imported) or imported.startswith(PACKAGE + "_"):
        return True
    layer = path.relative_to(ROOT / "plugins").parts[0]
    if layer == "modules":
        return imported.startswith("ansible.module_utils.")
    if layer in ("action", "filter") and imported.startswith(PACKAGE.replace("module_utils", "plugin_utils") + "_"):
        return True
    if layer != "module_utils" and imported.startswith(PACKAGE.replace("module_utils", "plugin_utils")):
        return True
    return layer not in ("module_utils", "doc_fragments") and imported.split(".", maxsplit=1)[0] in (
        "ansible",
        "jinja2",
        "yaml",
    )


def test_imports_point_down_only() -> None:
    wrong = [f"{name(path)}: {found}" for path in PLUGINS for found in imports(path) if not may_import(path, found)]
    assert wrong == []


def test_the_core_has_no_import_cycle() -> None:
    core = {path.stem: path for path in (ROOT / "plugins/module_utils").glob("_*.py")}
    below = {
        stem: {found.removeprefix(PACKAGE) for found in imports(path) if found.startswith(PACKAGE)}
        for stem, path in core.items()
    }
    while leaves := [stem for stem, needs in below.items() if not needs & below.keys()]:
        for stem in leaves:
            del below[stem]
    assert below == {}


def functions() -> Iterator[tuple[str, str, int]]:
    """Yield file, name and lines of every function in plugins."""
    for path in PLUGINS:
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield name(path), node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_stay_short() -> None:
    limits = {"main": MAX_MAIN}
    assert [found for found in functions() if found[2] > limits.get(found[1], MAX_FUNCTION)] == []


# Roles


def spec_of(role: Path) -> dict:
    return load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def defaults_of(role: Path) -> dict:
    path = role / "defaults/main.yml"
    return load(path) or {} if path.exists() else {}


def declared_defaults(options: dict) -> dict:
    return {option: spec["default"] for option, spec in options.items() if "default" in spec}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_its_files_are_those_of_every_role(self, role: Path) -> None:
        wanted = ["README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"]
        assert [path for path in wanted if not (role / path).is_file()] == []

    def test_defaults_are_those_of_the_argument_specs(self, role: Path) -> None:
        assert defaults_of(role) == declared_defaults(spec_of(role))

    def test_each_option_has_a_type_and_a_description(self, role: Path) -> None:
        assert [option for option, spec in spec_of(role).items() if not {"type", "description"} <= spec.keys()] == []

    def test_its_variables_carry_its_name(self, role: Path) -> None:
        assert [option for option in spec_of(role) if not option.startswith(f"{role.name}_")] == []

    def test_each_variable_it_uses_is_declared(self, role: Path) -> None:
        """A public variable in tasks or templates that is no option was forgotten in argument_specs or misspelt."""
        files = [*role.glob("tasks/*.yml"), *role.glob("templates/*.j2"), *role.glob("vars/*.yml")]
        used = {
            found for path in files for found in re.findall(rf"(?<![\w./-]){role.name}_\w+(?![\w./-])", in_jinja(path))
        }
        assert used - set(spec_of(role)) == set()


def in_jinja(path: Path) -> str:
    """The parts of a file in which a variable may stand: expressions, conditions and loops."""
    text = text_of(path)
    conditions = re.findall(r"^\s*(?:when|loop|until|that):(.*)$", text, re.MULTILINE)
    return "\n".join(re.findall(r"\{[{%].*?[%}]\}", text, re.DOTALL) + conditions)

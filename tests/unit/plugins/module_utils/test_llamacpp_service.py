# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The transaction of llama.cpp servers: files, units, requirements, and models to fetch."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_service import llamacpp_service
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import environment_digest
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import join_port, specifier

ETC = "~/.config/llm-stack/llamacpp"
DATA = "~/.local/share/llm-stack"
SHA = "ab" * 32
RELEASE = {"version": "b11669", "url": "https://example.org/llama.tar.gz", "sha256": SHA}


def instance(name: str = "tiny", **changes: Any) -> dict[str, Any]:
    """A server as the plan derives it."""
    source = {"origin": "host", "path": "/models/tiny.gguf", "sha256": None}
    given = {"name": name, "port": 8080, "bind": "127.0.0.1", "source": source, **changes}
    return {**given, "settings": settings_of(given)}


def settings_of(given: dict[str, Any]) -> dict[str, str]:
    return {
        "LLAMA_ARG_ALIAS": given["name"],
        "LLAMA_ARG_HOST": given["bind"],
        "LLAMA_ARG_PORT": str(given["port"]),
    }


def derive(*instances: dict[str, Any], **changes: Any) -> dict[str, Any]:
    settings = {"method": "existing", "program": "/opt/llama-server", "home": "~", "ready_timeout": 60, **changes}
    return llamacpp_service(instances, **settings)


def only(result: dict[str, Any], option: str) -> dict[str, Any]:
    [entry] = result["declaration"][option]
    return dict(entry)


def test_a_server_is_declared_completely() -> None:
    settings = settings_of(instance())
    result = derive(instance())
    [[looked_at]] = [call.pop("instances") for call in result["preflight"]]
    record = {key: looked_at.pop(key) for key in ("record", "digest")}
    assert looked_at == {
        "engine": "llamacpp",
        "name": "tiny",
        "model": "tiny",
        "unit": "llamacpp-tiny.service",
        "folder": "/models/tiny.gguf",
        "bind": "127.0.0.1",
        "port": 8080,
        "settings": {"alias": "tiny", "host": "127.0.0.1", "port": "8080"},
        "context": 0,
        "standby": False,
        "replaces": [],
        "accept": [],
    }
    assert result == {
        "declaration": {
            "files": [
                {"path": f"{ETC}/ready.py", "src": "ready.py"},
                {"path": f"{ETC}/stop.py", "src": "stop.py"},
                {
                    "path": f"{ETC}/tiny.env",
                    "template": "instance.env.j2",
                    "vars": {"settings": settings},
                    "mode": "0600",
                },
            ],
            "units": [
                {
                    "name": "llamacpp-tiny.service",
                    "template": "instance.service.j2",
                    "vars": {
                        "unit": {
                            "name": "tiny",
                            "model_variable": "LLAMA_ARG_MODEL",
                            "model": "/models/tiny.gguf",
                            "libraries": [],
                            "argv": ["/opt/llama-server"],
                            "ready_argv": [
                                "/usr/bin/python3",
                                "%h/.config/llm-stack/llamacpp/ready.py",
                                "http://127.0.0.1:8080",
                                "tiny",
                                "60",
                            ],
                            "stop_argv": [
                                "/usr/bin/python3",
                                "%h/.config/llm-stack/llamacpp/stop.py",
                                "http://127.0.0.1:8080",
                                "10",
                            ],
                            "environment_files": ["%h/.config/llm-stack/llamacpp/tiny.env"],
                            "start_timeout": 90,
                            "slot": {"excluded": [], "after": []},
                        }
                    },
                    "inputs": [f"{ETC}/tiny.env", f"{ETC}/ready.py", f"{ETC}/stop.py"],
                    "environment_files": [f"{ETC}/tiny.env"],
                    "watch": ["LLAMA_"],
                    "listens": ["127.0.0.1:8080"],
                    "state": "started",
                    "enabled": True,
                    "slot": "",
                    "ready_timeout": 90,
                }
            ],
            "requires": [
                {"kind": "program", "path": "/opt/llama-server"},
                {"kind": "file", "path": "/models/tiny.gguf"},
                {"kind": "preflight", "path": record["record"], "digest": record["digest"]},
            ],
        },
        "preflight": [{"backend": "cpu", "program": "/opt/llama-server"}],
        "models": [],
        "releases": [],
        "native": True,
        "python": {},
    }


def test_servers_of_one_slot_exclude_each_other_and_one_of_each_two_waits() -> None:
    slots = {"a": "gpu", "b": "gpu", "c": None, "d": "cpu"}
    given = [instance(name, slot=slot, port=8080 + n) for n, (name, slot) in enumerate(slots.items())]
    units = derive(*given)["declaration"]["units"]
    assert [unit["slot"] for unit in units] == ["gpu", "gpu", "", "cpu"]
    assert [unit["vars"]["unit"]["slot"] for unit in units] == [
        {"excluded": ["b"], "after": []},
        {"excluded": ["a"], "after": ["a"]},
        {"excluded": [], "after": []},
        {"excluded": [], "after": []},
    ]


LOCK = f"xllamacpp==1 --hash=sha256:{SHA}"
DIGEST = environment_digest(LOCK, "/usr/bin/python3")


@pytest.mark.parametrize(
    ("settings", "argv", "requires", "scripts"),
    [
        pytest.param(
            {"method": "pip", "lock": LOCK, "python": "/usr/bin/python3"},
            [
                f"%h/.local/share/llm-stack/envs/llamacpp/{DIGEST}/bin/python",
                "%h/.config/llm-stack/llamacpp/llama_server.py",
            ],
            {"kind": "environment", "path": f"{DATA}/envs/llamacpp/{DIGEST}", "digest": DIGEST},
            ["llama_server.py", "ready.py"],
            id="pip: the wheel in an environment, and a program that serves it",
        ),
        pytest.param(
            {"method": "release", "release": RELEASE},
            ["%h/.local/share/llm-stack/releases/llamacpp/b11669-abababab/llama-server"],
            {"kind": "release", "path": f"{DATA}/releases/llamacpp/b11669-abababab", "digest": SHA},
            ["ready.py", "stop.py"],
            id="release: the archive's own server",
        ),
        pytest.param(
            {"method": "release", "release": {**RELEASE, "program": "bin/llama-server"}},
            ["%h/.local/share/llm-stack/releases/llamacpp/b11669-abababab/bin/llama-server"],
            {"kind": "release", "path": f"{DATA}/releases/llamacpp/b11669-abababab", "digest": SHA},
            ["ready.py", "stop.py"],
            id="release: a program deeper inside",
        ),
        pytest.param(
            {"method": "distro", "program": "/usr/bin/llama-server"},
            ["/usr/bin/llama-server"],
            {"kind": "program", "path": "/usr/bin/llama-server"},
            ["ready.py", "stop.py"],
            id="distro: the package's program",
        ),
    ],
)
def test_each_method_runs_and_requires_its_own_server(
    settings: dict[str, Any], argv: list[str], requires: dict[str, str], scripts: list[str]
) -> None:
    result = derive(instance(), **settings)
    assert only(result, "units")["vars"]["unit"]["argv"] == argv
    assert result["declaration"]["requires"][0] == requires
    assert [each["src"] for each in result["declaration"]["files"] if "src" in each] == scripts
    assert sorted(only(result, "units")["inputs"][1:]) == [f"{ETC}/{script}" for script in scripts]


@pytest.mark.parametrize(
    ("source", "path", "requires", "models"),
    [
        pytest.param(
            {"origin": "host", "path": "~/models/a.gguf", "sha256": None},
            "%h/models/a.gguf",
            {"kind": "file", "path": "~/models/a.gguf"},
            [],
            id="a file that is already on the host stays where it is",
        ),
        pytest.param(
            {"origin": "controller", "path": "files/a.gguf", "sha256": None},
            "%h/.local/share/llm-stack/models/tiny-f1f1f1f1f1f1.gguf",
            {"kind": "file", "path": f"{DATA}/models/tiny-f1f1f1f1f1f1.gguf", "src": "/inventory/files/a.gguf"},
            ["/inventory/files/a.gguf"],
            id="a file of the controller is named after its bytes",
        ),
        pytest.param(
            {"origin": "url", "path": "https://example.org/a.gguf", "sha256": SHA},
            "%h/.local/share/llm-stack/models/tiny-abababababab.gguf",
            {"kind": "download", "path": f"{DATA}/models/tiny-abababababab.gguf", "digest": SHA},
            [""],
            id="a download is told by its checksum",
        ),
    ],
)
def test_a_model_is_found_wherever_it_comes_from(
    source: dict[str, Any], path: str, requires: dict[str, str], models: list[str]
) -> None:
    result = derive(
        instance(source=source),
        source_directory="/inventory",
        fingerprints={"/inventory/files/a.gguf": "f1" * 32},
    )
    assert only(result, "units")["vars"]["unit"]["model"] == path
    assert result["declaration"]["requires"][1] == requires
    assert [each["from"] for each in result["models"]] == models
    assert [each["target"] for each in result["models"]] == [requires["path"]] * len(models)


def test_only_servers_that_ask_for_the_key_get_it() -> None:
    result = derive(instance(), instance("far", bind="192.0.2.1", port=8081, needs_key=True), api_key='a "key"$')
    [secret] = [entry for entry in result["declaration"]["files"] if entry.get("secret")]
    assert secret == {
        "path": f"{ETC}/secrets.env",
        "content": 'LLAMA_API_KEY="a \\"key\\"\\$"\n',
        "mode": "0600",
        "secret": True,
    }
    near, far = result["declaration"]["units"]
    assert f"{ETC}/secrets.env" not in near["inputs"]
    assert far["environment_files"] == [f"{ETC}/far.env", f"{ETC}/secrets.env"]
    assert far["inputs"][:2] == far["environment_files"]
    assert far["vars"]["unit"]["environment_files"][1] == "%h/.config/llm-stack/llamacpp/secrets.env"


def test_a_key_is_no_argument_and_no_setting() -> None:
    result = derive(instance(needs_key=True), api_key="canary")
    assert "canary" not in str(result["declaration"]["units"]) + str(result["models"])


def test_a_server_on_standby_is_there_and_does_not_run() -> None:
    unit = only(derive(instance(standby=True)), "units")
    assert (unit["state"], unit["enabled"], unit["name"]) == ("stopped", False, "llamacpp-tiny.service")


@pytest.mark.parametrize("name", ["Qwen2.5-Coder_7B", "a.b", "0", "llamacpp", "service", "x" * 100])
def test_any_name_the_plan_allows_is_the_name_of_a_unit(name: str) -> None:
    unit = only(derive(instance(name)), "units")
    assert (unit["name"], unit["vars"]["unit"]["ready_argv"][3]) == (f"llamacpp-{name}.service", name)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    unit = only(derive(instance(bind="2001:db8::1", needs_key=True), api_key="k"), "units")
    assert unit["listens"] == ["[2001:db8::1]:8080"]
    assert unit["vars"]["unit"]["ready_argv"][2] == "http://[2001:db8::1]:8080"


def test_a_path_with_quotes_is_written_as_systemd_reads_it() -> None:
    source = {"origin": "host", "path": '/srv/Bob\'s \\ "best" 50%.gguf'}
    unit = only(derive(instance(source=source)), "units")["vars"]["unit"]
    assert unit["model"] == '/srv/Bob\'s \\\\ \\"best\\" 50%%.gguf'


@pytest.mark.parametrize(
    ("path", "home", "expected"),
    [
        pytest.param("~/a", "~", "%h/a", id="below a home that the host resolves"),
        pytest.param("/home/llm/a", "/home/llm", "%h/a", id="below a known home"),
        pytest.param("/home/llm2/a", "/home/llm", "/home/llm2/a", id="below another home with the same beginning"),
        pytest.param("/home/llm/home/llm/a", "/home/llm", "%h/home/llm/a", id="only the beginning is the home"),
        pytest.param("/srv/50%/a", "/home/llm", "/srv/50%%/a", id="a percent sign is no specifier"),
        pytest.param("~/50%h/a", "~", "%h/50%%h/a", id="also below the home"),
        pytest.param("/a~/b", "~", "/a~/b", id="a tilde elsewhere is a tilde"),
    ],
)
def test_specifier(path: str, home: str, expected: str) -> None:
    assert specifier(path, home) == expected


@pytest.mark.parametrize(("address", "expected"), [("127.0.0.1", "127.0.0.1:1"), ("::1", "[::1]:1")])
def test_join_port(address: str, expected: str) -> None:
    assert join_port(address, 1) == expected

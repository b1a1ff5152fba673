#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Install a versioned archive, or one large file, by its checksum
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - With O(kind=archive), unpacks a C(.tar.gz), C(.tar.xz), C(.tar.bz2) or C(.zip) into a directory of its own,
    O(root)/O(name)/VERSION-CHECKSUM, and switches the link O(root)/O(name)/C(current) last. Old versions stay for
    going back.
  - With O(kind=file), puts one file, such as a model, to O(path). A download that was cut short goes on where it ended.
  - Nothing is unpacked or put in place that has not the declared checksum. Members of an archive that would land
    outside its directory, by their name or through a link, are refused together with the whole archive.
  - The checksum is never optional and never fetched from the place that the file comes from.
notes:
  - Owners, times and set-user-id bits in an archive are ignored; who may execute a file is kept.
  - A file at O(path) that nobody verified yet is read as a whole once, also in check mode. From then on its size and
    samples of it are compared with what was noted beside it.
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - A download is not made in check mode, so a wrong checksum of a O(url) shows only in a run; that of a O(src)
        shows in both.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  kind:
    description: Whether O(url) or O(src) is an archive to unpack or a file to keep as it is.
    type: str
    choices: [archive, file]
    default: archive
  state:
    description: V(absent) removes the file, or all versions of this name but those in O(in_use).
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - Name of the release, such as V(llamacpp). Required when O(kind=archive).
      - With O(kind=file), a file that is called by this name, a dash and 12 digits of its checksum has versions. Those
        that lie beside it and were brought by this module count for O(keep).
    type: str
  version:
    description: Its version, as part of the directory's name. Required when O(kind=archive) and O(state=present).
    type: str
  sha256:
    description: Checksum of the archive or file, 64 hexadecimal digits. Required when O(state=present).
    type: str
  url:
    description:
      - Address to download from, of the publisher or of a mirror.
      - One of this and O(src) is required when O(state=present).
      - An address that needs a password takes it from C(~/.netrc) of the account on the host.
    type: str
  src:
    description: The archive or file on the controller, or on the host itself with O(remote_src=true).
    type: path
  remote_src:
    description:
      - Whether O(src) is on the host. Otherwise the action plugin of this module brings it there, when the host
        lacks it, and O(sha256) may be omitted, since the file itself is at hand.
    type: bool
    default: false
  root:
    description: Directory that holds the releases.
    type: path
    default: ~/.local/share/llm-stack/releases
  path:
    description: Where the file goes. Required when O(kind=file).
    type: path
  strip_top:
    description: Whether the archive has one directory at the top that is to be left out.
    type: bool
    default: false
  machine:
    description: The machine that the programs of an archive are for, as C(uname -m) prints it; another is refused.
    type: str
  glibc:
    description: The oldest GNU C library that they run with; a host with an older one, or with another, is refused.
    type: str
  keep:
    description:
      - How many old versions stay for going back, the one that was current last first.
      - Those that a process of the account runs from stay as well, and are not counted.
    type: int
    default: 1
  in_use:
    description: Paths of versions that are not removed, however old, since something runs from them.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds without a single byte after which a connection is given up, and that another run is waited for.
    type: int
    default: 60
seealso:
  - module: lab.llm_stack.python_env
"""

EXAMPLES = r"""
- name: Install a build of llama.cpp from a mirror
  lab.llm_stack.release:
    name: llamacpp
    version: b11669
    url: https://mirror.example.org/llama-b11669-bin-ubuntu-x64.tar.gz
    sha256: "{{ llamacpp_archive_sha256 }}"
    strip_top: true

- name: Install it from an archive that was copied to the host
  lab.llm_stack.release:
    name: llamacpp
    version: b11669
    src: /srv/files/llama-b11669-bin-ubuntu-x64.tar.gz
    remote_src: true
    sha256: "{{ llamacpp_archive_sha256 }}"
    strip_top: true

- name: Download a model; run the task again to go on after an interruption
  lab.llm_stack.release:
    kind: file
    url: https://mirror.example.org/models/qwen2.5-0.5b-q4_k_m.gguf
    sha256: "{{ model_sha256 }}"
    path: ~/.local/share/llm-stack/models/qwen2.5-0.5b-q4_k_m.gguf
"""

RETURN = r"""
path:
  description: Where the release or the file is, or will be.
  returned: when O(state=present)
  type: str
  sample: /home/lab/.local/share/llm-stack/releases/llamacpp/b11669-0a1b2c3d
fingerprint:
  description: Checksum over the size and samples of the file, comparable with one made of a file elsewhere.
  returned: when O(kind=file) and the file is there
  type: str
  sample: 3f0f6f9f5a34c2b1a4f7a3f8d0f9b7a65f7c2f4f8f8e4a1b7c6d5e4f3a2b1c0d
items:
  description: Each difference between the declaration and the host, the same in check mode and in a run.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: release
      subject: /home/lab/.local/share/llm-stack/releases/llamacpp/b11669-0a1b2c3d
      expected: the declared release
      actual: is missing
      remedy: deploy
"""

import os
import ssl
import urllib.error
from typing import Any, cast

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import ConnectionError as UrlsConnectionError
from ansible.module_utils.urls import open_url
from ansible_collections.lab.llm_stack.plugins.module_utils import _install, _release, _release_build
from ansible_collections.lab.llm_stack.plugins.module_utils._download import NoSuchRange, Open, Refused, Response
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._release_build import Comparison, Wanted

ARGUMENT_SPEC = {
    "kind": {"type": "str", "choices": ["archive", "file"], "default": "archive"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    "version": {"type": "str"},
    "sha256": {"type": "str"},
    "url": {"type": "str"},
    "src": {"type": "path"},
    "remote_src": {"type": "bool", "default": False},
    "root": {"type": "path", "default": "~/.local/share/llm-stack/releases"},
    "path": {"type": "path"},
    "strip_top": {"type": "bool", "default": False},
    "machine": {"type": "str"},
    "glibc": {"type": "str"},
    "keep": {"type": "int", "default": 1},
    "in_use": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 60},
}

REQUIRED_IF = [
    ("kind", "archive", ["name"]),
    ("kind", "file", ["path"]),
    ("state", "present", ["sha256"]),
    ("state", "present", ["url", "src"], True),
]


def opener(timeout: float) -> Open:
    """Return what opens addresses with the proxies, certificates and ~/.netrc of the host."""

    def open_at(url: str, offset: int) -> Response:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            return cast(Response, open_url(url, headers=headers, timeout=timeout, force=True, decompress=False))
        except urllib.error.HTTPError as error:
            if error.code == 416:
                raise NoSuchRange from None
            # A server in trouble is like one that does not answer: another attempt may help.
            kind = OSError if error.code >= 500 else Refused
            raise kind(f"the server answers {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                raise Refused(f"its certificate is not trusted by this host ({error.reason})") from None
            raise
        except UrlsConnectionError as error:
            raise Refused(str(error)) from None

    return open_at


def wanted_from(params: dict[str, Any]) -> Wanted:
    """Read the options; a file that is still on the controller cannot be read here, and only check mode asks for it."""
    given = {name: value for name, value in params.items() if value is not None and name not in ("state", "remote_src")}
    if "src" in given and not params["remote_src"]:
        given.pop("src")
    return Wanted(**given)


def result_of(wanted: Wanted, comparison: Comparison, state: str) -> dict[str, object]:
    """Word the comparison for the task's result."""
    result: dict[str, object] = {
        "changed": bool(comparison.items),
        "items": [item.as_dict() for item in comparison.items],
    }
    if state == "present":
        result["path"] = wanted.target
    if wanted.kind == "file" and os.path.isfile(wanted.path):
        result["fingerprint"] = _release.fingerprint(wanted.path)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_if=REQUIRED_IF,
        mutually_exclusive=[("url", "src")],
    )
    wanted = wanted_from(module.params)
    try:
        comparison = _release_build.compare(wanted, module.params["state"])
        diff = {"diff": _install.diff(comparison.items)} if module._diff else {}
        if comparison.items and not module.check_mode:
            _release_build.apply(wanted, comparison, opener(wanted.timeout))
    except (StackError, InstallError, OSError) as error:
        module.fail_json(msg=_release_build.worded(wanted, error))
    module.exit_json(**result_of(wanted, comparison, module.params["state"]), **diff)


if __name__ == "__main__":
    main()

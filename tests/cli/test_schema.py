from __future__ import annotations

import json
from pathlib import Path

from cnngraph.schema import spec_schema
from tests.cli.conftest import Cli


def test_schema_is_printed(cli: Cli, folder: Path) -> None:
    assert json.loads(cli("schema").out) == spec_schema()
    assert cli("schema", "-o", "s.json").code == 0
    assert json.loads((folder / "s.json").read_text()) == spec_schema()


def test_a_hyphen_is_standard_output(cli: Cli, folder: Path) -> None:
    assert cli("schema", "-o", "-") == cli("schema")
    assert not list(folder.iterdir())


def test_schema_includes_the_ops_of_a_plugin(cli: Cli, folder: Path) -> None:
    (folder / "more_ops.py").write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\nfrom cnngraph.ops.op import Op\n"
        "@dataclass(frozen=True)\nclass Halve(Op):\n    '''Half.'''\n"
        "    name: ClassVar[str] = 'halve_it'\n    kind: ClassVar[str] = 'arithmetic'\n"
    )
    assert "op_halve_it" in json.loads(cli("schema", "--plugin", "more_ops").out)["definitions"]

"""The source of a class, which is compiled for a built network and printed for a stand-alone file."""

from __future__ import annotations

from collections.abc import Sequence

from cnngraph.backend.modules.forward import OUTPUTS
from cnngraph.backend.modules.plan import ScopeModule


def class_source(group: ScopeModule, constructor: Sequence[str] = (), base: str = "") -> str:
    """The class of a scope; the lines of the constructor must already be indented."""
    base = base or ("Numbered" if group.is_numbered else "nn.Module")
    methods = ["\n".join(constructor)] if constructor else []
    methods += [group.forward.source] if group.forward else []
    body = "\n\n".join(methods) or "    pass"
    check = f"{group.forward.size_check}\n\n\n" if group.forward and group.forward.size_check else ""
    return f"{outputs_source(group)}{check}class {group.kind}({base}):\n{body}\n"


def outputs_source(group: ScopeModule) -> str:
    """The named tuple that a network with several outputs returns, or an empty string."""
    if not group.forward or not group.forward.outputs:
        return ""
    fields = [
        f"    {name}: Tensor | None" if name in group.forward.optional else f"    {name}: Tensor"
        for name in group.forward.outputs
    ]
    return "\n".join([f"class {OUTPUTS}(NamedTuple):", *fields, "", "", ""])

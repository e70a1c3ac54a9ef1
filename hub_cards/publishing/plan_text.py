"""A plan as text for people and as a record for programs."""

from __future__ import annotations

from typing import Any

from stackwalls.hub_cards.publishing.plan import Plan

_NAMED = 8
"""Names of a list that are printed."""


def plan_text(plan: Plan) -> str:
    """What would be done: files, sizes, visibility, license, and what is left alone."""
    changes, there, folder = plan.changes, plan.there, plan.folder
    local = {"new": changes.new, "updated": changes.updated, "unchanged": changes.unchanged}
    rows = [(change, file.name, file.scan.size) for change, group in local.items() for file in group]
    rows += [("deleted", name, there.files[name].size) for name in changes.deleted]
    width = max(len(name) for _, name, _ in rows)
    total = size_text(sum(file.scan.size for file in changes.sent))
    sent = f"{len(changes.sent)} of {len(folder.files)} files, {total}, in one commit"
    untouched = f"{_listed(changes.untouched)} (on the Hub, not created by this package)"
    left_out = f"{_listed(folder.left_out)} (in the folder, but not part of it as it was made)"
    facts = {
        "Sent": sent if changes else "nothing: the branch already holds this folder",
        "Repository": _repository(plan),
        "Visible to": visibility(plan),
        "License": plan.license,
        "Tag": plan.spec.tag,
        "Collection": plan.spec.collection,
        "Account": _account(plan),
        "Untouched": untouched if changes.untouched else None,
        "Left out": left_out if folder.left_out else None,
    }
    return "\n".join(
        [
            f"{folder.path} → {plan.url} ({folder.kind}, branch {plan.spec.revision})",
            "",
            *(f"  {change:<9}  {name:<{width}}  {size_text(size):>9}" for change, name, size in rows),
            "",
            *(f"{name + ':':<13}{value}" for name, value in facts.items() if value is not None),
        ]
    )


def plan_record(plan: Plan) -> dict[str, Any]:
    """The same as JSON values."""
    changes, there = plan.changes, plan.there
    local = {"new": changes.new, "updated": changes.updated, "unchanged": changes.unchanged}
    files = [
        {"path": file.name, "bytes": file.scan.size, "sha256": file.scan.sha256, "change": change}
        for change, group in local.items()
        for file in group
    ]
    files += [{"path": name, "bytes": there.files[name].size, "change": "deleted"} for name in changes.deleted]
    return {
        "folder": str(plan.folder.path),
        "kind": plan.folder.kind,
        "repository": plan.spec.repository,
        "repository_type": plan.folder.repository_kind,
        "url": plan.url,
        "revision": plan.spec.revision,
        "exists": there.exists,
        "private": plan.private,
        "gated": plan.gated,
        "licence": plan.license,  # the key that programs know
        "tag": plan.spec.tag,
        "collection": plan.spec.collection,
        "account": plan.account.name if plan.account else None,
        "files": sorted(files, key=lambda file: str(file["path"])),
        "bytes_to_send": sum(file.scan.size for file in changes.sent),
        "untouched": list(changes.untouched),
        "left_out": list(plan.folder.left_out),
    }


def visibility(plan: Plan) -> str:
    """Who will be able to read the files."""
    if plan.private:
        return "its owners only (private)" + (", and then by access request (gated)" if plan.gated else "")
    return "people whose access request you grant (gated)" if plan.gated else "everybody (public)"


def size_text(count: int) -> str:
    """A number of bytes as people read it: "1.2 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _repository(plan: Plan) -> str:
    there = plan.there
    if not there.exists:
        return "new"
    changed = [
        *(["made private"] if plan.spec.private and not there.private else []),
        *(["made gated"] if plan.spec.gated and not there.gated else []),
        *([f"new branch {plan.spec.revision}"] if not there.head else []),
    ]
    return ", ".join(["exists", *changed])


def _account(plan: Plan) -> str:
    if plan.account is None:
        return "none: log in with `hf auth login`, or set HF_TOKEN, before you publish"
    return f"{plan.account.name} ({plan.account.role} token)"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

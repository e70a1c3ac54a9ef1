"""A plan in words, and as a record for programs."""

from __future__ import annotations

from typing import Any

from stackwalls.hub_cards.publishing.publication import Plan

_NAMED = 8
"""Names of a list that are printed."""


def describe_plan(plan: Plan) -> str:
    """What would be done, for a reader: files, sizes, who can see them, licence, and what is left alone."""
    changes, there, folder = plan.changes, plan.there, plan.folder
    rows = [("new", file.name, file.scan.size) for file in changes.new]
    rows += [("updated", file.name, file.scan.size) for file in changes.updated]
    rows += [("unchanged", file.name, file.scan.size) for file in changes.unchanged]
    rows += [("deleted", name, there.files[name].size) for name in changes.deleted]
    total = sum(file.scan.size for file in changes.sent)
    width = max(len(name) for _, name, _ in rows)
    lines = [f"{folder.path} → {plan.url} ({folder.kind}, branch {plan.spec.revision})", ""]
    lines += [f"  {what:<9}  {name:<{width}}  {size_text(size):>9}" for what, name, size in rows]
    lines += ["", f"Sent:        {len(changes.sent)} of {len(folder.files)} files, {size_text(total)}, in one commit"]
    if not changes:
        lines[-1] = "Sent:        nothing: the branch holds this folder already"
    lines += [f"Repository:  {_repository(plan)}", f"Visible to:  {visibility(plan)}", f"Licence:     {plan.licence}"]
    if plan.spec.tag:
        lines.append(f"Tag:         {plan.spec.tag}")
    if plan.spec.collection:
        lines.append(f"Collection:  {plan.spec.collection}")
    lines.append(f"Account:     {_account(plan)}")
    if changes.untouched:
        lines.append(f"Untouched:   {_listed(changes.untouched)} (on the Hub, not of this package's making)")
    if folder.left_out:
        lines.append(f"Left out:    {_listed(folder.left_out)} (here, but not part of the folder as it was made)")
    return "\n".join(lines)


def plan_record(plan: Plan) -> dict[str, Any]:
    """The same as JSON values."""
    changes, there = plan.changes, plan.there
    local = {"new": changes.new, "updated": changes.updated, "unchanged": changes.unchanged}
    files = [
        {"path": file.name, "bytes": file.scan.size, "sha256": file.scan.sha256, "change": what}
        for what, group in local.items()
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
        "licence": plan.licence,
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
    return "whoever you grant access on request (gated)" if plan.gated else "everybody (public)"


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
        *([f"branch {plan.spec.revision} begun"] if not there.head else []),
    ]
    return "there already" + "".join(f", {text}" for text in changed)


def _account(plan: Plan) -> str:
    if plan.account is None:
        return "none: log in with `hf auth login`, or set HF_TOKEN, before you publish"
    return f"{plan.account.name} ({plan.account.role} token)"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

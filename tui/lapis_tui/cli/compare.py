"""`lapis session diff` and `lapis replay --compare`: where two histories part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lapis_sessions.recording.compare import diff
from lapis_sessions.recording.compare import view as views_diff
from lapis_sessions.recording.compare.diff import Side
from lapis_sessions.recording.play import named
from lapis_sessions.recording.play.named import Named
from lapis_tui import output
from lapis_tui.cli import headless, plugged

if TYPE_CHECKING:
    from lapis_sessions.recording.format.reader import Recording


def difference(
    *,
    first: str,
    second: str,
    branch: str,
    as_json: bool,
) -> int:
    """Do what `lapis session diff` is told."""
    if bool(second) == bool(branch):
        raise click.UsageError("diff compares A with B, or with --branch NAME of A")
    one = named.find(first)
    if branch:
        recording = one.recording
        other = Named(recording, named.branch_of(recording, branch))
    else:
        other = named.find(second)
    return _report(Side(one), Side(other), as_json=as_json)


def profiles(recording: Recording, profile: str, other: str, *, as_json: bool) -> int:
    """Do the same acts under two profiles, and show where that first differs."""
    head = recording.header
    first = Named(recording, recording.branches[0])
    one, two = Side(first, profile or head.profile), Side(first, other)
    return _report(one, two, as_json=as_json)


def _report(one: Side, other: Side, *, as_json: bool) -> int:
    found = diff.compare(one, other, plugged.extensions())
    view = views_diff.comparison(found)
    output.result(view, views_diff.text, as_json=as_json)
    return headless.OK if found.is_equal else headless.FAILED

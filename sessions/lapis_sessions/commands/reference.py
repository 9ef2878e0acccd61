"""Commands that explain: raw values, profiles, and the commands themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.explain import explain
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import profiles as profiles_view
from lapis_sessions.views import reference

if TYPE_CHECKING:
    from lapis_engine.explain.fields import Explanation
    from lapis_sessions.session import Session
    from lapis_sessions.views.profiles import DifferenceView, ProfileView
    from lapis_sessions.views.reference import CommandView


def explain_value(session: Session, bound: Bound) -> Explanation:
    """Return a raw value in words."""
    known = session.extensions.explainers
    explainers = {name: explainer.explain for name, explainer in known.items()}
    return explain(bound.word("what"), bound.number("raw"), explainers)


def profiles(session: Session, _bound: Bound) -> list[ProfileView]:
    """Return every profile with its switches."""
    return profiles_view.profiles(session.extensions.profiles)


def profiles_diff(session: Session, bound: Bound) -> DifferenceView:
    """Return the switches in which two profiles differ."""
    known = session.extensions.profiles
    return profiles_view.difference(known, bound.word("profile"), bound.word("other"))


def help_on(session: Session, bound: Bound) -> list[CommandView]:
    """Return the description of one command, or of all."""
    registry = session.registry
    found = registry.commands
    if "command" in bound:
        name = f"{bound.word('command')} {bound.word('subcommand')}".strip()
        found = (registry.named(name),)
    return [reference.command(command) for command in found]


COMMANDS = (
    Command(
        "explain", "say what a raw register value means", "read-only",
        explain_value, reference.explanation_text,
        (
            Argument("what", "word", required=True, table="explainers"),
            Argument("raw", "value", required=True),
        ),
    ),
    Command(
        "profiles", "list the profiles", "read-only", profiles, profiles_view.text,
    ),
    Command(
        "profiles diff", "show in which switches two profiles differ", "read-only",
        profiles_diff, profiles_view.difference_text,
        (
            Argument("profile", "word", required=True),
            Argument("other", "word", required=True),
        ),
    ),
    Command(
        "help", "list the commands, or describe one", "read-only",
        help_on, reference.commands_text,
        (Argument("command", "word"), Argument("subcommand", "word")), ("?",),
    ),
)  # fmt: skip

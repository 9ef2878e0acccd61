"""Commands that explain: raw values, profiles, and the commands themselves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lapis_engine.explain import explain
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import profiles as views_profiles
from lapis_sessions.views import render_machine

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import Json


def explain_value(session: Session, bound: Bound) -> Json:
    """Return a raw value in words."""
    known = session.extensions.explainers
    explainers = {name: explainer.explain for name, explainer in known.items()}
    return asdict(explain(bound.word("what"), bound.number("raw"), explainers))


def profiles(session: Session, _bound: Bound) -> list[Json]:
    """Return every profile with its switches."""
    return views_profiles.profiles(session.extensions.profiles)


def profiles_diff(session: Session, bound: Bound) -> Json:
    """Return the switches in which two profiles differ."""
    known = session.extensions.profiles
    return views_profiles.difference(known, bound.word("profile"), bound.word("other"))


def help_on(session: Session, bound: Bound) -> list[Json]:
    """Return the description of one command, or of all."""
    registry = session.registry
    found = registry.commands
    if "command" in bound:
        name = f"{bound.word('command')} {bound.word('subcommand')}".strip()
        found = (registry.named(name),)
    return [
        {
            "name": command.name,
            "usage": command.usage,
            "aliases": list(command.aliases),
            "help": command.help,
            "effect": command.effect,
        }
        for command in found
    ]


COMMANDS = (
    Command(
        "explain", "say what a raw register value means", "read-only",
        explain_value, render_machine.explanation,
        (
            Argument("what", "word", required=True, table="explainers"),
            Argument("raw", "value", required=True),
        ),
    ),
    Command(
        "profiles", "list the profiles", "read-only", profiles, render_machine.profiles,
    ),
    Command(
        "profiles diff", "show in which switches two profiles differ", "read-only",
        profiles_diff, render_machine.differences,
        (
            Argument("profile", "word", required=True),
            Argument("other", "word", required=True),
        ),
    ),
    Command(
        "help", "list the commands, or describe one", "read-only",
        help_on, render_machine.commands,
        (Argument("command", "word"), Argument("subcommand", "word")), ("?",),
    ),
)  # fmt: skip

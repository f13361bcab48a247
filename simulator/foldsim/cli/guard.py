"""Errors as users see them: findings and one-line messages on stderr, exit codes, never a traceback."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

FINDINGS, USAGE, INTERNAL = 1, 2, 70
ChoiceT = TypeVar("ChoiceT", bound=str)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def say(message: str) -> None:
    """Write a message to stderr."""
    print(message, file=sys.stderr, flush=True)


def stop(message: str, code: int = USAGE) -> NoReturn:
    """End the command with a message."""
    say(message)
    raise typer.Exit(code)


def check_choice(option: str, value: str, allowed: Iterable[ChoiceT]) -> ChoiceT:
    """The value of an option, if it is one of those allowed; otherwise stop with a suggestion."""
    choices = list(allowed)
    for choice in choices:
        if choice == value:
            return choice
    from foldsim.errors import nearest

    close = nearest(value, choices)
    hint = f"; did you mean {close!r}?" if close else ""
    stop(f"error: {option} {value!r} is not known{hint}; allowed: {', '.join(choices)}")


def check_yaml_output(output: Path | None) -> None:
    """Stop unless a YAML file of this name can be written; commands take other names for those of shipped files."""
    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        stop(f"error: -o {output}: the file name ends in .yaml")
    if output is not None and not output.parent.is_dir():
        stop(f"error: the folder {str(output.parent)!r} does not exist")


def tolerate_encodings() -> None:
    """Write characters that stdout or stderr cannot encode as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def guarded(command: CommandT) -> CommandT:
    """Turn expected errors into messages and exit codes, and unexpected ones into a short report (exit 70)."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            result = command(*args, **kwargs)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            stop("interrupted", 130)
        except BrokenPipeError:
            _silence_stdout()
            raise typer.Exit(0) from None  # the reader (head, less) has closed the pipe
        except Exception as error:
            if os.environ.get("FOLDSIM_DEBUG"):
                raise
            _report(error)

    return run  # type: ignore[return-value]


def _silence_stdout() -> None:
    """Keep Python from complaining when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> NoReturn:
    from foldsim.data import UnknownNameError
    from foldsim.designs.axes import DesignError
    from foldsim.errors import UserError
    from foldsim.schema.findings import InputError, format_findings

    if isinstance(error, InputError):
        stop(format_findings(error.findings))
    if isinstance(error, UnknownNameError):
        stop(f"error: {error}")
    if isinstance(error, (UserError, MemoryError)):
        lines = error.as_options() if isinstance(error, DesignError) else (str(error) or "out of memory").splitlines()
        stop("\n".join(f"error: {line}" for line in lines))
    if isinstance(error, OSError) and error.strerror:
        if error.errno in (errno.ENOSPC, errno.EIO):
            _silence_stdout()
        stop(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: writing: {error.strerror}")
    stop(
        f"internal error: {type(error).__name__}: {error}\n"
        "This is a defect of foldsim. Set FOLDSIM_DEBUG=1 to see where, and report it with the command you ran.",
        INTERNAL,
    )

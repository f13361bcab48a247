"""From a path to clean text: bounded reading, decoding, and a refusal of characters that YAML or people cannot see."""

from __future__ import annotations

import codecs
import os
import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import islice

from foldsim.errors import nearest
from foldsim.schema.findings import Finding, InputError, excerpt

# What YAML allows, less the line separators U+0085, U+2028 and U+2029, which YAML 1.1 counts as line breaks and editors
# do not, and less the byte order mark U+FEFF, which is invisible.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TAG_DIRECTIVE = re.compile(r"(?:(?<=[\r\n])|\A)%TAG(?=[ \t])")
_BREAK = re.compile("\r\n|\r|\n")
_MAX_SHOWN = 10
_MAX_SIBLINGS = 10_000


def split_lines(text: str) -> list[str]:
    """Split text at the line breaks that YAML and editors agree on."""
    return _BREAK.split(text)


def read_text(path: str | os.PathLike[str], max_bytes: int) -> str:
    """Read a UTF-8 file of at most `max_bytes` bytes; a byte order mark is dropped.

    Raises `InputError` if there is no such file, it cannot be read, it is too large or it is not UTF-8.
    """
    name = file_name(path)
    try:
        if os.path.isdir(path):
            raise InputError([Finding(name, None, None, "", "this is a directory; name a YAML file in it")])
        with open(path, "rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError(
            [Finding(name, None, None, "", "there is no such file", suggestion=_close_file(name))]
        ) from None
    except PermissionError:
        raise InputError([Finding(name, None, None, "", "no permission to read this file")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError([Finding(name, None, None, "", f"this file cannot be read: {reason}")]) from None
    if len(data) > max_bytes:
        raise too_large(name, max_bytes)
    return _decode(data, name)


def file_name(path: str | os.PathLike[str]) -> str:
    """Return the name under which a file appears in messages: the path as it was given."""
    return os.fsdecode(os.fspath(path)).encode("utf-8", "backslashreplace").decode("utf-8")


def too_large(name: str, max_bytes: int) -> InputError:
    """Return the error for an input beyond the size limit."""
    limit = f"{max_bytes / 1024**2:.4g} MiB" if max_bytes >= 1024**2 else f"{max_bytes} bytes"
    return InputError([Finding(name, None, None, "", f"the file is larger than {limit}, the most foldsim reads")])


def check_characters(text: str, name: str) -> None:
    """Raise `InputError` if text has characters that no YAML file may hold; finds the first few of them."""
    _refuse_matches(_FORBIDDEN, text, name, _explain_character, "there are more characters of this sort")


def check_directives(text: str, name: str) -> None:
    """Raise `InputError` if text has `%TAG` directives.

    They are looked for before parsing because libyaml takes quadratic time over many of them.
    """
    message = "%TAG directives are not accepted: foldsim's files need no tags"
    _refuse_matches(_TAG_DIRECTIVE, text, name, lambda _: message, "there are more %TAG directives")


def _refuse_matches(pattern: re.Pattern[str], text: str, name: str, message: Callable[[str], str], more: str) -> None:
    matches = list(islice(pattern.finditer(text), _MAX_SHOWN + 1))
    if not matches:
        return
    lines = split_lines(text)
    starts = [0, *(match.end() for match in _BREAK.finditer(text))]
    findings = []
    for match in matches[:_MAX_SHOWN]:
        line = bisect_right(starts, match.start())
        column = match.start() - starts[line - 1] + 1
        findings.append(Finding(name, line, column, "", message(match[0]), snippet=excerpt(lines, line)))
    if len(matches) > _MAX_SHOWN:
        findings.append(Finding(name, None, None, "", more))
    raise InputError(findings)


def _decode(data: bytes, name: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError([Finding(name, 1, 1, "", "the file is UTF-16; save it as UTF-8")])
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = split_lines(data[: error.start].decode("utf-8"))
        end = data.find(b"\n", error.start)
        rest = data[error.start : end if end >= 0 else len(data)][:200].decode("utf-8", "replace")
        lines = [*before[:-1], before[-1] + split_lines(rest)[0]]
        message = (
            f"byte 0x{data[error.start]:02x} is not valid UTF-8 (an older encoding such as Latin-1, or no text at "
            "all); save the file as UTF-8"
        )
        finding = Finding(name, len(lines), len(before[-1]) + 1, "", message, snippet=excerpt(lines, len(lines)))
    raise InputError([finding])


def _explain_character(char: str) -> str:
    code = f"U+{ord(char):04X}"
    if char == "\0":
        return f"a NUL character ({code}); the file is binary, or UTF-16 that should be saved as UTF-8"
    if char == "\ufeff":
        return f"an invisible byte order mark ({code}) inside the text; delete it"
    if char in "\x85\u2028\u2029":
        return f"an invisible line separator ({code}); replace it by an ordinary line break or a space"
    return f"a control character ({code}); delete it, or write it as an escape in double quotes"


def _close_file(name: str) -> str | None:
    folder, base = os.path.split(name)
    try:
        with os.scandir(folder or ".") as entries:
            siblings = [entry.name for entry in islice(entries, _MAX_SIBLINGS)]
    except (OSError, ValueError):
        return None
    close = nearest(base, siblings, cutoff=0.7)
    return os.path.join(folder, close) if close else None

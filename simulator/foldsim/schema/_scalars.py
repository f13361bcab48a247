"""What an unquoted YAML scalar means, and a refusal where YAML 1.1 and 1.2 disagree about it.

PyYAML speaks YAML 1.1, editors and most people YAML 1.2 or neither: `1e-3` is text in one and a number in the other,
`012` is ten or twelve, `no` is false or a country. foldsim accepts what means the same everywhere and names the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

Scalar = str | int | float | bool | None

MAX_INT: Final = 10**18
_MAX_NUMBER_CHARS: Final = 400  # no double needs more; bounds the work of int() and float()

_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SWITCHES: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_MAYBE_NUMBER: Final = frozenset("0123456789+-.")

_DIGITS: Final = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)")
_FLOAT = re.compile(rf"([-+]?)((?:{_DIGITS})?)(\.(?:{_DIGITS})?)?(?:([eE])([-+]?)([0-9]+))?")
_BASED = re.compile(r"([-+]?)0([xXoObB])([0-9a-fA-F_]+)")
_LEADING_ZERO = re.compile(r"([-+]?)0([0-9_]+)")
_STRAY_UNDERSCORE = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"
)
_NON_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an unquoted scalar is not accepted, and what to write instead."""

    message: str
    suggestion: str | None = None


def resolve_plain(text: str) -> Scalar | Refusal:
    """Return the value of an unquoted scalar, or a `Refusal` if its meaning is ambiguous or unusable.

    >>> resolve_plain("1_000"), resolve_plain("1.0e-3"), resolve_plain("~"), resolve_plain("int8")
    (1000, 0.001, None, 'int8')
    >>> resolve_plain("1.5e9").suggestion
    '1.5e+9'
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in _MAYBE_NUMBER:
        return _resolve_numeric(text)
    if len(text) <= 3 and (truth := _SWITCHES.get(text.lower())) is not None:
        return Refusal(
            f"`{text}` is {truth} in YAML 1.1 and text in YAML 1.2; write {truth}, or quote it if text is meant",
            f'{truth} or "{text}"',
        )
    return text


def refuse_key(text: str) -> Refusal | None:
    """Return why an unquoted mapping key is not plain text, or None if it is.

    `y` and `n` pass: no common loader turns them into anything but text, and they are natural names.
    """
    if text[:1].isalpha() and len(text) == 1:
        return None
    if text == "<<":
        return Refusal(
            "merge keys (`<<`) are not accepted: they hide where a value comes from and are not part of YAML 1.2; "
            "write the keys out here, or use an alias for a whole value"
        )
    value = resolve_plain(text)
    if isinstance(value, str):
        return None
    if value is None:
        shown = f"`{text}` is null" if text else "there is nothing before the `:`"
        return Refusal(f"a key must be text, but {shown}; " + ("quote it" if text else "give the key a name"))
    if isinstance(value, Refusal):
        why = "is ambiguous in YAML"
    elif isinstance(value, bool):
        why = "is true or false, not text"
    else:
        why = "is a number, not text"
    return Refusal(f"a key must be text, but `{_short(text)}` without quotes {why}; quote it", f'"{_short(text)}"')


def _resolve_numeric(text: str) -> Scalar | Refusal:
    shown = _short(text)
    if _NON_FINITE.fullmatch(text):
        return Refusal(
            f"`{shown}` is not a finite number; give a finite one, or leave the key out if there is no limit"
        )
    if len(text) > _MAX_NUMBER_CHARS:
        if _FLOAT.fullmatch(text):
            return Refusal(f"a number of {len(text)} characters is too long; quote it if text is meant")
        return text
    if _INT.fullmatch(text):
        number = int(text)
        if abs(number) > MAX_INT:
            return Refusal(
                "the whole number is too large (the limit is 1e18); check its unit, or write it with a point",
                yaml_float(float(number)),
            )
        return number
    if match := _BASED.fullmatch(text):
        return _refuse_based(text, *match.groups())
    if match := _LEADING_ZERO.fullmatch(text):
        sign, digits = match.groups()
        decimal = (sign.replace("+", "") + digits.replace("_", "").lstrip("0")) or "0"
        return Refusal(
            f"`{shown}` starts with 0: YAML 1.1 reads it in base 8 or as text, YAML 1.2 in base 10; "
            "drop the zero, or quote it if text is meant",
            f'{decimal} or "{shown}"',
        )
    if (match := _FLOAT.fullmatch(text)) and any(ch.isdigit() for ch in (match[2] + (match[3] or ""))):
        return _resolve_float(text, match)
    if _DATE.fullmatch(text):
        return Refusal(f"`{shown}` without quotes is a date in YAML 1.1 and text in YAML 1.2; quote it", f'"{shown}"')
    if _SEXAGESIMAL.fullmatch(text):
        return Refusal(
            f"`{shown}` is a number in base 60 in YAML 1.1 and text in YAML 1.2; quote it if text is meant",
            f'"{shown}"',
        )
    if _STRAY_UNDERSCORE.fullmatch(text):
        plain = text.replace("_", "")
        return Refusal(
            f"`{shown}` has a stray `_`: it may stand between two digits only; quote it if text is meant",
            f'{plain} or "{shown}"',
        )
    return text


def _resolve_float(text: str, match: re.Match[str]) -> float | Refusal:
    sign, whole, fraction, exponent, exponent_sign, power = match.groups()
    if exponent and (fraction is None or not exponent_sign):
        unsigned = (whole or "0") + (fraction if fraction not in (None, ".") else ".0")
        # YAML 1.1 wants a point in the mantissa and a sign in the exponent.
        sure = f"{sign.replace('+', '')}{unsigned}e{exponent_sign or '+'}{power}"
        lacks = " and ".join(
            what for what, absent in (("a point", fraction is None), ("a signed exponent", not exponent_sign)) if absent
        )
        return Refusal(
            f"`{_short(text)}` is text in YAML 1.1, which wants {lacks} in such a number; write {sure}, "
            "or quote it if text is meant",
            sure,
        )
    number = float(text.replace("_", ""))
    if number in (float("inf"), float("-inf")):
        return Refusal(f"`{_short(text)}` is too large: the largest number is about 1.8e+308")
    if number == 0.0 and any(ch in "123456789" for ch in whole + (fraction or "")):
        return Refusal(f"`{_short(text)}` is too small: it would be read as 0", "0.0")
    return number


def _refuse_based(text: str, sign: str, letter: str, digits: str) -> Refusal:
    base = {"x": 16, "o": 8, "b": 2}[letter.lower()]
    try:
        decimal: str | None = str(int(sign + digits.replace("_", ""), base))
    except ValueError:
        decimal = None
    return Refusal(
        f"`{_short(text)}` is a number in base {base} to some YAML readers and text to others; "
        "write it in base 10, or quote it if text is meant",
        f'"{_short(text)}"' if decimal is None else f'{decimal} or "{_short(text)}"',
    )


def yaml_float(number: float) -> str:
    """Spell a float so that every YAML version reads it as that number.

    >>> yaml_float(1e-12), yaml_float(5e20), yaml_float(2.5)
    ('1.0e-12', '5.0e+20', '2.5')
    """
    mantissa, exponent, power = repr(number).partition("e")
    if not exponent:
        return mantissa
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}e{power[0] if power[0] in '+-' else '+'}{power.lstrip('+-').lstrip('0')}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."

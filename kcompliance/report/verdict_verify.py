"""The one line that a verification comes to, and what it rests on."""

import re

from kcompliance.archive.verify import OutsideResult, Verification
from kcompliance.errors import ExitCode
from kcompliance.report.verify_words import VERDICTS

__all__ = ["verdict"]

_KINDS = {"pin": "the pin", "worm": "the store's locks", "tsa": "a token", "witness": "a witness"}
_DIGEST = re.compile("([0-9a-f]{12})[0-9a-f]{52}")


def verdict(found: Verification) -> tuple[str, str]:
    """The word, and a sentence that says no more than what was looked at."""
    word = VERDICTS[found.exit_code]
    match found.exit_code:
        case ExitCode.GOOD:
            return word, f"{_looked_at(found)}; {_rests_on(found)}"
        case ExitCode.FINDINGS:
            count = sum(each.code.exit_code is ExitCode.FINDINGS for each in found.causes)
            causes = "1 cause" if count == 1 else f"{count} causes"
            return word, f"the archive is not what was signed and remembered: {causes}, see above"
        case ExitCode.COULD_NOT_RUN:
            return word, "nothing wrong was found in what could be read, and that was not all"
        case _:
            codes = sorted({each.code.value for each in found.causes})
            return word, f"no tampering was found, and no proof of its absence: {', '.join(codes)}"


def _looked_at(found: Verification) -> str:
    objects, docs = found.checked.objects, found.checked.docs
    match found.request.level:
        case 0:
            return "checkpoints, chain and tree are as signed (no other object was looked at)"
        case 1:
            return "the log is as signed, and all it names is there (no other object was read)"
        case 2:
            part = f"part {found.request.subset} of the objects"
            return f"the log and {part} are as signed, {objects:,} objects with {docs:,} events"
        case 3:
            return f"all {objects:,} objects with {docs:,} events are as signed"
        case _:
            return f"all {objects:,} objects and each of {docs:,} events are as signed"


def _rests_on(found: Verification) -> str:
    fitting = [
        f"{_KINDS[each.kind]} ({_short(each.detail)})"
        for each in found.outside_memory
        if each.result is OutsideResult.FITS
    ]
    if fitting:
        return f"confirmed from outside by {' and '.join(fitting)}"
    return "confirmed by its key alone, as the trust file has it"


def _short(text: str) -> str:
    return _DIGEST.sub(r"\1…", text)

"""Groups in the logs of CI systems: the lines that open and close one; pure."""

import time
from collections.abc import Mapping

from buildsys.base.value import frozen


@frozen
class LogGroups:
    """How a CI system folds its log; opening and closing hold {name}, {mark} and {seconds}."""

    system: str
    opening: str
    closing: str

    def wrap(self, name: str, text: str, seconds: int) -> str:
        """Put text into a group; seconds since 1970 is when it is printed."""
        plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
        words = {"name": name, "mark": plain, "seconds": seconds}
        parts = (self.opening.format(**words), text.rstrip("\n"), self.closing.format(**words))
        return "\n".join(part for part in parts if part)


# The variable that tells of a system, with its own words.
_SYSTEMS = (
    ("GITHUB_ACTIONS", LogGroups("GitHub Actions", "::group::{name}", "::endgroup::")),
    (
        "GITLAB_CI",
        LogGroups(
            "GitLab",
            "\033[0Ksection_start:{seconds}:{mark}\r\033[0K{name}",
            "\033[0Ksection_end:{seconds}:{mark}\r\033[0K",
        ),
    ),
    ("TF_BUILD", LogGroups("Azure Pipelines", "##[group]{name}", "##[endgroup]")),
    (
        "TEAMCITY_VERSION",
        LogGroups(
            "TeamCity", "##teamcity[blockOpened name='{mark}']",
            "##teamcity[blockClosed name='{mark}']",
        ),
    ),
    ("BUILDKITE", LogGroups("Buildkite", "--- {name}", "")),
    ("TRAVIS", LogGroups("Travis", "travis_fold:start:{mark}\n{name}", "travis_fold:end:{mark}")),
)  # fmt: skip
_PLAIN = LogGroups("", "{name}:", "")


def find_groups(environment: Mapping[str, str]) -> LogGroups:
    """Find how logs are folded here: by the variables that CI systems set."""
    for variable, groups in _SYSTEMS:
        if environment.get(variable, "") not in ("", "false", "0"):
            return groups
    return _PLAIN


def now_seconds() -> int:
    """Give the time for a group's lines."""
    return int(time.time())

"""Groups in logs: each CI system's own lines, found by the variables that it sets."""

import pytest

from buildsys.pipeline.loggroups import find_groups


@pytest.mark.parametrize(
    ("environment", "wrapped"),
    [
        ({}, "a b:\ntext"),
        ({"GITHUB_ACTIONS": "true"}, "::group::a b\ntext\n::endgroup::"),
        (
            {"GITLAB_CI": "true"},
            "\033[0Ksection_start:7:a_b\r\033[0Ka b\ntext\n\033[0Ksection_end:7:a_b\r\033[0K",
        ),
        ({"TF_BUILD": "True"}, "##[group]a b\ntext\n##[endgroup]"),
        (
            {"TEAMCITY_VERSION": "2026"},
            "##teamcity[blockOpened name='a_b']\ntext\n##teamcity[blockClosed name='a_b']",
        ),
        ({"BUILDKITE": "true"}, "--- a b\ntext"),
        ({"TRAVIS": "true"}, "travis_fold:start:a_b\na b\ntext\ntravis_fold:end:a_b"),
        ({"GITHUB_ACTIONS": "false"}, "a b:\ntext"),
    ],
)
def test_text_is_wrapped_as_the_system_wants_it(environment: dict[str, str], wrapped: str) -> None:
    assert find_groups(environment).wrap("a b", "text\n", 7) == wrapped

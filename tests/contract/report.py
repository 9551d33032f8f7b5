# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the contract tests print: a line for each check, the counts at the end."""


class Report:
    """Lines like cmocka's."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, name: str, errors: list[str]) -> None:
        if errors:
            self.failed += 1
            print(f"[  FAILED  ] {name}")
            for error in errors[:20]:
                print(f"             {error}")
            if len(errors) > 20:
                print(f"             ... and {len(errors) - 20} more")
        else:
            self.passed += 1
            print(f"[       OK ] {name}")

    def finish(self) -> int:
        print(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.passed and not self.failed else 1

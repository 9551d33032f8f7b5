# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For the contract scripts, which source it: one line a check, the counts at the end.

passed=0
failed=0

# Counts a check: it failed when there is anything to say about it.
check() { # name faults
    if [ -n "$2" ]; then
        failed=$((failed + 1))
        printf '[  FAILED  ] %s\n             %s\n' "$1" "${2//$'\n'/$'\n             '}"
    else
        passed=$((passed + 1))
        printf '[       OK ] %s\n' "$1"
    fi
}

# The last line; fails when a check did, or when there was none.
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

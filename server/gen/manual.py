#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Man pages, completions and the configuration file, from the table that --help is made of.

    virtgate --dump-options | manual.py VERSION FOLDER SYSCONFDIR
"""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Option = dict[str, Any]
ACTIONS = [
    {"name": "check-config", "letter": "", "arg": None, "help": "read and check all options, then exit"},
    {"name": "version", "letter": "V", "arg": None, "help": "print the version and exit"},
    {"name": "help", "letter": "h", "arg": None, "help": "print the options and exit"},
]
FILES = {"FILE", "DIR"}
TOKEN = {
    "create": "make a token of that name and role (viewer, operator, admin) and print it",
    "list": "print name, role and expiry of all tokens",
    "revoke": "take the token of that name out",
}


def installed(sysconfdir: str) -> dict[str, list[str]]:
    """What the file says as installed. Whoever may do everything by libvirt itself may do so here;
    all others need a token, of which there is none yet."""
    return {
        "connect": ["qemu:///system"],
        "listen": ["127.0.0.1:8080", "unix:/run/virtgate/virtgate.sock"],
        "token-file": [f"{sysconfdir}/virtgate/tokens"],
        "unix-role": ["uid:0=admin", "group:libvirt=admin"],
    }


def sentence(option: Option) -> str:
    """Its help, with its default."""
    text = option["help"]
    if option.get("kind") == "number" or option.get("default"):
        text += f" (default {option['default']})"
    return text[0].upper() + text[1:] + "."


def roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = text.replace("`", "\\(ga")
    return "\\&" + text if text[:1] in (".", "'") else text


def page(name: str, section: int, version: str, about: str) -> list[str]:
    return [f'.TH {name.upper()} {section} "" "virtgate {version}" "virtgate"', ".SH NAME",
            f"{name} \\- {roff(about)}"]


def program(options: list[Option], version: str, sysconfdir: str) -> str:
    lines = page("virtgate", 8, version, "HTTP/JSON gateway to libvirt")
    lines += [".SH SYNOPSIS", ".B virtgate", ".RI [ option ]...", ".br",
              ".B virtgate token create", ".I NAME ROLE", ".RI [ option ]...", ".br",
              ".B virtgate token list", ".RI [ option ]...", ".br",
              ".B virtgate token revoke", ".I NAME", ".RI [ option ]...", ".SH DESCRIPTION",
              "virtgate serves all of libvirt over HTTP, in front of one hypervisor host or hundreds.",
              "Without options it listens on 127.0.0.1:8080 and connects to the libvirt of this",
              "machine. The API is described at", ".I /openapi.yaml", "and", ".IR /docs .",
              ".SH OPTIONS", "An option without a value takes =yes or =no, too. The command line comes",
              "first, then the environment", "(VIRTGATE_NAME), then", ".BR virtgate.conf (5)."]
    for option in options + ACTIONS:
        lines.append(".TP")
        names = [f"\\fB\\-{option['letter']}\\fR"] if option["letter"] else []
        long = f"\\fB{roff('--' + option['name'])}\\fR"
        names.append(long + (f" \\fI{roff(option['arg'])}\\fR" if option["arg"] else ""))
        lines += [", ".join(names), roff(sentence(option))]
    lines += [".SH TOKENS", "The token file is kept by", ".BR \"virtgate token\" ;",
              "a gateway that runs reads it again within a second.", ".B virtgate token \\-\\-help",
              "tells the options."]
    for name, about in TOKEN.items():
        lines += [".TP", f".B {name}", roff(sentence({"help": about}))]
    lines += [".SH SIGNALS", ".TP", ".B SIGTERM",
              "No new connections are accepted, requests in flight are answered, then it exits.",
              ".TP", ".B SIGHUP",
              "Log files are opened again; the token file, certificate and key are read again.",
              ".SH EXIT STATUS", "0 after SIGTERM, 1 when it cannot serve, 2 when an option is wrong.",
              ".SH FILES", ".TP", f".I {roff(sysconfdir)}/virtgate/virtgate.conf",
              "Read by the service; see", ".BR virtgate.conf (5).",
              ".TP", f".I {roff(sysconfdir)}/virtgate/tokens", "The service\\(aqs bearer tokens, hashed.",
              ".TP", ".I /run/virtgate/virtgate.sock",
              "The service\\(aqs unix socket, open to root and to the group libvirt.",
              ".SH EXAMPLES", ".nf",
              f"virtgate token create alice admin \\-f {roff(sysconfdir)}/virtgate/virtgate.conf",
              "curl \\-\\-unix\\-socket /run/virtgate/virtgate.sock http://localhost/domains", ".fi",
              ".SH SEE ALSO", ".BR virtgate.conf (5),", ".BR virsh (1),", ".BR libvirtd (8)"]
    return "\n".join(lines) + "\n"


def configuration(options: list[Option], version: str) -> str:
    lines = page("virtgate.conf", 5, version, "configuration of virtgate")
    lines += [".SH DESCRIPTION", "Each line is", ".IR NAME \" = \" VALUE ,",
              "a comment that begins with # or ;, or the beginning of a section. Options stand before",
              "the first section or in [virtgate]; what can be repeated stands on several lines.",
              "A host is a section of its own:", ".PP", ".nf", "[host rack1]",
              "uri = qemu+tls://rack1.example.org/system", ".fi", ".PP",
              "Nobody but root and the gateway\\(aqs user may write the file, and nobody else may read it",
              "where a URI in it has a password.", ".SH OPTIONS"]
    for option in options:
        if option["name"] == "config":
            continue
        arg = option["arg"] or "yes|no"
        lines += [".TP", f"\\fB{roff(option['name'])}\\fR = \\fI{roff(arg)}\\fR",
                  roff(sentence(option))]
    lines += [".SH SEE ALSO", ".BR virtgate (8)"]
    return "\n".join(lines) + "\n"


def wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def values(option: Option, said: dict[str, list[str]]) -> list[str]:
    """The option's lines: as installed, else a comment with its default or its form."""
    if option["name"] in said:
        return [f"{option['name']} = {value}" for value in said[option["name"]]]
    default = "no" if option["kind"] == "bool" else option.get("default")
    return [f"#{option['name']} = {option['arg'] if default is None else default}"]


def sample(options: list[Option], said: dict[str, list[str]]) -> str:
    """All options: those of the installation, and the others as comments that change nothing."""
    lines = ["# virtgate's configuration: virtgate.conf(5). A comment shows a default, or the form of a",
             "# value.",
             "#",
             "# As installed the gateway serves this machine's libvirt. Root and the group libvirt may",
             "# do everything, by the unix socket:",
             "#   curl --unix-socket /run/virtgate/virtgate.sock http://localhost/domains",
             "# By 127.0.0.1:8080, the console there included, a token is needed. This makes one:",
             f"#   virtgate token create NAME admin --token-file {said['token-file'][0]}",
             "# The unit lets in this machine alone; for others: systemctl edit virtgate,",
             "# [Service] IPAddressAllow=192.0.2.0/24. It needs TLS then (tls-cert, tls-key).", ""]
    for option in options:
        if option["name"] == "config":
            continue
        lines += [f"# {line}" for line in wrap(sentence({"help": option["help"]}), 90)]
        lines += values(option, said) + [""]
    lines += ["# A host, below /hosts/rack1/.", "#[host rack1]",
              "#uri = qemu+tls://rack1.example.org/system"]
    return "\n".join(lines) + "\n"


def names(option: Option) -> list[str]:
    return [f"--{option['name']}"] + ([f"-{option['letter']}"] if option["letter"] else [])


def bash(options: list[Option]) -> str:
    words = " ".join("--" + o["name"] for o in options + ACTIONS)
    files = "|".join(n for o in options if o["arg"] in FILES for n in names(o))
    others = "|".join(n for o in options if o["arg"] and o["arg"] not in FILES for n in names(o))
    return f"""# bash completion of virtgate(8)
_virtgate() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    case $prev in
    {files})
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    {others})
        return
        ;;
    token)
        mapfile -t COMPREPLY < <(compgen -W "{' '.join(TOKEN)}" -- "$cur")
        return
        ;;
    esac
    [ "$COMP_CWORD" -gt 1 ] || mapfile -t COMPREPLY < <(compgen -W "token" -- "$cur")
    [ -n "${{COMPREPLY[*]}}" ] || mapfile -t COMPREPLY < <(compgen -W "{words}" -- "$cur")
}}
complete -F _virtgate virtgate
"""


def zsh(options: list[Option]) -> str:
    def text(help_text: str) -> str:
        for old, new in (("[", "("), ("]", ")"), (":", " -"), ("'", ""), ("`", ""), ("\\", "")):
            help_text = help_text.replace(old, new)
        return help_text

    commands = " ".join(f"'{name}:{about}'" for name, about in TOKEN.items())
    lines = ["#compdef virtgate", "# zsh completion of virtgate(8)", "",
             "if (( CURRENT > 2 )) && [[ ${words[2]} == token ]]; then",
             f"    local -a commands=({commands})",
             "    (( CURRENT > 3 )) || _describe command commands",
             "    return", "fi",
             "_arguments \\", "    '1:command:(token)' \\"]
    for o in options + ACTIONS:
        after = "" if not o["arg"] else f":{text(o['arg'])}:" + ("_files" if o["arg"] in FILES else "")
        for name in names(o):
            lines.append(f"    '*{name}{'=' if after and name[1] == '-' else ''}"
                         f"[{text(o['help'])}]{after}' \\")
    return "\n".join(lines)[:-2] + "\n"


def main() -> int:
    version, folder, sysconfdir = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    options = [json.loads(line) for line in sys.stdin]
    for name, text in (("virtgate.8", program(options, version, sysconfdir)),
                       ("virtgate.conf.5", configuration(options, version)),
                       ("virtgate.conf", sample(options, installed(sysconfdir))),
                       ("virtgate.bash", bash(options)), ("_virtgate", zsh(options))):
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

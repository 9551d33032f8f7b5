# SPDX-License-Identifier: LGPL-2.1-or-later
# Types a line and Tab into a zsh of its own, and says what its last word has become.
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; stty -echo; autoload -Uz compinit; compinit -u -d /tmp/zdump"
zpty -w z "show() { BUFFER=\${BUFFER% }; print \"<<\${BUFFER##* }>>\"; BUFFER=; zle .accept-line }; zle -N show; bindkey '^X' show"
zpty -w z "print ready-\$((1 + 1))"
zpty -r -m z line '*ready-2*'
zpty -n -w z "$1"$'\t\030'
zpty -r -m z line '*<<*>>*'
line=${line##*<<}
print -r -- ${line%%>>*}
zpty -d z

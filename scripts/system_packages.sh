#!/usr/bin/env bash
# System packages that pip cannot bring: system_packages.sh run|test PYTHON
# Installs what is missing with apt (as root or with sudo); elsewhere it says in a line what to run.
set -euo pipefail
purpose=$1
python=$2

has_library() { # name of the shared object without .so
    ldconfig -p 2>/dev/null | grep -q "$1\.so" ||
        "$python" -c 'import ctypes.util, sys; sys.exit(ctypes.util.find_library(sys.argv[1]) is None)' "${1#lib}"
}

missing=()
if [ "$purpose" = run ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    has_library libngspice || missing+=(libngspice0)
    has_library libpango-1.0 || missing+=(libpango-1.0-0)
    has_library libpangoft2-1.0 || missing+=(libpangoft2-1.0-0)
else
    # Without these the tests that need them are skipped.
    command -v ngspice >/dev/null || missing+=(ngspice)
    command -v pdftotext >/dev/null || missing+=(poppler-utils)
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
fi
[ ${#missing[@]} -gt 0 ] || exit 0

advice="missing: ${missing[*]} | Debian, Ubuntu: apt install ${missing[*]} | Fedora: dnf install libngspice pango ngspice poppler-utils chromium"
advice="$advice | macOS: brew install libngspice pango ngspice poppler | conda: conda install -c conda-forge ngspice pango poppler"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then as_root=(sudo); else as_root=(false); fi
fi
if command -v apt-get >/dev/null && [ "${as_root[*]:-}" != false ]; then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
        exit 0
    fi
fi
echo "$advice" >&2
[ "$purpose" = test ]

#!/bin/sh
# Installs valgrind from Debian, where it is missing: the guard of the request path counts instructions by it.
set -eu

command -v valgrind >/dev/null && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need valgrind. Type: sudo tools/install-valgrind.sh" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends valgrind

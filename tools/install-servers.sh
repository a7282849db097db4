#!/bin/sh
# Installs the servers that the tests of the stores start, where they are missing: those of Debian, and the FastAPI system from PyPI,
# in an environment of its own in target/fastapi. No system service is left running: the tests start private servers of their own.
set -eu
cd "$(dirname "$0")/.."

missing=""
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v openssl >/dev/null || missing="$missing openssl"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || missing="$missing mariadb-server"
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
command -v faketime >/dev/null || missing="$missing faketime"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

install_packages() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "The tests need:$missing. Type: sudo tools/install-servers.sh" >&2
        exit 1
    fi

    # While this is there, installing a package starts no service (see invoke-rc.d(8)).
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi

    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    # shellcheck disable=SC2086 # a list of words
    apt-get install --yes --no-install-recommends $missing
}
[ -z "$missing" ] || install_packages

requirements=tests/engines/fastapi/requirements.txt
fastapi=target/fastapi
# The copy of the list is written last: it says that all of it is there.
if ! cmp -s "$requirements" "$fastapi/requirements.txt"; then
    rm -rf "$fastapi"
    python3 -m venv "$fastapi"
    "$fastapi/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
    cp "$requirements" "$fastapi/requirements.txt"
    # Where sudo runs this, the folders are its user's.
    [ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:$SUDO_GID" "$fastapi"
    [ -z "${SUDO_UID:-}" ] || chown "$SUDO_UID:$SUDO_GID" target
fi

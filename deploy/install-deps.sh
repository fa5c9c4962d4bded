#!/bin/bash
# Installs what Berth is built, shown and tested with, on Debian. Does nothing where everything is there.
#
#   install-deps.sh [build] [demo] [test]
#
# build  compiler and headers          demo  busybox, curl, sqlite3
# test   real clients and peers, cargo-nextest, a Python environment and a Debian root file system; the last two
#        are kept in BERTH_TEST_CACHE (default /var/cache/berth-e2e) and made once.
set -euo pipefail

cache=${BERTH_TEST_CACHE:-/var/cache/berth-e2e}
sets=" ${*:-build} "
wants() { [[ $sets == *" $1 "* ]]; }

packages=()
wants build && packages+=(gcc libc6-dev libseccomp-dev pkg-config git)
wants demo && packages+=(busybox-static curl sqlite3 procps util-linux iproute2)
wants test && packages+=(busybox-static bzip2 curl sqlite3 procps util-linux iproute2 nftables debootstrap skopeo
    python3-venv gzip xz-utils ca-certificates)

# A package's files may be there without the package (another busybox, a newer docker): what counts is the command.
has_command() { command -v "$1" >/dev/null 2>&1; }
installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
if wants test; then
    # The `docker` command is a client under test; dockerd is the reference and the benchmark's opponent. Debian 12
    # has both in docker.io, later releases have the client in docker-cli.
    has_command dockerd || missing+=(docker.io)
    if ! has_command docker && apt-cache show docker-cli >/dev/null 2>&1; then
        missing+=(docker-cli)
    fi
fi
if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || { echo "missing packages, and only root can install them: ${missing[*]}" >&2; exit 1; }
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
has_command cargo || { echo "cargo is missing: install Rust first (see rust-version in Cargo.toml)" >&2; exit 1; }
wants test || exit 0

if ! has_command docker; then
    apt-get install -y -q --no-install-recommends docker-cli || apt-get install -y -q --no-install-recommends docker.io
    has_command docker || { echo "no docker command after installing docker-cli and docker.io" >&2; exit 1; }
fi
if ! cargo nextest --version >/dev/null 2>&1; then
    cargo install --locked cargo-nextest
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

python=$cache/venv/bin/python
if ! "$python" -c 'import docker, sys; sys.exit(docker.__version__ != "7.1.0")' 2>/dev/null; then
    rm -rf "$cache/venv"
    # Debian's own interpreter, not one that happens to come first on PATH.
    /usr/bin/python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" --quiet --disable-pip-version-check install 'docker==7.1.0'
fi

rootfs=$cache/debian-rootfs.tar
if [ ! -s "$rootfs" ]; then
    # The release and the mirror are this machine's own.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
        awk -v codename="$codename" '$2 == codename { print $1; exit }')
    tree=$(mktemp -d "$cache/debootstrap.XXXXXX")
    trap 'rm -rf --one-file-system "$tree"' EXIT
    echo "making a Debian $codename root file system"
    debootstrap --variant=minbase "$codename" "$tree" ${mirror:+"$mirror"} >"$cache/debootstrap.log" 2>&1 ||
        { tail -20 "$cache/debootstrap.log" >&2; exit 1; }
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/*
    tar -C "$tree" --numeric-owner --one-file-system -cf "$rootfs.new" .
    mv "$rootfs.new" "$rootfs"
fi

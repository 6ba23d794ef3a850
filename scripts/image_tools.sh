#!/usr/bin/env bash
# Installs what the image tier needs where no Docker engine answers: podman and runc.
# Where the Dockerfile's base cannot be pulled either, makes a stand-in from Debian's
# packages. Does nothing where all is there; says what to type where it may not.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/image_engine.sh

suite=trixie # has Python 3.13, as the Dockerfile's base
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

as_root=()
((EUID)) && as_root=(sudo -n)
install() {
  local line="apt-get install -y --no-install-recommends $*"
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "the image tier wants $*; on Debian: sudo $line" >&2
    exit 0
  fi
  echo "installing $* for the image tier"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" $line -qq >/dev/null
}

if [[ $engine != docker && $engine != podman ]]; then
  install podman runc
  engine=podman
fi
[[ -z $(base_here) ]] || exit 0

command -v mmdebstrap >/dev/null || install mmdebstrap
echo "$default_base cannot be pulled; making $stand_in from Debian $suite (a minute, once)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
without=()
for unwanted in doc info locale man; do
  without+=("--dpkgopt=path-exclude=/usr/share/$unwanted/*")
done
mmdebstrap --quiet --variant=essential --include=python3,python3-pip,ca-certificates \
  "${without[@]}" \
  --customize-hook='ln -s ../../bin/python3 "$1/usr/local/bin/python"' \
  "$suite" "$folder/base.tar" "$mirror"
path=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
if ! "$engine" import --change "ENV PATH=$path" "$folder/base.tar" "$stand_in" \
  >"$folder/log" 2>&1; then
  cat "$folder/log" >&2
  exit 1
fi

#!/usr/bin/env bash
# Installs what the real-Kafka tier needs beside Python: kcat and Maven. Does nothing
# where they are there; says what to type where it may not install them itself.
set -euo pipefail

packages=()
command -v kcat >/dev/null || packages+=(kcat)
command -v mvn >/dev/null || docker info >/dev/null 2>&1 || packages+=(maven)
((${#packages[@]})) || exit 0

install="apt-get install -y --no-install-recommends ${packages[*]}"
as_root=()
((EUID)) && as_root=(sudo -n)
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
  echo "the real-Kafka tier wants ${packages[*]}; on Debian: sudo $install" >&2
  exit 0
fi
echo "installing ${packages[*]} for the real-Kafka tier"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" $install -qq >/dev/null

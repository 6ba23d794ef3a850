#!/usr/bin/env bash
# Installs what some tiers of the tests need beside Python: kcat and Maven (real), a
# headless Chromium and a font (page), Prometheus (alerts). Does nothing where they are
# there; says what to type where it may not install them itself.
set -euo pipefail

chromium() {
  for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return
  done
  [[ -x /usr/lib/chromium/chromium-headless-shell ]]
}

packages=()
command -v kcat >/dev/null || packages+=(kcat)
command -v mvn >/dev/null || docker info >/dev/null 2>&1 || packages+=(maven)
chromium || packages+=(chromium-headless-shell fonts-dejavu-core)
command -v prometheus >/dev/null && command -v promtool >/dev/null ||
  packages+=(prometheus)
((${#packages[@]})) || exit 0

install="apt-get install -y --no-install-recommends ${packages[*]}"
as_root=()
((EUID)) && as_root=(sudo -n)
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
  echo "some tiers want ${packages[*]}; on Debian: sudo $install" >&2
  exit 0
fi
echo "installing ${packages[*]} for the tests"
export DEBIAN_FRONTEND=noninteractive
# Debian's Prometheus would start a service of its own; the tests start theirs.
export RUNLEVEL=1
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" $install -qq >/dev/null

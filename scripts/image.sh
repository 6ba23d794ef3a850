#!/usr/bin/env bash
# Builds the image with what is there: a Docker engine, podman or buildah.
#
#   IMAGE         its name and tag; localhost/feedbridge:VERSION if not given
#   PYTHON_IMAGE  its base; else the Dockerfile's, or the stand-in that
#                 scripts/image_tools.sh made where that cannot be had
#   SOURCE        address of the sources, for the label
#
# pip's own settings PIP_INDEX_URL and PIP_CERT hold inside the build, too; they are
# passed as secrets, so no layer keeps them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/image_engine.sh

if [[ -z $engine ]]; then
  echo "no Docker engine answers, and neither podman nor buildah was found;" \
    "on Debian: scripts/image_tools.sh" >&2
  exit 1
fi

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' bridge/__init__.py)
image=${IMAGE:-localhost/feedbridge:$version}
base=${PYTHON_IMAGE:-$(base_here)}
if [[ -z $base ]]; then
  echo "$default_base cannot be had here; name a base with PYTHON_IMAGE=..., or make" \
    "a stand-in with scripts/image_tools.sh" >&2
  exit 1
fi

secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
{
  echo "[global]"
  [[ -z ${PIP_INDEX_URL:-} ]] || echo "index-url = $PIP_INDEX_URL"
  [[ ! -r $certificates ]] || echo "cert = /run/pip_ca.pem"
} >"$secrets/pip.conf"
[[ ! -r $certificates ]] || cp -L "$certificates" "$secrets/ca.pem"
touch "$secrets/ca.pem"

started=$SECONDS
"$engine" build "${build_options[@]}" \
  --build-arg "PYTHON_IMAGE=$base" \
  --build-arg "VERSION=$version" \
  --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
  --build-arg "SOURCE=${SOURCE:-unknown}" \
  --secret "id=pip_conf,src=$secrets/pip.conf" \
  --secret "id=pip_ca,src=$secrets/ca.pem" \
  --tag "$image" .

megabytes() { echo $(($("$engine" "${inspect[@]}" --format "$size_format" "$1") / 1000000)); }
echo "$image: built with $engine on $base in $((SECONDS - started)) s"
if [[ $engine != buildah ]]; then
  whole=$(megabytes "$image") under=$(megabytes "$base")
  echo "$image: $whole MB, of which the base has $under MB and feedbridge $((whole - under)) MB"
fi

# Read by the other scripts: which engine builds images here, and from which base.
# Sets `engine` (empty if there is none), `build_options` and `inspect`.

default_base=$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile | head -n 1)
stand_in=localhost/feedbridge-base:latest
size_format='{{.Size}}'
pull_seconds=120

engine=${ENGINE:-}
if [[ -z $engine ]]; then
  if docker info >/dev/null 2>&1; then
    engine=docker
  else
    for name in podman buildah; do
      if command -v "$name" >/dev/null; then engine=$name && break; fi
    done
  fi
fi

build_options=()
inspect=(image inspect)
if [[ $engine == podman || $engine == buildah ]]; then
  # chroot wants no rights beyond those of the caller, so it works inside a container;
  # the docker format keeps STOPSIGNAL for every runtime.
  export BUILDAH_ISOLATION=chroot
  build_options=(--network host --format docker --layers)
fi
if [[ $engine == buildah ]]; then inspect=(inspect --type image); fi

has_image() { "$engine" "${inspect[@]}" "$1" >/dev/null 2>&1; }

# Prints the base to build on: the Dockerfile's if it is here or can be pulled.
base_here() {
  if has_image "$default_base" ||
    timeout "$pull_seconds" "$engine" pull -q "$default_base" >/dev/null 2>&1; then
    echo "$default_base"
  elif has_image "$stand_in"; then
    echo "$stand_in"
  fi
}

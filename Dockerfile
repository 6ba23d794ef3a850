# Two stages: the first has pip and the build backend, the second what runs.
# The base is any Debian-like image with Python 3.11 or newer; pin it by digest in
# production: --build-arg PYTHON_IMAGE=docker.io/library/python@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /source

# The layer of the dependencies changes with the lock alone. The two secrets are
# optional: an index and certificates of one's own leave no trace in a layer.
COPY requirements/run.lock requirements/
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=pip_ca,target=/run/pip_ca.pem \
    python -m venv --without-pip /opt/feedbridge \
    && python -m pip --python /opt/feedbridge/bin/python install --quiet \
      --no-compile --only-binary :all: --require-hashes -r requirements/run.lock

# Nothing is downloaded from here on: the build backend is in the lock, and leaves.
# Bytecode is checked by nothing at run time, so its files hold no time of the build.
COPY pyproject.toml README.md LICENSE ./
COPY avro avro
COPY bridge bridge
RUN python -m pip --python /opt/feedbridge/bin/python install --quiet \
      --no-compile --no-index --no-deps --no-build-isolation . \
    && python -m pip --python /opt/feedbridge/bin/python uninstall --quiet --yes \
      editables hatchling packaging pathspec pluggy tomlkit trove-classifiers \
    && find /opt/feedbridge -name __pycache__ -prune -exec rm -r {} + \
    && find /opt/feedbridge/bin ! -type d ! -name feedbridge ! -name 'python*' -delete \
    && /opt/feedbridge/bin/python -m compileall -q -j 0 \
      --invalidation-mode unchecked-hash /opt/feedbridge/lib

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
ARG LICENSES=Apache-2.0
LABEL org.opencontainers.image.title="feedbridge" \
      org.opencontainers.image.description="A stateless bridge between trading venues and Apache Kafka" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="${LICENSES}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

# No program of the base gains rights, and no folder but /tmp takes a stranger's file.
RUN find / -xdev ! -type l -perm /6000 -exec chmod a-s {} + \
    && find / -xdev ! -type l ! -path /tmp \( -perm -0002 -o -group 0 -perm -0020 \) \
      -exec chmod go-w {} +

COPY --from=build /opt/feedbridge /opt/feedbridge
ENV PATH=/opt/feedbridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 10001:0
RUN feedbridge --version && feedbridge schemas list

# The program answers SIGTERM itself, as process 1. Probes belong to the platform.
STOPSIGNAL SIGTERM
EXPOSE 9464
ENTRYPOINT ["feedbridge"]
CMD ["run"]

# One image, three commands: `replog-node` (the default), `replog` and `replog-operator`.
# The first stage installs from the locked and hashed list and builds the wheel; the second gets
# the result alone: no compiler, no sources (so no folder `operator` that could hide a module).
# BASE is any image with Python 3.11 or newer as `python`, and what venv needs.
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/replog \
 && /opt/replog/bin/python -m pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock
# The builder comes from the lock too, and is thrown away.
COPY requirements-dev.lock ./
RUN python -m venv /tmp/builder \
 && /tmp/builder/bin/python -m pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md LICENSE ./
# Each root by itself: one COPY of both would pour their contents together.
COPY operator operator
COPY node node
RUN /tmp/builder/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation -w /tmp/wheel . \
 && /opt/replog/bin/python -m pip install --no-cache-dir --no-deps /tmp/wheel/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="Replicated Log" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN mkdir /data && chown 65532:65532 /data
COPY --from=build /opt/replog /opt/replog
ENV PATH=/opt/replog/bin:$PATH PYTHONUNBUFFERED=1 REPLOG_DATA_DIR=/data
USER 65532:65532
VOLUME /data
EXPOSE 7401 7411
STOPSIGNAL SIGTERM
ENTRYPOINT ["replog-node"]
